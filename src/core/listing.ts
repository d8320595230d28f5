/**
 * What a listing consists of. A query goes over the keys under a prefix in the order of their UTF-8; with a delimiter, keys that have it after the prefix
 * are rolled up into one *common prefix*: what they begin with, up to and including the first delimiter (the "folders" of an object store). Keys and
 * common prefixes alike are a listing's *entries*, and `after` is a position among these: a common prefix is listed once, wherever a page ends.
 */

import { compareText } from "../base/text-order.ts";

export interface ListQuery {
  /** Only keys that begin with it; may be empty. */
  readonly prefix: string;
  /** Only entries greater than this; empty: from the first on. */
  readonly after: string;
  /** Empty: nothing is rolled up. */
  readonly delimiter: string;
  /** Entries, at most; 1 to {@link maxListLimit}. */
  readonly limit: number;
}

/** As many as S3 gives at a time. A member's answer of so many of the longest keys is half of what a link takes (`headBytes`). */
export const maxListLimit = 1_000;

/** The entry that `key` belongs to: the key itself or its common prefix; undefined when the query doesn't list it. */
export function entryOf(key: string, { prefix, after, delimiter }: ListQuery): string | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
  const entry = at === -1 ? key : key.slice(0, at + delimiter.length);
  return after === "" || compareText(entry, after) > 0 ? entry : undefined;
}

/** Whether an entry of the query's is a common prefix. */
export function isCommonPrefix(entry: string, { prefix, delimiter }: ListQuery): boolean {
  return delimiter !== "" && entry.indexOf(delimiter, prefix.length) !== -1;
}
