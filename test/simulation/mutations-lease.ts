/** Planted bugs of leases and of the waits that go with them: who may answer, and from when. */

import type { Mutation } from "./mutate.ts";

const lease = "src/core/lease.ts";
const membership = "src/core/membership.ts";
const viewChanges = "src/core/view-changes.ts";

export const leaseMutations: readonly Mutation[] = [
  {
    name: "no-lease-to-read",
    world: "isolation",
    breaks: "R1: a read is answered with tenure and lease",
    edits: [
      {
        file: "src/member/keys/read-path.ts",
        find: "    return this.#context.membership.mayAnswer(key) ? ",
        replace: "    return this.#context.membership.serves(key, this.#context.membership.ownersOf(key)) ? ",
      },
    ],
  },
  {
    name: "no-lease-to-flush",
    world: "ambushes",
    breaks: "F1: the lease is checked last before a request is sent to the store",
    edits: [
      {
        file: "src/member/flush/flight.ts",
        find: "    if (isCurrent && this.#context.membership.mayAnswer(record.key)) return;\n",
        replace: "    if (isCurrent) return;\n",
      },
    ],
  },
  {
    name: "no-lease-at-all",
    world: "isolation",
    breaks: "V8: a member answers only while it holds a lease",
    edits: [{ file: lease, find: "    return !this.#isSuspended && ", replace: "    return true || " }],
  },
  {
    name: "lease-counted-from-the-answer",
    world: "isolation",
    breaks: "V10: a lease counts from the moment at which the question was sent",
    edits: [
      {
        file: "src/member/views/gossip.ts",
        find: "this.#observer.onPong(peer, answer.state, sentAt);",
        replace: "this.#observer.onPong(peer, answer.state, membership.lease.stamp());",
      },
    ],
  },
  {
    name: "lease-by-store-counted-from-the-answer",
    world: "lines",
    breaks: "V10: a lease counts from the moment at which the question was sent, to the store, too",
    edits: [
      {
        file: "src/member/views/view-watch.ts",
        find: "    membership.lease.confirmByStore(sentAt);\n",
        replace: "    membership.lease.confirmByStore(membership.lease.stamp());\n",
      },
    ],
  },
  {
    name: "lease-held-longer-than-its-time",
    world: "isolation",
    breaks: "V11: the holder counts 95 % of T",
    edits: [{ file: lease, find: "const heldPart = 0.95;", replace: "const heldPart = 1.2;" }],
  },
  {
    name: "lease-by-the-monotonic-clock-alone",
    world: "pauses",
    breaks: "V12: a lease ends by the monotonic clock or by the wall clock",
    edits: [
      {
        file: lease,
        find: "this.#wallMs() < this.#until.wallMs && this.#clock.now() < this.#until.now;",
        replace: "this.#clock.now() < this.#until.now;",
      },
    ],
  },
  {
    name: "lease-by-half-of-the-members",
    world: "isolation",
    breaks: "V9: more than half of the voters confirm a lease",
    edits: [{ file: lease, find: ": Math.floor(voters / 2);", replace: ": Math.ceil(voters / 2) - 1;" }],
  },
  {
    name: "lease-kept-over-an-adoption",
    world: "isolation",
    breaks: "V13: adopting a view ends the lease",
    edits: [
      {
        file: lease,
        find: "    this.#confirmed.clear();\n    this.#byStore = undefined;\n    this.#until = expired;\n    this.#renew();\n",
        replace: "",
      },
    ],
  },
  {
    name: "older-epochs-confirmed",
    world: "isolation",
    breaks: "V14: a member confirms only the epoch that it has adopted",
    edits: [
      {
        file: membership,
        find: '    if (state.epoch !== this.epoch || state.progress === "adopting" || !this.#isVoter(from)) return;\n',
        replace: "    if (!this.#isVoter(from)) return;\n",
      },
    ],
  },
  {
    name: "store-confirms-any-view",
    world: "isolation",
    breaks: "V15: a read of the view confirms the lease only if it shows this very epoch",
    edits: [
      {
        file: "src/member/views/view-watch.ts",
        find: '    if (view.epoch !== membership.epoch || !hasSameMembers(view, membership.view)) return;\n    assert(listsProcess(view, membership.self), "the adopted view lists this process");\n',
        replace: "",
      },
    ],
  },
  {
    name: "no-wait-after-a-drop",
    world: "isolation",
    breaks: "V43: after a drop T has to pass before a view is activated",
    edits: [
      {
        file: membership,
        find: "    return this.#allAdoptedAt === undefined ? undefined : this.#allAdoptedAt + this.view.parameters.leaseMs;",
        replace: "    return this.#allAdoptedAt;",
      },
    ],
  },
  {
    name: "wait-counted-from-own-adoption",
    world: "isolation",
    breaks: "V43: T counts from when this member learned that everyone had adopted the view",
    edits: [
      {
        file: membership,
        find: 'if (this.#allAdoptedAt === undefined && this.everyoneHas("adopted"))',
        replace: 'if (this.#allAdoptedAt === undefined && this.#progress !== "adopting")',
      },
    ],
  },
  {
    name: "wait-only-after-a-drop-by-the-newest-view",
    world: "ambushes",
    breaks: "V44: any drop since the last settled view counts",
    edits: [
      {
        file: viewChanges,
        find: "  return dropped || lineage.slice(1).some((past) => past.dropped);",
        replace: "  return dropped;",
      },
    ],
  },
  {
    name: "settled-before-the-wait",
    world: "failures",
    breaks: "V68: a member has handed off only when it has activated the view, so that T has been waited",
    edits: [
      {
        file: "src/member/views/view-life.ts",
        find: "    if (!membership.activated || this.#takingOverSince !== undefined) return;\n",
        replace: "    if (this.#takingOverSince !== undefined) return;\n",
      },
    ],
  },
  {
    name: "own-time-of-a-lease",
    world: "isolation",
    breaks: "V3: T is that of the view, never of the member's own file",
    edits: [
      {
        file: membership,
        find: "this.lease.reset(peersNeeded(voters.length, isVoter, replicas), leaseMs);",
        replace: "this.lease.reset(peersNeeded(voters.length, isVoter, replicas), 2 * leaseMs);",
      },
    ],
  },
  {
    name: "any-answer-ends-a-cut",
    world: "isolation",
    breaks: "V19: a peer that was heard all the time says nothing of the silent ones",
    test: {
      file: "test/unit/core/failure-detector.test.ts",
      name: "suspects most of its peers, too, while it hears the others all the time: those are not cut off with it",
      says: /Expected values to be strictly deep-equal/,
    },
    edits: [
      {
        file: "src/core/failure-detector.ts",
        find: "    if (this.#isCutOff && watched.silentMs > this.#cutOffMs) {\n",
        replace: "    if (this.#isCutOff) {\n",
      },
    ],
  },
];
