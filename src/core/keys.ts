/** What a client's key may be: 1 to {@link maxKeyBytes} bytes of UTF-8, outside weir's own part of the store. */

/** S3's limit on the name of an object. */
export const maxKeyBytes = 1024;

/** Names that begin with this are weir's own. */
export const reservedPrefix = ".weir/";
