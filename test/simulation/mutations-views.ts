/** Planted bugs of view changes: adopting, handing off, settling, and what a view change makes a member forget. */

import type { Mutation } from "./mutate.ts";

const membership = "src/core/membership.ts";
const handOff = "src/member/views/hand-off.ts";
const viewChange = "src/member/views/view-change.ts";

export const viewMutations: readonly Mutation[] = [
  {
    name: "hastened-copy-counts-by-the-hand-off",
    world: "lateCopies",
    breaks: "§5: what is on its way to an owner is waited for, or it may come when the key has moved on",
    edits: [
      {
        file: "src/member/keys/inheritance.ts",
        find: "    if (this.#hastened.has(first)) return;\n    first.missing",
        replace: "    first.missing",
      },
    ],
  },
  {
    name: "settled-without-owners",
    world: "members+crashes",
    breaks: "§5: a view is settled when every owner has what was held; where nobody owns anything, nobody has it",
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
    breaks: "P4: the last owner has everything in the store, and leaves nothing to wait for",
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
    breaks: "§5: a member sends every held entry",
    edits: [
      {
        file: handOff,
        find: "    const record = this.#parts.buffer.get(key);\n    const first = record?.pending[0];\n",
        replace:
          "    const record = this.#parts.buffer.get(key);\n    if (record?.entry && record.entry.value === undefined) return undefined;\n    const first = record?.pending[0];\n",
      },
    ],
  },
  {
    name: "handed-off-when-sent",
    world: "crashes",
    breaks: "§5: a member reports when all has been acknowledged",
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
    breaks: "§5: a member sends every held entry to those owners that may not have it",
    edits: [
      {
        file: handOff,
        find: "      for (const peer of receiversOf(membership.ownersOf(record.key))) parcelFor(peer).keys.push(record.key);\n",
        replace: "      void record;\n",
      },
    ],
  },
  {
    name: "activated-before-all-have-delivered",
    world: "members",
    breaks: "§10: a primary gains tenure when all have delivered",
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
    breaks: "§10: settling needs handedOff from all",
    edits: [
      {
        file: membership,
        find: '    return (this.isOwned || !this.#mayBeHeld()) && this.everyoneHas("handed_off") && this.mayActivate();',
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
    breaks: "§10: an inherited entry becomes visible when every owner has it",
    edits: [
      {
        file: "src/member/keys/inheritance.ts",
        find: "missing: owners.slice(1), needsStore, inherited: true });",
        replace: "missing: [], needsStore, inherited: true });",
      },
    ],
  },
  {
    name: "adoption-reported-before-it-is-journaled",
    world: "scripts",
    breaks: "§5: a member journals that it adopted before it reports anything (⚠)",
    edits: [
      {
        file: viewChange,
        find: "    if (!durable) this.#adopted();\n",
        replace: "    if (view.epoch > 0) this.#adopted();\n",
      },
    ],
  },
  {
    name: "outcomes-forgotten-in-memory-alone",
    world: "crashes",
    breaks: "§5: what does not count any more does not count after another start either",
    edits: [
      {
        file: viewChange,
        find: '    if (forgotten.length > 0) journal.append({ kind: "forget", requests: forgotten });\n',
        replace: "    void forgotten;\n    void journal;\n",
      },
    ],
  },
  {
    name: "adoption-not-journaled",
    world: "power",
    breaks: "§5: a member journals that it adopted, with what it holds (⚠)",
    edits: [{ file: viewChange, find: "    journal.append(adoptionOf(membership));\n", replace: "" }],
  },
  {
    name: "nothing-purged",
    world: "members",
    breaks: "§5: a member purges held entries that are no longer its business (⚠)",
    edits: [
      {
        file: viewChange,
        find: "      if (record.pending.length === 0 && !counts(record.key)) buffer.drop(record);\n",
        replace: "",
      },
      {
        file: "src/member/flush/cleaner.ts",
        find: "      } else if (owners.length > 0 && !owners.includes(membership.self.id)) {\n        buffer.drop(record);\n",
        replace: "",
      },
    ],
  },
  {
    name: "purged-by-views-not-adopted",
    world: "mixed",
    breaks: "§5: an entry is kept if its folder owned the key in some view that it had itself adopted (⚠)",
    edits: [
      { file: membership, find: "this.#adoptedEpochs.has(past.epoch) && ", replace: "" },
      {
        file: "src/member/flush/cleaner.ts",
        find: "      } else if (owners.length > 0 && !owners.includes(membership.self.id)) {\n        buffer.drop(record);\n",
        replace: "",
      },
    ],
  },
  {
    name: "cache-kept-without-tenure",
    world: "members",
    breaks: "§5: without tenure the cached value is dropped (⚠)",
    edits: [
      {
        file: viewChange,
        find: "      if (!membership.serves(key, membership.ownersOf(key))) cache.delete(key);\n",
        replace: "",
      },
    ],
  },
  {
    name: "tenure-kept-although-a-folder-comes-back",
    world: "lateReturns",
    breaks:
      "§5: whoever comes back while the view is unsettled may hold something newer than what was served without it",
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
    breaks: "§4: a store read that was sent before the tenure changed is thrown away (⚠)",
    edits: [{ file: viewChange, find: "    reads.invalidateAll();\n", replace: "" }],
  },
  {
    name: "store-reads-kept-over-a-write",
    world: "swings",
    breaks: "§4: a store read that was sent before the key's state changed is thrown away (⚠)",
    edits: [{ file: "src/member/keys/primary.ts", find: "    reads.invalidate(entry.key);\n", replace: "" }],
  },
  {
    name: "store-read-while-a-write-is-pending",
    world: "forgets",
    breaks: "§4: a store read waits for the outcome of a pending entry (⚠)",
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
    breaks: "§7: the primary of a key in doubt gets no tenure",
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
    breaks: "§7: at settling, lost keeps the views of which some key is still in doubt",
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
    breaks: "§7: what was given up may have written something newer to the store",
    edits: [
      {
        file: viewChange,
        find: ' && membership.progress === "delivered" && !this.#asksStore()) {',
        replace: ' && membership.progress === "delivered") {',
      },
    ],
  },
  {
    name: "given-up-view-forgotten-while-one-is-in-doubt",
    world: "forgets",
    breaks: "§7: who ends a doubt may hold something older than what a view that was given up wrote to the store",
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
    breaks: "§5: a member that finds itself dropped joins again as a new incarnation",
    edits: [
      {
        file: "src/member/member.ts",
        find: "    if (!this.#wired.leaving.begun) observer.onEvicted();\n",
        replace: "",
      },
    ],
  },
];
