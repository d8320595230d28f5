/** Planted bugs of view changes: adopting, handing off, settling, and what a view change makes a member forget. */

import type { Mutation } from "./mutate.ts";

const membership = "src/core/membership.ts";
const handOff = "src/member/views/hand-off.ts";
const viewLife = "src/member/views/view-life.ts";

export const viewMutations: readonly Mutation[] = [
  {
    name: "hastened-copy-counts-by-the-hand-off",
    world: "lateCopies",
    breaks: "V46: an owner to which an entry was sent ahead counts only by the answer to that copy",
    edits: [
      {
        file: "src/core/pending-write.ts",
        find: "    if (!this.inherited || this.sentAhead || compareVersions",
        replace: "    if (!this.inherited || compareVersions",
      },
    ],
  },
  {
    name: "settled-without-owners",
    world: "members+crashes",
    breaks: "V49: a view without owners is settled only if no member can hold anything",
    edits: [
      {
        file: "src/core/membership.ts",
        find: "return (this.isOwned || !this.#mayBeHeld()) && this.everyoneHas",
        replace: "return this.everyoneHas",
      },
    ],
  },
  {
    name: "last-owner-leaves-an-open-view",
    world: "members",
    breaks: "V30: the view that the last owner leaves behind is settled",
    edits: [
      {
        file: "src/core/view-changes.ts",
        find: "votersOf(left).length > 0 ? left",
        replace: "left.members.length > 0 ? left",
      },
    ],
  },
  {
    name: "tombstones-not-handed-off",
    world: "members",
    breaks: "V38: a member hands off tombstones, too",
    edits: [
      {
        file: handOff,
        find: "    const record = this.#context.buffer.get(key);\n    const first = record?.pending[0];\n",
        replace:
          "    const record = this.#context.buffer.get(key);\n    if (record?.entry && record.entry.value === undefined) return undefined;\n    const first = record?.pending[0];\n",
      },
    ],
  },
  {
    name: "handed-off-when-sent",
    world: "crashes",
    breaks: "V40: a stage of the hand-off is done when everything has been acknowledged",
    edits: [
      {
        file: handOff,
        find: "const sent = Promise.all(",
        replace: "const sent = Promise.resolve(",
      },
    ],
  },
  {
    name: "nothing-handed-off",
    world: "members",
    breaks: "V38: a member hands off every entry that it holds",
    edits: [
      {
        file: handOff,
        find: "        pack(keys, peer, key);\n",
        replace: "",
      },
    ],
  },
  {
    name: "activated-before-all-have-delivered",
    world: "members",
    breaks: "V42: a view is activated when every member has delivered",
    edits: [
      {
        file: membership,
        find: 'safeFrom <= this.#clock.now() && this.everyoneHas("delivered");',
        replace: 'safeFrom <= this.#clock.now() && this.everyoneHas("adopted");',
      },
    ],
  },
  {
    name: "settled-before-all-have-handed-off",
    world: "scripts",
    breaks: "V47: a view is settled when every member has handed off",
    edits: [
      {
        file: membership,
        find: '    return (this.isOwned || !this.#mayBeHeld()) && this.everyoneHas("handed_off");',
        replace: "    return (this.isOwned || !this.#mayBeHeld()) && this.mayActivate();",
      },
      {
        file: membership,
        find: '    assert(this.#progress === "handed_off", "a view settles after every hand-off");\n',
        replace: "",
      },
    ],
  },
  {
    name: "inherited-entry-visible-at-once",
    world: "scripts",
    breaks: "V45: an inherited entry becomes visible when every other owner has it",
    edits: [
      {
        file: "src/member/keys/inheritance.ts",
        find: "others: owners.slice(1), isShort",
        replace: "others: [], isShort",
      },
    ],
  },
  {
    name: "adoption-reported-before-it-is-journaled",
    world: "scripts",
    breaks: "V32: a member journals that it has adopted a view before it says so",
    edits: [
      {
        file: viewLife,
        find: "    if (!durable) this.#adopted();\n",
        replace: "    if (view.epoch > 0) this.#adopted();\n",
      },
    ],
  },
  {
    name: "outcomes-forgotten-in-memory-alone",
    world: "crashes",
    breaks: "V37: the journal notes which outcomes are forgotten, as it notes entries",
    test: {
      file: "test/unit/member/views/view-life.test.ts",
      name: "has the journal forget the outcomes that it forgets",
      says: /the journal forgets them/,
    },
    edits: [
      {
        file: viewLife,
        find: '    if (forgotten.length > 0) journal.append({ kind: "forget", requests: forgotten });\n',
        replace: "    void forgotten;\n    void journal;\n",
      },
    ],
  },
  {
    name: "adoption-not-journaled",
    world: "power",
    breaks: "V32: a member journals that it has adopted a view",
    edits: [{ file: viewLife, find: "    journal.append(adoptionOf(membership));\n", replace: "" }],
  },
  {
    name: "nothing-purged",
    world: "members",
    breaks: "V36: what does not count any more is removed at an adoption",
    edits: [
      {
        file: viewLife,
        find: "        else if (!counts(record.key)) buffer.remove(record);\n",
        replace: "",
      },
      {
        file: "src/member/flush/cleaner.ts",
        find: "      } else if (owners.length > 0 && !owners.includes(membership.self.id)) {\n        buffer.remove(record);\n",
        replace: "",
      },
    ],
  },
  {
    name: "purged-by-views-not-adopted",
    world: "mixed",
    breaks: "V36: what a folder holds counts by the views that it had itself adopted",
    edits: [
      { file: "src/core/claims.ts", find: "adopted.has(past.epoch) && ", replace: "" },
      {
        file: "src/member/flush/cleaner.ts",
        find: "      } else if (owners.length > 0 && !owners.includes(membership.self.id)) {\n        buffer.remove(record);\n",
        replace: "",
      },
    ],
  },
  {
    name: "cache-kept-without-tenure",
    world: "members",
    breaks: "R5: the cached value of a key goes with the tenure",
    edits: [
      {
        file: viewLife,
        find: "      if (!membership.serves(key, membership.ownersOf(key))) cache.delete(key);\n",
        replace: "",
      },
    ],
  },
  {
    name: "tenure-kept-although-a-folder-comes-back",
    world: "lateReturns",
    breaks: "V34: tenure of a key ends when a folder comes back that owned it",
    edits: [
      {
        file: membership,
        find: "    const isAnew = this.#view && ownedByReturned(this.#view, view);\n",
        replace: "    const isAnew = undefined;\n    void ownedByReturned;\n",
      },
    ],
  },
  {
    name: "store-reads-kept-over-a-view-change",
    world: "lateReads",
    breaks: "R2: a read of the store that was sent before a view change is not used after it",
    edits: [{ file: viewLife, find: "    reads.invalidateAll();\n", replace: "" }],
  },
  {
    name: "store-reads-kept-over-a-write",
    world: "swings",
    breaks: "R3: a read of the store that was sent before a write of its key is not used after it",
    edits: [{ file: "src/member/keys/assigner.ts", find: "    reads.invalidate(entry.key);\n", replace: "" }],
  },
  {
    name: "store-read-while-a-write-is-pending",
    world: "forgets",
    breaks: "R4: while a write of the key is pending a read waits for the outcome",
    edits: [
      {
        file: "src/member/keys/read-path.ts",
        find: "        await pending.outcome.catch(() => undefined);\n",
        replace: "        void pending.outcome.catch(() => undefined);\n",
      },
      {
        file: "src/member/keys/read-path.ts",
        find: "        if (answer) return answer;\n        continue;\n",
        replace: "        if (answer) return answer;\n",
      },
      {
        file: "src/member/keys/read-path.ts",
        find: '    assert(this.isInStore(key), "the store is asked when nothing else is held");\n',
        replace: "",
      },
      {
        file: "src/member/keys/read-path.ts",
        find: '      if (value === "void" || !this.isInStore(request.key)) continue;\n',
        replace: '      if (value === "void") continue;\n',
      },
    ],
  },
  {
    name: "keys-in-doubt-served",
    world: "failures",
    breaks: "V50: nobody answers for a key in doubt",
    edits: [
      {
        file: "src/core/doubt.ts",
        find: "  has(key: string): boolean {\n    if (!this.any) return false;\n",
        replace: "  has(key: string): boolean {\n    if (this.any || !this.any) return false;\n",
      },
    ],
  },
  {
    name: "doubt-ends-when-the-view-settles",
    world: "failures",
    breaks: "V51: when a view settles, the views of which some key is in doubt stay in the record",
    edits: [
      {
        file: "src/core/view-changes.ts",
        find: "lost: marked, proposal };",
        replace: "lost: marked.slice(0, 0), proposal };",
      },
    ],
  },
  {
    name: "settled-before-the-store-was-asked",
    world: "forgets",
    breaks: "V53: while the store has to be asked about forgotten keys the view is not settled",
    edits: [
      {
        file: viewLife,
        find: ' || membership.progress !== "delivered" || this.#asksStore()) return;',
        replace: ' || membership.progress !== "delivered") return;',
      },
    ],
  },
  {
    name: "given-up-view-forgotten-while-one-is-in-doubt",
    world: "forgets",
    breaks: "V52: with the first view of which a key is in doubt the later ones stay, forgotten or not",
    edits: [
      {
        file: "src/core/doubt.ts",
        find: "this.#losses.slice(first).map(",
        replace: "this.#losses.slice(first, first + 1).map(",
      },
    ],
  },
  {
    name: "dropped-member-goes-on",
    world: "pauses",
    breaks: "V26: a member that finds itself dropped ends",
    edits: [
      {
        file: "src/member/member.ts",
        find: "    if (!this.#wired.leaving.begun) observer.onEvicted();\n",
        replace: "",
      },
    ],
  },
];
