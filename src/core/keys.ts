/** What a client's key may be: 1 to {@link maxKeyBytes} bytes of UTF-8, outside weir's own part of the store. */

import { OperatingError } from "../base/errors.ts";

/** S3's limit on the name of an object. */
export const maxKeyBytes = 1024;

/** Names that begin with this are weir's own. */
export const reservedPrefix = ".weir/";

/**
 * Whether the name may be another cluster's own object: that cluster keeps its values in the same place, under a longer
 * prefix. No client may change it, since its view would be gone. Clients may read it: values that were put under such
 * keys by earlier releases can be copied elsewhere.
 */
export function isReserved(key: string): boolean {
  return key.includes(reservedPrefix);
}

/** The store cannot have a blob of this name: see `BlobStore.fits`. */
export function unfit(): OperatingError {
  const detail =
    "the store can't hold this key: with its prefix there it is too long, or it has a part that the store refuses (weir check says which)";
  return new OperatingError("key_invalid", detail);
}
