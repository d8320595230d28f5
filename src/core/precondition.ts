/**
 * Judges conditional requests (RFC 9110, section 13.1) by a key's state. Without a value there is no date to judge by.
 */

import { assert } from "../base/assert.ts";

/**
 * What a client requires of the state that its write replaces. Entity tags are MD5s without quotes, or `*` for any
 * value.
 */
export interface Precondition {
  /** If-Match: one of these must be the value's. */
  readonly match?: readonly string[];
  /** If-None-Match: none of these may be the value's. */
  readonly noneMatch?: readonly string[];
  /** If-Unmodified-Since: the value must not have been written in a later second, counted since 1970. */
  readonly unmodifiedSince?: number;
}

/** Whether a state meets what the client requires of it. An undefined state means that there is no value. */
export function meets(
  state: { readonly md5: string; readonly modifiedMs: number } | undefined,
  { match, noneMatch, unmodifiedSince }: Precondition,
): boolean {
  assert(
    match !== undefined || noneMatch !== undefined || unmodifiedSince !== undefined,
    "a precondition requires something",
  );
  const md5 = state?.md5;
  if (match && (md5 === undefined || !(match.includes("*") || match.includes(md5)))) return false;
  if (noneMatch && md5 !== undefined && (noneMatch.includes("*") || noneMatch.includes(md5))) return false;
  const modifiedMs = state?.modifiedMs ?? Number.NEGATIVE_INFINITY;
  return unmodifiedSince === undefined || Math.floor(modifiedMs / 1000) <= unmodifiedSince;
}
