/** What must not be sent yet: an earlier request, whose outcome nobody knows, may take effect late (F24). */

import type { Instant } from "../../base/clock.ts";
import { type Entry, isTombstone } from "../../core/entry.ts";
import type { StoreKnowledge } from "../../core/key-state.ts";
import type { LateEffects, ObjectState } from "../../core/late-effects.ts";
import { parseManifest } from "../../core/upload-manifest.ts";

/**
 * After a failure nothing is sent for so long, in milliseconds, for keys whose condition could not be remembered.
 */
const fullPauseMs = 1_000;

/**
 * Until when the entry is held back, since under it the condition of an earlier request would hold.
 *
 * @param store - what the object is, if it has the entry; not every store's tags are known before
 */
export function heldUntil(late: LateEffects, entry: Entry, store: StoreKnowledge, now: Instant): Instant | undefined {
  if (!late.mayChange(entry.key, now)) return undefined;
  const states = store.kind === "present" && !isTombstone(entry) ? [stateOf(entry), store] : [stateOf(entry)];
  const times = states.flatMap((state) => late.heldUntil(entry.key, entry, state, now) ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}

/**
 * Until when nothing is sent for the key because no more conditions can be remembered, and the store has failed at
 * `failedAt`. If it does not fail there is none to remember.
 */
export function fullUntil(late: LateEffects, key: string, failedAt: Instant, now: Instant): Instant | undefined {
  const until = failedAt + fullPauseMs;
  return late.isFull && until > now && !late.mayChange(key, now) ? until : undefined;
}

/** What the object will be with this entry. */
function stateOf(entry: Entry): ObjectState {
  if (entry.upload) return { kind: "completed", partTag: parseManifest(entry.upload.manifest).parts.at(-1) };
  return isTombstone(entry) ? { kind: "absent" } : { kind: "present", tag: entry.md5 };
}
