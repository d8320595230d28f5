/**
 * What a listing consists of. A query goes over the keys under a prefix in the order of their UTF-8.
 *
 * A delimiter rolls up the keys that have it after the prefix. They become one *common prefix*: their beginning, up to
 * and including the first delimiter (the "folders" of an object store).
 *
 * Keys and common prefixes alike are a listing's *entries*. `after` is a position among entries, so a common prefix is
 * listed once, wherever a page ends.
 */

import { compareText } from "../base/text-order.ts";
import { reservedPrefix } from "./keys.ts";

export interface ListQuery {
  /** Lists only keys that begin with this; may be empty. */
  readonly prefix: string;
  /** Lists only entries greater than this. Empty: from the first on. */
  readonly after: string;
  /** Empty: nothing is rolled up. */
  readonly delimiter: string;
  /** At most this many entries; 1 to {@link maxListLimit}. */
  readonly limit: number;
}

/**
 * As many as S3 gives at a time. A member's answer with so many of the longest keys is half of what a link takes
 * (`headBytes`).
 */
export const maxListLimit = 1_000;

/** The entry that `key` belongs to: the key itself or its common prefix. Undefined when the query does not list it. */
export function entryOf(key: string, { prefix, after, delimiter }: ListQuery): string | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
  const entry = at === -1 ? key : key.slice(0, at + delimiter.length);
  return after === "" || compareText(entry, after) > 0 ? entry : undefined;
}

/** Whether `entry`, of this query, is a common prefix. */
export function isCommonPrefix(entry: string, { prefix, delimiter }: ListQuery): boolean {
  return delimiter !== "" && entry.indexOf(delimiter, prefix.length) !== -1;
}

/**
 * Whether the query is for weir's own keys. Any other query leaves them out. No client may send such a one: the
 * dialects see to that.
 */
export function isOwn({ prefix }: Pick<ListQuery, "prefix">): boolean {
  return prefix.startsWith(reservedPrefix);
}
