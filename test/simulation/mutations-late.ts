/** Planted bugs in what is remembered of requests that may take effect late: long after the wait for their answer. */

import type { Mutation } from "./mutate.ts";

const flusher = "src/member/flush/flusher.ts";
const flight = "src/member/flush/flight.ts";

export const lateMutations: readonly Mutation[] = [
  {
    name: "late-condition-made-true-again",
    world: "lateEffects",
    breaks: "F24: what would make the condition of an open request true is held back",
    edits: [
      {
        file: flusher,
        find: "    if (!this.#open.mayChange(entry.key, now)) return undefined;\n",
        replace: "    if (entry.key !== undefined) return undefined;\n",
      },
    ],
  },
  {
    name: "late-requests-forgotten-after-f",
    world: "lateEffects",
    breaks: "F24: the condition of an open request is remembered until L, not until F",
    edits: [{ file: flight, find: "lateUntil: now + settings.lateEffectMs", replace: "lateUntil: now + deadlineMs" }],
  },
  {
    name: "ignored-condition-trusted",
    world: "lateEffects",
    breaks: "F24: a store that ignores the condition of a removal may remove whatever is there",
    edits: [
      { file: flight, find: "this.#removesAreConditional ? openCondition", replace: "condition ? openCondition" },
    ],
  },
];
