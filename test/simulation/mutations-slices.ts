/** Planted bugs of work that is cut into slices: what comes in between, and what is not yet gone through. */

import type { Mutation } from "./mutate.ts";

const membership = "src/core/membership.ts";
const viewLife = "src/member/views/view-life.ts";

export const sliceMutations: readonly Mutation[] = [
  {
    name: "replicas-taken-while-what-is-held-is-gone-through",
    world: "slices+failures",
    breaks: "V64: until it has gone through what it holds, a member takes nothing from others",
    edits: [
      {
        file: "src/member/keys/replica.ts",
        find: "    if (!membership.isSwept) throw",
        replace: "    if (epoch < 0) throw",
      },
    ],
  },
  {
    name: "view-counts-before-what-is-held-is-gone-through",
    world: "slices+failures",
    breaks: "V65: a view counts as adopted when what is held has been gone through under it",
    test: {
      file: "test/unit/member/views/view-life.test.ts",
      name: "begins anew with the next view, and has not adopted the one before (V65)",
      says: /4,/,
    },
    edits: [
      {
        file: membership,
        find: "    this.#isSwept = false;\n    this.#allAdoptedAt = undefined;\n",
        replace:
          "    this.#isSwept = false;\n    this.#adoptedEpochs = new Set([...this.#adoptedEpochs, view.epoch]);\n    this.#allAdoptedAt = undefined;\n",
      },
    ],
  },
  {
    name: "right-to-answer-ends-when-what-is-held-is-gone-through",
    world: "slices",
    breaks: "V7: the right to answer under the older view ends at once, for all keys",
    edits: [
      {
        file: membership,
        find: "    const isAnew = this.#view && ownedByReturned(this.#view, view);\n    this.#view = view;\n",
        replace:
          "    this.isAnew = this.#view && ownedByReturned(this.#view, view);\n    this.oldRing = this.#ring;\n    this.#view = view;\n",
      },
      {
        file: membership,
        find: "    this.lease.reset(peersNeeded(voters.length, isVoter, replicas), leaseMs);\n",
        replace: "    this.end = () => this.lease.reset(peersNeeded(voters.length, isVoter, replicas), leaseMs);\n",
      },
      {
        file: membership,
        find: "    this.#tenure.adopt(this.#ring, this.#doubt, this.#clock.now(), isAnew);\n",
        replace: "",
      },
      {
        file: membership,
        find: "    this.#isSwept = true;\n",
        replace:
          "    this.#isSwept = true;\n    this.end();\n    this.#tenure.adopt(this.#ring, this.#doubt, this.#clock.now(), this.isAnew);\n",
      },
      {
        file: membership,
        find: "return this.serves(key, this.ownersOf(key)) && this.mayAnswerForAny;",
        replace:
          "return (this.#isSwept ? this.#progress !== 'adopting' && this.serves(key, this.ownersOf(key)) : this.oldRing !== undefined && this.serves(key, this.oldRing.ownersOf(key))) && this.lease.held();",
      },
    ],
  },
  {
    name: "flights-go-on-while-what-is-held-is-gone-through",
    world: "slices+store",
    breaks: "V66: keys that are being flushed lose their tenure at once",
    test: {
      file: "test/unit/member/views/view-life.test.ts",
      name: "ends the tenure of keys that are being flushed at once (V66)",
      says: /strictly deep-equal/,
    },
    edits: [{ file: viewLife, find: "    if (!isSwept) this.#endFlights();\n", replace: "" }],
  },
  {
    name: "activated-before-all-is-inherited",
    world: "slices+failures",
    breaks: "V67: a view is activated when all that a member gains with it is inherited",
    test: {
      file: "test/unit/member/views/view-life.test.ts",
      name: "serves what it gains when all of that is inherited (V67)",
      says: /strictly deep-equal/,
    },
    edits: [{ file: viewLife, find: "    if (hasDelivered && !this.#hasInherited) return; // V67\n", replace: "" }],
  },
];
