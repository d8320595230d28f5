/** Planted bugs of flushing: what keeps the object in the store from going back, and from being forgotten. */

import type { Mutation } from "./mutate.ts";

const flusher = "src/member/flush/flusher.ts";
const flushSteps = "src/member/flush/flush-steps.ts";
const flight = "src/member/flush/flight.ts";
const cleaner = "src/member/flush/cleaner.ts";
const membership = "src/core/membership.ts";

export const storeMutations: readonly Mutation[] = [
  {
    name: "no-delay-after-gaining-tenure",
    world: "lateFlushes",
    breaks: "F5: what was gained with a new tenure is not flushed for F",
    edits: [
      {
        file: membership,
        find: "this.#tenure.activate(allHere && allQuiet ? Number.NEGATIVE_INFINITY : now + parameters.flushDeadlineMs);",
        replace: "this.#tenure.activate(Number.NEGATIVE_INFINITY);",
      },
    ],
  },
  {
    name: "no-delay-though-a-predecessor-is-gone",
    world: "lateFlushes",
    breaks: "F6: only predecessors that are there can say that they have no request under way",
    edits: [
      {
        file: membership,
        find: "this.#tenure.activate(allHere && allQuiet ?",
        replace: "this.#tenure.activate(allQuiet ?",
      },
    ],
  },
  {
    name: "no-delay-though-a-predecessor-is-not-quiet",
    world: "lateFlushes",
    breaks: "F6: the wait is left out only if every predecessor says that it has no request under way",
    edits: [
      {
        file: membership,
        find: "this.#tenure.activate(allHere && allQuiet ?",
        replace: "this.#tenure.activate(allHere ?",
      },
    ],
  },
  {
    name: "no-delay-though-one-is-gone-that-gave-its-keys-away",
    world: "lateFlushes",
    breaks: "F6: until a view is settled, one that owned something in the view before has to say that it is quiet",
    test: {
      file: "test/unit/core/membership-tenure.test.ts",
      name: "flushes at once when one is gone that has owned nothing since the last settled view, F later before that",
      says: /-Infinity/,
    },
    edits: [
      { file: membership, find: "...lineage.flatMap(votersOf)", replace: "...lineage.slice(-1).flatMap(votersOf)" },
    ],
  },
  {
    name: "no-delay-though-one-is-gone-that-a-lost-view-names",
    world: "lateFlushes",
    breaks: "F6: those of lost views have to say that they are quiet, too",
    test: {
      file: "test/unit/core/membership-tenure.test.ts",
      name: "flushes F after activation when a lost view alone names one that is gone",
      says: /-Infinity/,
    },
    edits: [{ file: membership, find: "...lost.flatMap((past) => past.members), ", replace: "" }],
  },
  {
    name: "no-delay-of-what-a-folder-brings-back-to-the-same-ring",
    world: "lateFlushes",
    breaks: "F5: what a folder may bring that is back begins a new tenure, though each key keeps its primary",
    test: {
      file: "test/unit/core/membership-tenure.test.ts",
      name: "flushes F after activation what a folder may bring that is back, though each key has the primary that it had",
      says: /-Infinity/,
    },
    edits: [{ file: "src/core/tenure.ts", find: "if (isAnew !== undefined || before", replace: "if (before" }],
  },
  {
    name: "no-delay-after-any-view-but-the-first",
    world: "lateFlushes",
    breaks: "F5: a view that leaves each key at its primary gives no new tenure, any other one does",
    edits: [
      {
        file: "src/core/tenure.ts",
        find: "return ring.name === name ||",
        replace: 'return ring.name !== "" || name === "" ||',
      },
    ],
  },
  {
    name: "flushes-unconditionally",
    world: "store",
    breaks: "F2: each request to the store has a condition",
    edits: [
      {
        file: flight,
        find: '  return store.kind === "present" ? { kind: "unchanged", tag: store.tag } : { kind: "absent" };',
        replace: '  return store.kind === "present" ? { kind: "always" } : { kind: "always" };',
      },
    ],
  },
  {
    name: "requests-of-unknown-outcome-forgotten",
    world: "store",
    breaks: "F3: a request whose outcome is unknown blocks other versions of its key until F after it",
    edits: [
      {
        file: flight,
        find: "if (mayHaveEffect(error)) this.#open.add",
        replace: "if (this.#stopped) this.#open.add",
      },
    ],
  },
  {
    name: "older-version-sent-after-a-newer",
    world: "forgets",
    breaks: "F7: a version older than one that was sent is never sent",
    edits: [
      {
        file: "src/core/key-state.ts",
        find: "    return this.#lastSent !== undefined && compareVersions(version, this.#lastSent) < 0;",
        replace: "    return this.#lastSent !== undefined && compareVersions(version, this.#lastSent) < -1e9;",
      },
    ],
  },
  {
    name: "write-through-clean-at-once",
    world: "store",
    breaks: "F11: a write-through is read back before it is clean",
    test: {
      file: "test/unit/member/flush/flusher-proof.test.ts",
      name: "a write-through is in the store for good only when no earlier request can have come between it and its answer",
      says: /it is not there any more/,
    },
    edits: [
      {
        file: flusher,
        find: "    const unproven = flushFrom > now || this.#open.otherUntil(record.key, entry, now) !== undefined; // F12\n",
        replace: "    const unproven = flushFrom < 0 && now < 0;\n",
      },
    ],
  },
  {
    name: "clean-before-the-view-is-settled",
    world: "members+pauses",
    breaks: "F13: an entry becomes clean only in a settled view",
    edits: [
      {
        file: cleaner,
        find: "    if (!membership.settled || record.pending.length > 0",
        replace: "    if (record.pending.length > 0",
      },
      { file: "src/member/keys/replica.ts", find: "    if (!membership.settled) throw wrongView();\n", replace: "" },
    ],
  },
  {
    name: "replicas-never-told-to-forget",
    world: "links",
    breaks: "F14: the other owners are told what is clean, again and again",
    edits: [
      {
        file: cleaner,
        find: '      if (answer.kind !== "ack") again();\n    }, again);',
        replace: '      if (answer.kind !== "ack") again();\n    }, () => undefined);',
      },
    ],
  },
  {
    name: "replica-forgets-newer-versions",
    world: "losses",
    breaks: "F15: an owner removes the version that it is told of and older ones, never a newer one",
    edits: [
      {
        file: "src/member/keys/replica.ts",
        find: "      if (compareVersions(record.entry, version) <= 0) buffer.remove(record);",
        replace: "      if (compareVersions(record.entry, version) < 1e9) buffer.remove(record);",
      },
    ],
  },
  {
    name: "newer-in-the-store-ignored",
    world: "forgets",
    breaks: "F9: a newer version in the store becomes the key's next write",
    edits: [
      {
        file: "src/member/flush/store-look.ts",
        find: "    if (order > 0 && isNewer(found, record.newest)) return await this.#takeOver(flight);\n",
        replace: "",
      },
    ],
  },
  {
    name: "conflict-taken-for-done",
    world: "store",
    breaks: "F8: when a condition does not hold, an older version in the store is written over",
    edits: [
      {
        file: flushSteps,
        find: '      if (found === "same") {\n',
        replace: '      if (found === "same" || found === "older") {\n',
      },
    ],
  },
  {
    name: "delete-left-out",
    world: "lateFlushes",
    breaks: "F10: a delete looks whether there is nothing to delete, however sure that seems",
    edits: [
      {
        file: flushSteps,
        find: "      const result = isUnseen ? unseen : ",
        replace:
          '      if (isUnseen && before.kind === "absent") return this.#arrived(flight);\n      const result = isUnseen ? unseen : ',
      },
    ],
  },
  {
    name: "cleaned-entries-not-journaled",
    world: "failures",
    breaks: "J3: that an entry is not held any more is a record, too",
    edits: [
      {
        file: "src/core/write-buffer.ts",
        find: '    this.#log.append({ kind: "clean", key, version: versionOf(entry) });\n',
        replace: "",
      },
    ],
  },
  {
    name: "durable-before-the-sync",
    world: "power",
    breaks: "J1: nothing is confirmed before it has been synced",
    edits: [
      {
        file: "src/journal/segment-files.ts",
        find: "    await this.#file.append(batch.buffers());\n    await this.#file.sync();\n",
        replace: "    await this.#file.append(batch.buffers());\n",
      },
    ],
  },
];
