/**
 * Strict percent-decoding. Every library in the runtime skips what it does not understand, or makes something else of
 * it.
 */

import { isUtf8 } from "node:buffer";
import type { OperatingError } from "../../base/errors.ts";

const percent = 0x25;

/**
 * The text whose UTF-8 is encoded. Characters that are not encoded stand for themselves. They are ASCII: the runtime's
 * parser refuses others.
 *
 * @param invalid Makes the error to throw.
 */
export function decodePercent(encoded: string, invalid: (detail: string) => OperatingError): string {
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
    if (high < 0 || low < 0) throw invalid("a percent sign is written %25; here one begins no valid encoding");
    bytes[length++] = high * 16 + low;
    i += 2;
  }
  const exact = bytes.subarray(0, length);
  if (!isUtf8(exact)) throw invalid("what is encoded is not valid UTF-8");
  return exact.toString("utf8");
}

/** -1 for what is not a digit, NaN included. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
