/**
 * Part of a value (RFC 9110, section 14). One range of bytes is honoured; several are answered with the whole value, as the RFC allows: a
 * multipart answer serves few and has been a way to make servers work hard for nothing.
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
 * The range that a GET asks for in a value of `size` bytes; undefined for the whole. One that is malformed may be ignored, or refused as one that is not there (section
 * 14.2): its sender would hardly be glad of the whole.
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
    // Other units must be ignored, several ranges may be; what else begins with `bytes=` is malformed.
    return byteRanges.test(text) && !text.includes(",") ? "malformed" : undefined;
  }
  // Its last bytes are a range that an empty value has, and that no Content-Range can name.
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
 * If-Range compares strongly. A date never holds: two writes within its second would have the same, and the client would put
 * together parts of both.
 */
function ifRangeHolds(text: string | string[] | undefined, md5: string): boolean {
  if (typeof text !== "string") return text === undefined;
  if (!text.includes('"')) return false;
  const tags = parseTags(text, "If-Range");
  return tags !== "*" && tags.length === 1 && tags[0]?.weak === false && tags[0].opaque === md5;
}
