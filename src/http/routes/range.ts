/**
 * Part of a value (RFC 9110, section 14). One range of bytes is honoured. Several ranges are answered with the whole
 * value, as the RFC allows. A multipart answer is of use to few, and attackers have used it to make servers work hard
 * for nothing.
 */

import type { IncomingHttpHeaders } from "node:http";
import { assert } from "../../base/assert.ts";
import { parseTags } from "./preconditions.ts";

export interface ByteRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

const singleRange = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;
const byteRanges = /^bytes=/i;

/**
 * The range that a GET asks for in a value of `size` bytes. Undefined for the whole value. A malformed range may be
 * ignored, or refused like a range that is not there (section 14.2). It is refused: its sender would hardly want the
 * whole value.
 *
 * @throws OperatingError `header_invalid` for an If-Range that is neither a tag nor anything like a date.
 */
export function requestedRange(
  headers: IncomingHttpHeaders,
  md5: string,
  size: number,
): ByteRange | "unsatisfiable" | "malformed" | undefined {
  const text = headers.range;
  if (text === undefined || !ifRangeHolds(headers["if-range"], md5)) return undefined;
  const found = singleRange.exec(text);
  if (found === null) {
    // Other units must be ignored, and several ranges may be ignored. Anything else that begins with `bytes=` is
    // malformed.
    return byteRanges.test(text) && !text.includes(",") ? "malformed" : undefined;
  }
  // An empty value has the range of its last bytes, but no Content-Range can name it.
  if (size === 0 && found[1] === "" && Number(found[2]) > 0) return undefined;
  const range = found[1] === "" ? lastBytes(found[2] as string, size) : between(found[1] as string, found[2] as string);
  if (range === undefined) return "malformed";
  if (range.start >= size || range.end <= range.start) return "unsatisfiable";
  const end = Math.min(range.end, size);
  assert(range.start < end && end <= size, "a range that is served lies within the value");
  return { start: range.start, end };
}

function lastBytes(count: string, size: number): ByteRange | undefined {
  return count === "" ? undefined : { start: Math.max(0, size - Number(count)), end: size };
}

function between(first: string, last: string): ByteRange | undefined {
  if (last !== "" && Number(last) < Number(first)) return undefined;
  return { start: Number(first), end: last === "" ? Number.POSITIVE_INFINITY : Number(last) + 1 };
}

/**
 * If-Range compares strongly. A date never holds: two writes within one second have the same date. The client would
 * then join parts of both.
 */
function ifRangeHolds(text: string | string[] | undefined, md5: string): boolean {
  if (typeof text !== "string") return text === undefined;
  if (!text.includes('"')) return false;
  const tags = parseTags(text, "If-Range");
  return tags !== "*" && tags.length === 1 && tags[0]?.weak === false && tags[0].opaque === md5;
}
