/**
 * Bugs that somebody might write one day, each of them a rule of the protocol left out: the simulator must find every
 * one. One that it does not find is a hole in the simulator, or a rule that is not needed.
 */

import type { Mutation } from "./mutate.ts";
import { dropMutations } from "./mutations-drops.ts";
import { largeMutations } from "./mutations-large.ts";
import { lateMutations } from "./mutations-late.ts";
import { leaseMutations } from "./mutations-lease.ts";
import { memberMutations } from "./mutations-members.ts";
import { partedMutations } from "./mutations-parted.ts";
import { sliceMutations } from "./mutations-slices.ts";
import { storeMutations } from "./mutations-store.ts";
import { viewMutations } from "./mutations-views.ts";
import { writeMutations } from "./mutations-write.ts";

export const mutations: readonly Mutation[] = [
  ...writeMutations,
  ...leaseMutations,
  ...viewMutations,
  ...memberMutations,
  ...storeMutations,
  ...lateMutations,
  ...largeMutations,
  ...partedMutations,
  ...dropMutations,
  ...sliceMutations,
];
