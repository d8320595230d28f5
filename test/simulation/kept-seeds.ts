/**
 * Seeds that once found something: run again each time, so that it stays found. A seed means the same world only while the simulator draws in the same order; a kept
 * one that has lost its meaning still is a seed like any other.
 */

import type { FaultKind, Profile } from "./scenario-plan.ts";

export interface KeptSeed {
  readonly seed: number;
  /** What goes wrong in it. */
  readonly faults: Profile | readonly FaultKind[];
  /** What it found, in a sentence. */
  readonly found: string;
}

export const keptSeeds: readonly KeptSeed[] = [
  { seed: 4, faults: "healthy", found: "A member with a cache of 0 bytes could not start." },
  {
    seed: 79,
    faults: "healthy",
    found: "A store read that began while the key was dirty was used after the key was clean.",
  },
  { seed: 22, faults: "joins", found: "Such a read left an old value in the cache." },
  { seed: 10, faults: "restarts", found: "Such a read was answered after a newer write." },
  { seed: 227, faults: "healthy", found: "Members with full buffers refused each other's replicas for ever." },
  { seed: 3, faults: "store", found: "What the store held was taken as known after a request of unknown outcome." },
  { seed: 112, faults: "store", found: "A deletion counted as flushed although an older put could still land." },
  { seed: 34, faults: "store", found: "A read at the primary waited for a pending write beyond its own deadline." },
  { seed: 60, faults: "links+store", found: "A conditional write that was sent again was judged by its own effect." },
  {
    seed: 204,
    faults: "links",
    found: "A repeat of a conditional write was applied after its router had finished it.",
  },
  {
    seed: 97,
    faults: "all",
    found: "The outcome of a pending write was handed off before the write, which was then lost.",
  },
  {
    seed: 6122,
    faults: "all",
    found: "A write sent again was refused as not done while its first sending still waited for room.",
  },
  {
    seed: 104733,
    faults: "store",
    found: "A delete was left out because an older answer had said that there was nothing, and an older put landed.",
  },
  { seed: 304098, faults: "healthy", found: "A conditional write never had its turn among many others of its key." },
];
