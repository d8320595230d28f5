/**
 * Seeds that once found something: run again each time, so that it stays found. A seed means the same world only while
 * the simulator draws in the same order; a kept one that has lost its meaning still is a seed like any other. What a
 * kept seed cannot keep is kept as a planted bug, in `mutations.ts`.
 */

import type { FaultKind, Profile } from "./fault-kinds.ts";

export interface KeptSeed {
  readonly seed: number;
  /** What goes wrong in it. */
  readonly faults: Profile | readonly FaultKind[];
  /** What it found, in a sentence. */
  readonly found: string;
}

export const keptSeeds: readonly KeptSeed[] = [
  {
    seed: 810_003_004,
    faults: "mixed",
    found:
      "Of five members three were lost, and the two that were left did not suspect them while they heard each other.",
  },
  {
    seed: 741_010_016,
    faults: "lateEffects+crashes",
    found:
      "A key of a lost primary was handed on before anyone had looked at the object: what the next one deleted came back by the lost one's request.",
  },
  {
    seed: 68_016_477,
    faults: "mixed",
    found:
      "A write-through was said to be stored when an earlier removal had come between it and its answer, which took longer than that removal could be late.",
  },
  {
    seed: 62_020_472,
    faults: "oneLoss",
    found:
      "A primary that was cut off from everything for a moment passed on that the store had not answered it, to a client of another node.",
  },
  {
    seed: 61_069_170,
    faults: "forgets",
    found:
      "What a lost and given up lone owner had sent came to the store after its successor had kept the older value for reading.",
  },
  {
    seed: 59_071_281,
    faults: "all",
    found:
      "Where the only member left owned nothing and was gone for good, nobody could join: each waited for a link to it.",
  },
  {
    seed: 14,
    faults: "crashes",
    found: "Members that were short of a lease answered each ping by another one, without end.",
  },
  {
    seed: 60_009_088,
    faults: "crashes",
    found:
      "A write was answered buffer_full, although an earlier copy of it was in the journal of a member that came back.",
  },
  {
    seed: 53_081_850,
    faults: "crashes",
    found:
      "The outcome of a write whose entry did not count any more was forgotten in memory alone: after another crash the journal's copy answered for a write that was not there.",
  },
  {
    seed: 50_073_431,
    faults: "oneLoss",
    found: "A member that had been cut off for less than D suspected whom it heard last, and dropped it.",
  },
  {
    seed: 52_003_421,
    faults: "mixed",
    found: "The last owner left in order; of two that stayed, one was lost, and the other could not drop it.",
  },
  {
    seed: 20049,
    faults: "refusals+failures",
    found:
      "A write that waited for the store, behind a newer one that was sent before there were enough owners, waited for ever.",
  },
  {
    seed: 220,
    faults: "forgets",
    found: "A view settled before the store had been asked about what an operator had given up.",
  },
  {
    seed: 1159,
    faults: "forgets",
    found: "A view that was given up was forgotten while an earlier one was in doubt.",
  },
  {
    seed: 1180,
    faults: "forgets",
    found: "A write-through took back a newer one, whose replicas had changed meanwhile.",
  },
];
