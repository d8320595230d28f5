/** What may be a client's key: 1 to {@link maxKeyBytes} bytes of UTF-8, outside of weir's own part of the store. */

/** S3's limit on the name of an object. */
export const maxKeyBytes = 1024;

/** What lies under this is weir's own. */
export const reservedPrefix = ".weir/";
