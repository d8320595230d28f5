/**
 * From a request's path to a key, and what may be a key. The path is the raw request target as node:http gives it (a character for each
 * byte), because every library for URLs normalises, and `a//b` and `a/../b` are keys like any other. `%2F` and `/` are the same byte.
 */

import { isUtf8 } from "node:buffer";
import { OperatingError } from "../base/errors.ts";

/** S3's limit on the name of an object. */
export const maxKeyBytes = 1024;

/** What lies under this is weir's own. */
const reservedPrefix = ".weir/";

const questionMark = 0x3f;
const percent = 0x25;
const hash = 0x23;

/**
 * The key that the rest of a path encodes. It is ASCII: the runtime's parser refuses targets with other bytes.
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
  const key = plain ? encoded : decode(encoded);
  if (plain) checkLength(key.length);
  if (key.startsWith(reservedPrefix)) throw reserved();
  return key;
}

/**
 * Checks a key that came as text.
 * @throws OperatingError `key_invalid`.
 */
export function checkKey(key: string): void {
  if (!key.isWellFormed()) throw invalid("the key has half of a surrogate pair in it, which has no UTF-8");
  checkLength(Buffer.byteLength(key));
  if (key.startsWith(reservedPrefix)) throw reserved();
}

function decode(encoded: string): string {
  const bytes = Buffer.allocUnsafe(encoded.length);
  let length = 0;
  for (let i = 0; i < encoded.length; i++) {
    const code = encoded.charCodeAt(i);
    if (code !== percent) {
      bytes[length++] = code;
      continue;
    }
    const high = hexDigit(encoded.charCodeAt(i + 1));
    const low = hexDigit(encoded.charCodeAt(i + 2));
    if (high < 0 || low < 0) throw invalid("a percent sign in a key is written %25; here it begins no valid encoding");
    bytes[length++] = high * 16 + low;
    i += 2;
  }
  checkLength(length);
  const exact = bytes.subarray(0, length);
  if (!isUtf8(exact)) throw invalid("the key is not valid UTF-8");
  return exact.toString("utf8");
}

/** -1 for what is no digit, NaN included. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

function checkLength(bytes: number): void {
  if (bytes === 0) throw invalid("the key is empty");
  if (bytes > maxKeyBytes) throw invalid(`the key has ${bytes} bytes, more than ${maxKeyBytes}`);
}

function reserved(): OperatingError {
  return invalid(`keys that begin with ${reservedPrefix} are weir's own`);
}

function invalid(detail: string): OperatingError {
  return new OperatingError("key_invalid", detail);
}
