/** Under which condition a key's object may be changed, by what is known of it. */

import type { KeyRecord } from "../../core/write-buffer.ts";
import type { WriteCondition } from "../../store/blob-store.ts";

/** A key never seen in the store is made; else the object must be the one last seen. */
export function writeCondition({ store }: KeyRecord): WriteCondition {
  return store.kind === "present" ? { kind: "unchanged", tag: store.tag } : { kind: "absent" };
}

/** There may be nothing to remove. */
export function removeCondition({ store }: KeyRecord): WriteCondition {
  return store.kind === "present" ? { kind: "unchanged", tag: store.tag } : { kind: "always" };
}
