/**
 * Conditional requests (RFC 9110, section 13). The conditions of a write go with the operation and are judged where the
 * key's writes are ordered. The conditions of a read are judged here, on the value that was read.
 */

import type { IncomingHttpHeaders } from "node:http";
import { OperatingError } from "../../base/errors.ts";
import type { ValueInfo } from "../../core/entry.ts";
import type { Precondition } from "../../core/precondition.ts";
import { parseHttpDate } from "./http-date.ts";

export interface EntityTag {
  readonly weak: boolean;
  /** Without its quotes. */
  readonly opaque: string;
}

const any = "*";

/**
 * The condition of a PUT or DELETE. Undefined if there is none.
 *
 * Entity tags that no value of ours can have are left out. These are weak tags in If-Match, which compares strongly.
 * The quoted `"*"` would be taken for `*`. Tags over 1,024 characters would not fit into a message.
 *
 * @throws OperatingError `header_invalid`.
 */
export function writePrecondition(headers: IncomingHttpHeaders): Precondition | undefined {
  const ifMatch = headers["if-match"];
  const ifNoneMatch = headers["if-none-match"];
  const ifUnmodifiedSince = headers["if-unmodified-since"];
  if (ifMatch === undefined && ifNoneMatch === undefined && ifUnmodifiedSince === undefined) return undefined;
  // An If-Match without usable tags never holds. An If-None-Match without usable tags is no condition. Nor is a date
  // that cannot be read.
  const match = ifMatch === undefined ? undefined : opaques(ifMatch, "If-Match", false);
  const noneMatch = ifNoneMatch === undefined ? [] : opaques(ifNoneMatch, "If-None-Match", true);
  const unmodifiedSince = match || ifUnmodifiedSince === undefined ? undefined : parseHttpDate(ifUnmodifiedSince);
  if (!match && noneMatch.length === 0 && unmodifiedSince === undefined) return undefined;
  return {
    ...(match && { match }),
    ...(noneMatch.length > 0 && { noneMatch }),
    ...(unmodifiedSince !== undefined && { unmodifiedSince }),
  };
}

/** What becomes of a read whose value was found. */
export type ReadDecision = "serve" | "not_modified" | "failed";

/**
 * Judges a GET or HEAD, in the order of section 13.2.2.
 *
 * @throws OperatingError `header_invalid`.
 */
export function judgeRead(headers: IncomingHttpHeaders, info: Pick<ValueInfo, "md5" | "modifiedMs">): ReadDecision {
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined) {
    if (!matches(parseTags(ifMatch, "If-Match"), info.md5, false)) return "failed";
  } else if (modifiedSince(headers["if-unmodified-since"], info.modifiedMs) === true) {
    return "failed";
  }
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined) {
    return matches(parseTags(ifNoneMatch, "If-None-Match"), info.md5, true) ? "not_modified" : "serve";
  }
  return modifiedSince(headers["if-modified-since"], info.modifiedMs) === false ? "not_modified" : "serve";
}

/** Whether {@link judgeRead} has anything to do. */
export function hasReadConditions(headers: IncomingHttpHeaders): boolean {
  return (
    headers["if-none-match"] !== undefined ||
    headers["if-modified-since"] !== undefined ||
    headers["if-match"] !== undefined ||
    headers["if-unmodified-since"] !== undefined
  );
}

/**
 * A list of entity tags, or `*` for any. `name` is the header's, for the error.
 *
 * @throws OperatingError `header_invalid`.
 */
export function parseTags(text: string, name: string): readonly EntityTag[] | typeof any {
  if (text === any) return any;
  const tags: EntityTag[] = [];
  // Either a tag or nothing between two commas. A list may have both (section 5.6.1).
  const element = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(?:,|$)/y;
  while (element.lastIndex < text.length) {
    const found = element.exec(text);
    if (found === null) {
      throw new OperatingError("header_invalid", `${name} must be * or a list of entity tags in double quotes`);
    }
    if (found[2] !== undefined) tags.push({ weak: found[1] !== undefined, opaque: found[2] });
  }
  return tags;
}

/** No value has a longer tag, in characters. */
const longestTag = 1_024;
const mostTags = 4_096;

function opaques(text: string, name: string, weakToo: boolean): string[] {
  const tags = parseTags(text, name);
  if (tags === any) return [any];
  const usable = tags.filter(({ weak, opaque }) => (weakToo || !weak) && opaque !== any && opaque.length <= longestTag);
  if (usable.length > mostTags) {
    throw new OperatingError("header_invalid", `${name} must be * or a list of ${mostTags} entity tags at most`);
  }
  return usable.map(({ opaque }) => opaque);
}

function matches(tags: readonly EntityTag[] | typeof any, md5: string, weakToo: boolean): boolean {
  return tags === any || tags.some((tag) => (weakToo || !tag.weak) && tag.opaque === md5);
}

/** Undefined without a header. Also undefined for a header that is not a date, which must be ignored. */
function modifiedSince(date: string | undefined, modifiedMs: number): boolean | undefined {
  const seconds = date === undefined ? undefined : parseHttpDate(date);
  return seconds === undefined ? undefined : Math.floor(modifiedMs / 1000) > seconds;
}
