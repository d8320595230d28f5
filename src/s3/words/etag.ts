/**
 * Entity tags in S3's dialect. A value's tag is its MD5, or what the store calls it. Clients take a tag without a
 * hyphen for an MD5, and compare it. So one that is none has `-1` after it, as that of an object of one part.
 */

import { isHex } from "./digits.ts";

const md5Bytes = 16;
const ending = "-1";

function isPlain(tag: string): boolean {
  return isHex(tag, md5Bytes) || tag.includes("-");
}

/** What a client is told, without quotes. */
export function etagOf(tag: string): string {
  return isPlain(tag) ? tag : tag + ending;
}

/** The tag of which a client was told this. */
export function tagOf(etag: string): string {
  const tag = etag.endsWith(ending) ? etag.slice(0, -ending.length) : etag;
  return isPlain(tag) ? etag : tag;
}
