/** SHA-256 in lower-case hexadecimal digits, as signatures have it. */

import { hash } from "node:crypto";
import { isHex } from "../words/digits.ts";

/** The SHA-256 of a text whose characters are bytes, in hexadecimal digits. */
export function sha256(text: string): string {
  // The runtime takes the UTF-8 of a text. That of ASCII has as many bytes.
  return hash("sha256", Buffer.byteLength(text) === text.length ? text : Buffer.from(text, "latin1"));
}

/** Whether the text could be such a hash. */
export function isSha256(text: string): boolean {
  return isHex(text, 32);
}

/** The SHA-256 of nothing. */
export const emptySha256 = hash("sha256", "");
