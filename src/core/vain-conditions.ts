/**
 * Conditions on writes that no state of the object fulfils: the store refuses a write on the condition of a tag, and
 * then shows that very tag. Versioning that is switched on for a live bucket does this on some servers. Without
 * conditions nothing may be written (V1, F2). So all that a node can do is to say what is wrong.
 */

import { OperatingError } from "../base/errors.ts";

/** So many refusals in a row, each beside the very state that was asked for, are no race with another writer. */
export const vainLimit = 3;

/** @param tag What the store shows. Undefined: that there is no object. */
export function vainCondition(tag: string | undefined): OperatingError {
  const what =
    tag === undefined
      ? "the store refuses to create what it says is not there"
      : "the store refuses a write on the condition of the very tag that it shows";
  return new OperatingError("store_unavailable", `${what}: is versioning on? See "Versioning" in docs/operations.md`);
}
