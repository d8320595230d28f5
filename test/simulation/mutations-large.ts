/** Planted bugs of large values: what an upload needs before it is completed, and what becomes of one that is not. */

import type { Mutation } from "./mutate.ts";

const keyState = "src/core/key-state.ts";
const flusher = "src/member/flush/flusher.ts";

const pendingWrite = "src/core/pending-write.ts";

export const largeMutations: readonly Mutation[] = [
  {
    name: "large-answered-before-it-is-completed",
    world: "large",
    breaks: "L1: a reference commits when the store has completed its upload",
    edits: [
      {
        file: pendingWrite,
        find: "isShort || entry.upload !== undefined || (fromStore",
        replace: "isShort || (fromStore",
      },
    ],
  },
  {
    name: "large-completed-before-the-replicas-have-it",
    world: "large+scripts",
    breaks: "L2: an upload is completed when all owners have its reference",
    edits: [
      {
        file: keyState,
        find: '      return first.isHeldByAll ? { kind: "complete", entry: first.entry } : undefined; // L2\n',
        replace: '      return { kind: "complete", entry: first.entry };\n',
      },
      {
        file: keyState,
        find: '    if (!first?.isHeldByAll) return "waits";\n',
        replace: '    if (!first || !(first.isHeldByAll || first.entry.upload)) return "waits";\n',
      },
    ],
  },
  {
    name: "large-completed-while-other-requests-may-land",
    world: "large+scripts",
    breaks: "L4: an upload is completed when no other request for its key can take effect any more",
    test: {
      file: "test/unit/member/flush/flusher-completion.test.ts",
      name: "completes it when no other request for its key is likely to land any more",
      says: /the first request for A may land yet/,
    },
    edits: [
      {
        file: flusher,
        find: 'const from = kind === "write_through" ? now',
        replace: 'const from = kind === "write_through" || kind === "complete" ? now',
      },
    ],
  },
  {
    name: "large-assigned-before-the-earlier-state-is-flushed",
    world: "large+losses",
    breaks: "L3: a reference is assigned when the store has the key's earlier state",
    edits: [
      {
        file: "src/member/keys/conditional-write.ts",
        find: "        if (upload && record?.dirty) {\n",
        replace: "        if (upload && record?.dirty && !upload) {\n",
      },
    ],
  },
  {
    name: "large-inherited-is-taken-for-completed",
    world: "large+scripts",
    breaks: "L5: a member that inherits a reference asks the store whether it was completed",
    edits: [
      {
        file: pendingWrite,
        find: "const asksStore = entry.upload !== undefined || wasForgotten",
        replace: "const asksStore = wasForgotten",
      },
    ],
  },
  {
    name: "large-refused-keeps-its-key",
    world: "large",
    breaks: "L7: an upload that the store refuses to complete is lost, and later writes go on",
    edits: [
      {
        file: "src/member/flush/flight.ts",
        find: '      if (!isOperatingError(error, "store_refused")) throw error;\n',
        replace: "      throw error;\n",
      },
    ],
  },
  {
    name: "large-lost-answered-as-done-to-a-repeat",
    world: "large",
    breaks: "L8: a repeat of a write by reference is done only if the object has its token",
    edits: [
      {
        file: "src/member/keys/repeats.ts",
        find: "upload && !discards ? await this.#upload(key, version, upload) : written",
        replace: 'upload && !discards ? written({ ...version, tag: "" }) : written',
      },
    ],
  },
  {
    name: "large-read-as-deleted",
    world: "large",
    breaks: "L9: a reference is no tombstone",
    edits: [
      {
        file: "src/member/keys/read-path.ts",
        find: "    return entry && !entry.upload ? entry : this.#context.cache.get(key);",
        replace: "    return entry ?? this.#context.cache.get(key);",
      },
    ],
  },
];
