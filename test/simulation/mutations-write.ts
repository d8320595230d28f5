/** Planted bugs of the write path: what a write needs before it counts, and what a write that is sent again does. */

import type { Mutation } from "./mutate.ts";

const primary = "src/member/keys/primary.ts";
const replica = "src/member/keys/replica.ts";
const member = "src/member/member.ts";

export const writeMutations: readonly Mutation[] = [
  {
    name: "answer-before-the-replicas-have-it",
    world: "disks",
    breaks: "§4: a write commits when every replica has acknowledged it",
    edits: [
      {
        file: "src/core/write-buffer.ts",
        find: "  return journaled && missing.length === 0;",
        replace: "  return journaled && missing.length >= 0;",
      },
    ],
  },
  {
    name: "answer-before-the-journal-has-it",
    world: "power+disks",
    breaks: "§4: a write commits when the local journal has it",
    edits: [
      {
        file: "src/core/write-buffer.ts",
        find: "  return journaled && missing.length === 0;",
        replace: "  return (journaled || !journaled) && missing.length === 0;",
      },
    ],
  },
  {
    name: "answer-before-the-store-has-it",
    world: "forgets",
    breaks: "§4: with too few owners the store has a write before it commits",
    edits: [
      {
        file: primary,
        find: "        observer.onWriteThrough(record);\n        break;\n",
        replace: "        observer.onWriteThrough(record);\n",
      },
    ],
  },
  {
    name: "refused-although-an-earlier-copy-may-be-done",
    world: "crashes",
    breaks: "§4: a write that is sent again is not refused for good once an earlier copy may have been assigned",
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
    breaks: "§4: a replica journals, then acknowledges",
    edits: [
      { file: replica, find: "    if (!durable) return answer;\n", replace: "    if (epoch > 0) return answer;\n" },
    ],
  },
  {
    name: "replica-takes-whatever-comes",
    world: "isolation",
    breaks:
      "§4: a replica accepts only in its adopted epoch and from a member of it; an acknowledgement counts in the epoch in which the entry was accepted (⚠)",
    edits: [
      {
        file: replica,
        find: "  #requireEpoch(epoch: number): void {\n    if (epoch !== this.#context.membership.epoch) throw wrongView();",
        replace: "  #requireEpoch(_epoch: number): void {",
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
    breaks: "§4: a replica keeps the higher version",
    edits: [
      {
        file: replica,
        find: "    const isNews = isNewer(entry, buffer.get(entry.key)?.newest);\n    if (isNews && !buffer",
        replace: "    const isNews = true;\n    if (isNews && !buffer",
      },
      {
        file: "src/core/write-buffer.ts",
        find: '    assert(isNewer(entry, record.entry), "only a newer entry is held in place of another");\n',
        replace: "",
      },
    ],
  },
  {
    name: "repeat-applied-again",
    world: "retries",
    breaks: "§4: a request id among the key's recent ones is answered with its first outcome",
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
    breaks: "§10: ids are kept by every node that got them by Replicate",
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
    breaks: "§10: ids with their outcomes are handed off, for clean keys too",
    edits: [
      {
        file: "src/member/views/hand-off.ts",
        find: "for (const outcome of requests.outcomes()) {",
        replace: "for (const outcome of [...requests.outcomes()].slice(0, 0)) {",
      },
    ],
  },
  {
    name: "request-ids-of-pending-writes-handed-off",
    world: "scripts",
    breaks: "ARCHITECTURE, request ids: that of a pending write goes only together with its entry",
    edits: [
      {
        file: "src/member/views/hand-off.ts",
        find: "      if (this.#isPending(outcome)) continue;\n",
        replace: "",
      },
    ],
  },
  {
    name: "request-ids-not-recovered",
    world: "retries",
    breaks: "§7: on start the member reads recent request ids from its journal",
    edits: [
      {
        file: member,
        find: "    for (const { requestId, key, version } of outcomes) this.#wired.requests.record(requestId, key, version);\n",
        replace: "",
      },
      {
        file: member,
        find: "      this.#wired.requests.record(entry.requestId, entry.key, versionOf(entry));\n",
        replace: "",
      },
    ],
  },
  {
    name: "nothing-recovered",
    world: "power",
    breaks: "§7: on start the member reads its journal: held entries",
    edits: [
      {
        file: member,
        find: "      this.#wired.buffer.recover(entry, now);\n",
        replace: "      if (now < 0) this.#wired.buffer.recover(entry, now);\n",
      },
    ],
  },
  {
    name: "condition-judged-while-a-write-is-pending",
    world: "mixed",
    breaks: "§10: conditional requests wait until no earlier write of the key is pending",
    edits: [
      {
        file: primary,
        find: "        if (record && pending) {\n          this.inheritance.hasten(record);\n          // Its value would be kept, and later writes held up, for as long as that is stuck.\n          await endOrTimeout(clock, deadline - clock.now(), pending.outcome.catch(ignoreLost));\n          continue;\n        }\n",
        replace: "        if (record && pending) this.inheritance.hasten(record);\n",
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
    breaks: "§4: a write that is sent again shares the fate of its first copy",
    edits: [
      {
        file: primary,
        find: "    if (waiting) return waiting;\n",
        replace: "",
      },
      {
        file: primary,
        find: "    const known = requests.find(request.requestId);\n    if (known) return this.#repeats.answer(known, request);\n    const waiting",
        replace: "    const waiting",
      },
    ],
  },
  {
    name: "pending-writes-given-up-on-a-view-change",
    world: "crashes",
    breaks: "§4: pending entries survive a view change",
    edits: [
      {
        file: "src/core/write-buffer.ts",
        find: "      this.#replace(record, last.entry);\n    }\n    record.store",
        replace: "    }\n    record.store",
      },
    ],
  },
  {
    name: "stored-said-before-the-store-has-it",
    world: "mixed",
    breaks: "§1 P2, Weir-Durability: stored is answered once the store has the version or a newer one",
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
    breaks: "DurableWrites: whoever waits when the tenure ends is sent on to the next primary",
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
    breaks: "§6: what was written through is read back before it counts as stored for good",
    edits: [
      { file: "src/member/keys/durable-writes.ts", find: "!record.dirty &&", replace: "record.flushed &&" },
      {
        file: "src/member/flush/flusher.ts",
        find: "    if (!unproven) observer.onStored(",
        replace: "    observer.onStored(",
      },
    ],
  },
];
