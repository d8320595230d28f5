/** The old API's field `data`: base64 as JSON has it, decoded and encoded a piece at a time. */

import { compact } from "../../base/memory.ts";
import type { OwnTurns } from "../server/turns.ts";
import { notBase64, type Place } from "./legacy-fields.ts";

/** So many bytes take half a millisecond, on a busy machine two. Encoding needs a multiple of 3. */
export const pieceBytes = 96 * 1024;

const backslash = 0x5c;
/** An escape has so many characters at most: backslash, u and four digits. */
const longestEscape = 6;

/**
 * The bytes, without unused memory around them. The text must be in the standard alphabet, padded, with escaped line
 * breaks anywhere.
 *
 * @throws OperatingError `body_invalid`.
 */
export async function decodeData(body: Buffer, { start, end }: Place, turns: OwnTurns): Promise<Buffer> {
  const value = Buffer.allocUnsafeSlow(decodedLength(body, start, end));
  let length = 0;
  let at = start;
  let left = "";
  while (at < end) {
    if (end - start > pieceBytes) await turns.next();
    const next = pieceEnd(body, at, end);
    const text = left + plainText(body, at, next);
    at = next;
    // Four characters are three bytes.
    const whole = at < end ? text.length - (text.length % 4) : text.length;
    left = text.slice(whole);
    length += decode(text.slice(0, whole), value, length, at === end);
  }
  return length === value.length ? value : compact(value.subarray(0, length));
}

/** Exact where there are no escapes, otherwise too much. */
function decodedLength(body: Buffer, start: number, end: number): number {
  const padding = body[end - 1] !== 0x3d ? 0 : body[end - 2] !== 0x3d ? 1 : 2;
  return Math.max(0, Math.floor((end - start) / 4) * 3 - padding);
}

/** Where the next piece ends. An escape is not cut. */
function pieceEnd(body: Buffer, at: number, end: number): number {
  const next = at + pieceBytes;
  if (next >= end) return end;
  const near = next - longestEscape + 1;
  const cut = body.subarray(near, next).lastIndexOf(backslash);
  return cut < 0 ? next : near + cut;
}

/** The text of a piece, without line breaks. Only escaped ones are allowed. */
function plainText(body: Buffer, at: number, end: number): string {
  const raw = body.toString("latin1", at, end);
  if (!raw.includes("\\")) return raw;
  try {
    const text = JSON.parse(`"${raw}"`) as string;
    return text.replaceAll(/[\r\n]+/g, "");
  } catch {
    throw notBase64();
  }
}

/** The decoder skips what it does not know. Encoding its result again shows whether it did. */
function decode(text: string, value: Buffer, offset: number, isLast: boolean): number {
  const written = value.write(text, offset, "base64");
  const isExact = value.toString("base64", offset, offset + written) === text;
  if (!isExact || (!isLast && text.endsWith("="))) throw notBase64();
  return written;
}

/** `head`, the value in base64, and `tail`. */
export async function encodeData(head: string, value: Buffer, tail: string, turns: OwnTurns): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(
    Buffer.byteLength(head) + Math.ceil(value.length / 3) * 4 + Buffer.byteLength(tail),
  );
  let length = bytes.write(head);
  for (let at = 0; at < value.length; at += pieceBytes) {
    if (value.length > pieceBytes) await turns.next();
    length += bytes.write(value.toString("base64", at, at + pieceBytes), length, "latin1");
  }
  bytes.write(tail, length);
  return bytes;
}
