/**
 * Bugs that somebody might write one day, each of them a rule of the protocol left out: the simulator must find every one. One that it does not find is a hole in the
 * simulator, or a rule that is not needed.
 */

import type { Mutation } from "./mutate.ts";
import { leaseMutations } from "./mutations-lease.ts";
import { memberMutations } from "./mutations-members.ts";
import { storeMutations } from "./mutations-store.ts";
import { viewMutations } from "./mutations-views.ts";
import { writeMutations } from "./mutations-write.ts";

export const mutations: readonly Mutation[] = [
  ...writeMutations,
  ...leaseMutations,
  ...viewMutations,
  ...memberMutations,
  ...storeMutations,
];

/** Not found yet, in some hundred to some thousand worlds each: for these the simulator lacks a fault, or another rule keeps the same promise. */
export const openMutations: ReadonlySet<string> = new Set([
  "request-ids-of-pending-writes-handed-off",
  "lease-by-store-counted-from-the-answer",
  "settled-before-all-have-handed-off",
  "inherited-entry-visible-at-once",
  "store-reads-kept-over-a-view-change",
  "drop-without-half",
  "drop-with-less-than-half",
  "half-counted-by-id",
  "another-folder-is-no-drop",
  "no-delay-after-gaining-tenure",
  "no-delay-though-a-predecessor-is-gone",
  "no-delay-though-a-predecessor-is-not-quiet",
  "knowledge-of-the-store-kept-after-an-unknown-outcome",
  "older-version-sent-after-a-newer",
  "delete-left-out",
  "newer-in-the-store-ignored",
]);
