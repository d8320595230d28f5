/**
 * From a request's path to a key, and the rules for keys. The path is the raw request target as node:http gives it, one
 * character for each byte. Every library for URLs normalises paths, but `a//b` and `a/../b` are keys like any other.
 * `%2F` and `/` are the same byte.
 */

import { OperatingError } from "../../base/errors.ts";
import { isReserved, maxKeyBytes, reservedPrefix } from "../../core/keys.ts";
import { decodePercent } from "./percent.ts";

const questionMark = 0x3f;
const percent = 0x25;
const hash = 0x23;

/**
 * The key that the rest of a path encodes. `encoded` is ASCII: the runtime's parser refuses targets with other bytes.
 *
 * @throws OperatingError `key_invalid`.
 */
export function parseKey(encoded: string): string {
  let plain = true;
  for (let i = 0; i < encoded.length; i++) {
    const code = encoded.charCodeAt(i);
    if (code === questionMark) {
      throw invalid("this route takes no query; a question mark in a key is written %3F");
    }
    if (code === hash) throw invalid("a hash sign in a key is written %23");
    if (code === percent) plain = false;
  }
  const key = plain ? encoded : decodePercent(encoded, invalid);
  checkLength(plain ? key.length : Buffer.byteLength(key));
  if (key.startsWith(reservedPrefix)) throw reserved();
  return key;
}

/**
 * Checks a key that came as text.
 *
 * @throws OperatingError `key_invalid`.
 */
export function checkKey(key: string): void {
  if (!key.isWellFormed()) throw invalid("the key has a lone surrogate in it, which UTF-8 can't encode");
  checkLength(Buffer.byteLength(key));
  if (key.startsWith(reservedPrefix)) throw reserved();
}

/**
 * Checks a key whose value is to change. A cluster with a longer prefix in the same place may have its own objects
 * there.
 *
 * @throws OperatingError `key_invalid`.
 */
export function checkChangeable(key: string): void {
  if (isReserved(key)) throw reserved();
}

function checkLength(bytes: number): void {
  if (bytes === 0) throw invalid("the key is empty");
  if (bytes > maxKeyBytes) throw invalid(`the key has ${bytes} bytes, more than ${maxKeyBytes}`);
}

function reserved(): OperatingError {
  return invalid(`keys with ${reservedPrefix} in them are weir's own`);
}

function invalid(detail: string): OperatingError {
  return new OperatingError("key_invalid", detail);
}
