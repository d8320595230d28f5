/** Planted bugs of the write path: what a write needs before it counts, and what a write that is sent again does. */

import type { Mutation } from "./mutate.ts";

const primary = "src/member/keys/primary.ts";
const replica = "src/member/keys/replica.ts";
const member = "src/member/member.ts";
const keyState = "src/core/key-state.ts";
const pendingWrite = "src/core/pending-write.ts";

export const writeMutations: readonly Mutation[] = [
  {
    name: "answer-before-the-replicas-have-it",
    world: "disks",
    breaks: "W3: a write commits when every other owner has acknowledged it",
    edits: [
      {
        file: pendingWrite,
        find: "    return this.journaled && this.missing.length === 0;",
        replace: "    return this.journaled && this.missing.length >= 0;",
      },
    ],
  },
  {
    name: "answer-before-the-journal-has-it",
    world: "power+disks",
    breaks: "W4: a write commits when the primary's own journal has it, too",
    edits: [
      {
        file: pendingWrite,
        find: "    return this.journaled && this.missing.length === 0;",
        replace: "    return (this.journaled || !this.journaled) && this.missing.length === 0;",
      },
    ],
  },
  {
    name: "answer-before-the-store-has-it",
    world: "forgets",
    breaks: "W5: with fewer owners than R the store has a write before it commits",
    edits: [
      {
        file: "src/member/keys/committer.ts",
        find: '      if (readiness !== "ready") break;\n',
        replace: '      if (readiness === "waits") break;\n',
      },
      {
        file: keyState,
        find: 'assert(write?.isHeldByAll === true && !write.needsStore, "a write',
        replace: 'assert(write !== undefined, "a write',
      },
    ],
  },
  {
    name: "refused-although-an-earlier-copy-may-be-done",
    world: "crashes",
    breaks: "W17: once an earlier copy may have been assigned, a later refusal is not told",
    test: {
      file: "test/unit/member/route/router.test.ts",
      name: "never tells so once a copy was lost: whoever has that may bring it back",
      says: /peer_unreachable/,
    },
    edits: [
      {
        file: "src/member/route/router.ts",
        find: "          else if (broken && isOperatingError(error, ...notDone)) throw broken;\n",
        replace: "",
      },
    ],
  },
  {
    name: "replica-acknowledges-before-its-journal",
    world: "power+disks",
    breaks: "W8: a replica acknowledges a write once its journal has it",
    edits: [
      { file: replica, find: "    if (!durable) return answer;\n", replace: "    if (epoch > 0) return answer;\n" },
    ],
  },
  {
    name: "replica-takes-whatever-comes",
    world: "isolation",
    breaks:
      "W7: a replica takes a write in its adopted epoch and from the primary, and judges the epoch again when it acknowledges",
    edits: [
      {
        file: replica,
        find: "    if (epoch !== membership.epoch) throw wrongView();\n    if (!membership.isSwept)",
        replace: "    if (epoch < 0)",
      },
      {
        file: replica,
        find: "    if (owners[0] !== from.id || !owners.includes(membership.self.id)) throw wrongView();\n",
        replace: "    if (owners.length > 1e9 && from) throw wrongView();\n",
      },
      {
        file: member,
        find: "    if (!this.#membership.lists(from))\n",
        replace: '    if (request.kind !== "replicate" && !this.#membership.lists(from))\n',
      },
      {
        file: member,
        find: "    if (request.epoch > this.#membership.epoch) this",
        replace: '    if (request.kind !== "replicate" && request.epoch > this.#membership.epoch) this',
      },
    ],
  },
  {
    name: "replica-takes-older-versions",
    world: "power",
    breaks: "W1: every holder keeps the highest version",
    edits: [
      {
        file: replica,
        find: "    const isNews = isNewer(entry, buffer.get(entry.key)?.newest);\n    if (isNews && !buffer",
        replace: "    const isNews = true;\n    if (isNews && !buffer",
      },
      {
        file: keyState,
        find: '    assert(isNewer(entry, this.#entry), "only a newer entry is held in place of another");\n',
        replace: "",
      },
    ],
  },
  {
    name: "repeat-applied-again",
    world: "retries",
    breaks: "W10: a write that is sent again has its first outcome, and is not applied again",
    edits: [
      {
        file: "src/core/request-log.ts",
        find: "    return this.#routers.get(id.router)?.outcomes.get(id.counter);",
        replace: "    return undefined;",
      },
    ],
  },
  {
    name: "replicas-forget-request-ids",
    world: "retries",
    breaks: "W11: everyone who got a write from the primary keeps its outcome",
    edits: [
      {
        file: replica,
        find: "    requests.record(requestId, key, version);\n  }\n\n  #acknowledge",
        replace: "  }\n\n  #acknowledge",
      },
    ],
  },
  {
    name: "request-ids-not-handed-off",
    world: "retries",
    breaks: "W12: outcomes are handed off, for clean keys, too",
    edits: [
      {
        file: "src/member/views/hand-off.ts",
        find: "this.#lane.over(requests.outcomes(), packOutcome",
        replace: "this.#lane.over([...requests.outcomes()].slice(0, 0), packOutcome",
      },
    ],
  },
  {
    name: "request-ids-of-pending-writes-handed-off",
    world: "scripts",
    breaks: "W13: the outcome of a pending write goes only together with its entry",
    edits: [
      {
        file: "src/member/views/hand-off.ts",
        find: "      if (this.#isPending(outcome)) return;\n",
        replace: "",
      },
    ],
  },
  {
    name: "request-ids-not-recovered",
    world: "retries",
    breaks: "J5: a process that starts knows the outcomes that its journal knows",
    edits: [
      {
        file: member,
        find: "this.#lane.over(outcomes, know,",
        replace: "this.#lane.over([], know,",
      },
      {
        file: member,
        find: "      requests.record(entry.requestId, entry.key, versionOf(entry));\n",
        replace: "",
      },
    ],
  },
  {
    name: "nothing-recovered",
    world: "power",
    breaks: "J4: a process that starts holds every entry that its journal holds",
    edits: [
      {
        file: member,
        find: "      buffer.recover(entry, now);\n",
        replace: "      if (now < 0) buffer.recover(entry, now);\n",
      },
    ],
  },
  {
    name: "condition-judged-while-a-write-is-pending",
    world: "mixed",
    breaks: "W19: a conditional write waits until no earlier write of its key is pending",
    edits: [
      {
        file: "src/member/keys/conditional-write.ts",
        find: "        if (record && pending) {\n          this.#parts.inheritance.sendAhead(record);\n          // Until its deadline at most: the value of this write is kept in memory meanwhile.\n          await endOrTimeout(clock, deadline - clock.now(), pending.outcome.catch(ignoreLost));\n          continue;\n        }\n",
        replace: "        if (record && pending) this.#parts.inheritance.sendAhead(record);\n",
      },
      {
        file: "src/member/keys/read-path.ts",
        find: '    assert(this.isInStore(key), "the store is asked when nothing else is held");\n',
        replace: "",
      },
    ],
  },
  {
    name: "conditional-write-judged-by-its-own-effect",
    world: "retries",
    breaks: "W14: a repeat that comes while the first copy waits shares its fate",
    edits: [
      {
        file: primary,
        find: "    if (waiting) return waiting;\n",
        replace: "",
      },
      {
        file: primary,
        find: "    const known = requests.find(request.requestId);\n    if (known) return this.#parts.repeats.answer(known, request);\n    const waiting",
        replace: "    const waiting",
      },
    ],
  },
  {
    name: "pending-writes-given-up-on-a-view-change",
    world: "crashes",
    breaks: "W9: an assigned write keeps its version through view changes",
    edits: [
      {
        file: keyState,
        find: "    if (last) this.#replace(last.entry);\n",
        replace: "",
      },
      {
        file: "src/core/write-buffer.ts",
        find: "    if (last) this.#giveRoomOf(before);\n",
        replace: "    if (last && !last) this.#giveRoomOf(before);\n",
      },
    ],
  },
  {
    name: "stored-said-before-the-store-has-it",
    world: "mixed",
    breaks: "W21: `stored` is said when the store has the version or a newer one",
    edits: [
      {
        file: "src/member/keys/durable-writes.ts",
        find: "    return record.entry !== undefined && !record.dirty &&",
        replace: "    return record.entry !== undefined &&",
      },
    ],
  },
  {
    name: "stored-said-when-the-tenure-ends",
    world: "mixed",
    breaks: "W22: a client that waits for the store when the tenure ends is sent on to the next primary",
    edits: [
      {
        file: "src/member/keys/durable-writes.ts",
        find: "for (const each of all) each.settle(false);",
        replace: "for (const each of all) each.settle(true);",
      },
    ],
  },
  {
    name: "stored-said-though-an-older-request-may-still-land",
    world: "crashes+store",
    breaks: "F11: a write-through that something may still land over is read back before it counts as stored",
    test: {
      file: "test/unit/member/flush/flusher-proof.test.ts",
      name: "a write-through is in the store for good only when no earlier request can have come between it and its answer",
      says: /it is not there any more/,
    },
    edits: [
      { file: "src/member/keys/durable-writes.ts", find: "!record.dirty &&", replace: "record.flushed &&" },
      {
        file: keyState,
        find: "  /** Whether the store is known to have the held entry, for good. */\n",
        replace: "  get flushed(): boolean {\n    return this.#flushed;\n  }\n\n",
      },
      {
        file: "src/member/flush/flush-steps.ts",
        find: "    if (!unproven) this.#parts.waits.stored(",
        replace: "    this.#parts.waits.stored(",
      },
    ],
  },
  {
    name: "copied-entry-teaches-its-outcome-again",
    world: "slices+failures",
    breaks: "V37: an outcome is forgotten with its entry, also where the journal copies that forward",
    test: {
      file: "test/simulation/forgotten-outcome.test.ts",
      name: "a repeat is not answered for a write that a dropped node alone had, although its journal copied the entry forward",
      says: /deep-equal/,
    },
    edits: [
      {
        file: "src/member/member.ts",
        find: "return newest && requests.withKnownRequest(newest);",
        replace: "return requests && newest;",
      },
    ],
  },
];
