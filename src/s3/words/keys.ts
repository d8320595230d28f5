/** From a bucket's prefix and an object's key to the key of a value. */

import { isReserved, maxKeyBytes, reservedPrefix } from "../../core/keys.ts";
import { S3Error } from "./s3-error.ts";

/**
 * The key of an object that is read.
 *
 * @throws S3Error `KeyTooLongError`, `AccessDenied`.
 */
export function keyOf(prefix: string, objectKey: string): string {
  const key = prefix + objectKey;
  if (key.length > maxKeyBytes / 4 && Buffer.byteLength(key) > maxKeyBytes) {
    throw new S3Error("KeyTooLongError", `the key, with its bucket's prefix, has more than ${maxKeyBytes} bytes`);
  }
  if (objectKey === "" || !key.isWellFormed())
    throw new S3Error("InvalidArgument", "the key is empty, or no valid UTF-8");
  if (key.startsWith(reservedPrefix)) throw reserved();
  return key;
}

/**
 * The key of an object that is to change.
 *
 * @throws S3Error `KeyTooLongError`, `AccessDenied`.
 */
export function changeableKey(prefix: string, objectKey: string): string {
  const key = keyOf(prefix, objectKey);
  if (isReserved(key)) throw reserved();
  return key;
}

function reserved(): S3Error {
  return new S3Error("AccessDenied", `keys with ${reservedPrefix} in them are weir's own`);
}
