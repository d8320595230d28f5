/** Planted bugs of flushing: what keeps the object in the store from going back, and from being forgotten. */

import type { Mutation } from "./mutate.ts";

const flusher = "src/member/flush/flusher.ts";
const flight = "src/member/flush/flight.ts";
const cleaner = "src/member/flush/cleaner.ts";
const membership = "src/core/membership.ts";

export const storeMutations: readonly Mutation[] = [
  {
    name: "no-delay-after-gaining-tenure",
    world: "lateFlushes",
    breaks: "§6: after gaining tenure, no flush of that key for F (⚠)",
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
    breaks: "§6: only predecessors that are there can say that they have no request under way",
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
    breaks: "§6: a predecessor may have a request under way",
    edits: [
      {
        file: membership,
        find: "this.#tenure.activate(allHere && allQuiet ?",
        replace: "this.#tenure.activate(allHere ?",
      },
    ],
  },
  {
    name: "flushes-unconditionally",
    world: "store",
    breaks: "§6: each flush is one conditional request",
    edits: [
      {
        file: "src/member/flush/store-condition.ts",
        find: '  return store.kind === "present" ? { kind: "unchanged", tag: store.tag } : { kind: "absent" };',
        replace: '  return store.kind === "present" ? { kind: "always" } : { kind: "always" };',
      },
    ],
  },
  {
    name: "requests-of-unknown-outcome-forgotten",
    world: "store",
    breaks:
      "§6: a request with an unknown outcome blocks flushes of other versions of the key until F after it was sent (⚠)",
    edits: [{ file: flight, find: "        open.add(entry.key, entry, now + deadlineMs, now);\n", replace: "" }],
  },
  {
    name: "older-version-sent-after-a-newer",
    world: "forgets",
    breaks: "§6: a version lower than one already sent is never sent",
    edits: [
      {
        file: "src/core/write-buffer.ts",
        find: "    return this.lastSent !== undefined && compareVersions(version, this.lastSent) < 0;",
        replace: "    return this.lastSent !== undefined && compareVersions(version, this.lastSent) < -1e9;",
      },
    ],
  },
  {
    name: "write-through-clean-at-once",
    world: "store",
    breaks: "§6: the entry of a write-through stays dirty until it was read back (⚠)",
    edits: [
      {
        file: flusher,
        find: "    const unproven = flushFrom > beganAt || this.#open.otherUntil(record.key, entry, beganAt) !== undefined;\n",
        replace: "    const unproven = flushFrom < 0 && beganAt < 0;\n",
      },
    ],
  },
  {
    name: "clean-before-the-view-is-settled",
    world: "members+pauses",
    breaks: "§6: only in a settled view may a flushed entry become clean (⚠)",
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
    breaks: "§6: Clean is sent to the replicas, repeated after a reconnect",
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
    breaks: "§6: replicas drop that version or older",
    edits: [
      {
        file: "src/member/keys/replica.ts",
        find: "      if (compareVersions(record.entry, version) <= 0) buffer.drop(record);",
        replace: "      if (compareVersions(record.entry, version) < 1e9) buffer.drop(record);",
      },
    ],
  },
  {
    name: "newer-in-the-store-ignored",
    world: "forgets",
    breaks: "§10: a newer version in the store is taken as an entry of its version",
    edits: [
      {
        file: "src/member/flush/store-look.ts",
        find: "    if (order > 0 && isNewer(found, record.newest)) return await this.#takeOver(look);\n",
        replace: "",
      },
    ],
  },
  {
    name: "conflict-taken-for-done",
    world: "store",
    breaks: "§6: on 412 the object's metadata is read",
    edits: [
      {
        file: flusher,
        find: '      if (found === "same") {\n',
        replace: '      if (found === "same" || found === "older") {\n',
      },
    ],
  },
  {
    name: "delete-left-out",
    world: "lateFlushes",
    breaks: "ARCHITECTURE: a delete is always sent, however sure it seems that there is nothing to delete",
    edits: [
      {
        file: flight,
        find: "      if (value === undefined) return store.remove(key, removeCondition(record), options);\n",
        replace:
          '      if (value === undefined && record.store.kind === "absent") return Promise.resolve({ kind: "written" as const, tag: "" });\n      if (value === undefined) return store.remove(key, removeCondition(record), options);\n',
      },
    ],
  },
  {
    name: "cleaned-entries-not-journaled",
    world: "failures",
    breaks: "§10: Clean is a journal record",
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
    breaks: "§7: a group of appends shares one fdatasync before any is confirmed",
    edits: [
      {
        file: "src/journal/segment-files.ts",
        find: "    await this.#file.sync();\n  }\n\n  /** Deletes",
        replace: "  }\n\n  /** Deletes",
      },
    ],
  },
];
