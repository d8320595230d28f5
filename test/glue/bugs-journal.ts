/** Planted bugs of the journal on a disk. */

import type { GlueBug } from "./glue-bug.ts";

const journal = "src/journal/file-journal.ts";
const segments = "src/journal/segment-files.ts";
const batch = "src/journal/batch.ts";
const head = "src/journal/segment-head.ts";
const replay = "src/journal/replay.ts";
const lateEffects = "src/core/late-effects.ts";
const crashTest = "test/unit/journal/journal-crash.test.ts";
const failureTest = "test/unit/journal/journal-failure.test.ts";
const waitingTest = "test/unit/journal/journal-waiting.test.ts";
const lifeTest = "test/unit/journal/journal-life.test.ts";
const turnsTest = "test/unit/journal/journal-turns.test.ts";

export const journalBugs: readonly GlueBug[] = [
  {
    name: "segment-may-be-shorter-than-its-head",
    breaks: "J10: A segment is at least four times as long as what it repeats, so heads never take most of the disk.",
    edits: [
      {
        file: "src/journal/compaction.ts",
        find: "    return Math.max(this.#limits.segmentBytes, headFactor * this.#head.bytes);",
        replace: "    return this.#limits.segmentBytes;",
      },
    ],
    test: {
      file: turnsTest,
      name: "heads that are longer than a segment leave the disk within twice what is held and two segments",
      says: /bytes on disk, \d+ held, bound/,
    },
  },
  {
    name: "heads-not-counted",
    breaks: "J10: What segments repeat counts in the bytes that the journal says it takes.",
    edits: [
      {
        file: journal,
        find: "    const diskBytes = bytes + headBytes;",
        replace: "    const diskBytes = bytes + 0 * headBytes;",
      },
    ],
    test: {
      file: turnsTest,
      name: "heads that are longer than a segment leave the disk within twice what is held and two segments",
      says: /all that is on the disk is counted/,
    },
  },
  {
    name: "journal-failure-not-told",
    breaks: "J8: A journal that has failed tells its owner.",
    edits: [
      {
        file: journal,
        find: "    this.#parts.onFailed(isOfDisk ? diskFailure(this.#parts.disk.description, error) : (error as Error));",
        replace: '    this.#parts.log.error("the journal has failed", { error });',
      },
    ],
    test: { file: failureTest, name: "a segment that can't be deleted is a failure of the disk", says: /0 !== 1/ },
  },
  {
    name: "position-told-before-it-is-durable",
    breaks: "V62: A journal's position is what is durable of it, so an honest disk is never behind it.",
    edits: [
      {
        file: journal,
        find: "    return this.#position;",
        replace: "    return { segment: this.#ledger.newest, offset: this.#offset + (this.#filling?.bytes ?? 0) };",
      },
    ],
    test: {
      file: lifeTest,
      name: "a journal's position is what is durable of it, and the next life begins there: with a torn tail, too",
      says: /nothing is durable yet/,
    },
  },
  {
    name: "failed-journal-confirms",
    breaks: "J8: A journal that has failed confirms nothing more.",
    edits: [
      {
        file: journal,
        find: "    if (this.#isFailed || this.#isClosing) return this.#never;",
        replace: "    if (this.#isFailed || this.#isClosing) return undefined;",
      },
    ],
    test: {
      file: crashTest,
      name: "after a failed sync nothing is confirmed, and its owner is told once",
      says: /nothing is said to be durable/,
    },
  },
  {
    name: "head-cut-at-the-end",
    breaks: "J5: A journal that ends while a segment repeats outcomes writes the rest of them.",
    edits: [
      {
        file: head,
        find: "    this.#repeat(batch, Number.POSITIVE_INFINITY);",
        replace: "    this.#rest = undefined;",
      },
    ],
    test: {
      file: turnsTest,
      name: "a journal that ends while a segment repeats outcomes has all of them",
      says: /!== 50001/,
    },
  },
  {
    name: "first-outcomes-repeated-alone",
    breaks: "J5: What a segment repeats makes up for all segments before it.",
    edits: [
      {
        file: head,
        find: "        left -= countOf(next.value);",
        replace: "        left -= countOf(next.value);\n        if (left <= 0) this.#rest = undefined;",
      },
    ],
    test: {
      file: turnsTest,
      name: "a segment repeats very many outcomes in short turns, and all of them",
      says: /in one turn|!== 50001/,
    },
  },
  {
    name: "head-repeated-in-one-turn",
    breaks: "J5: A segment repeats very many outcomes in short turns: while one lasts no ping is answered.",
    edits: [
      {
        file: head,
        find: "    this.#repeat(batch, this.#atOnce);",
        replace: "    this.#repeat(batch, Number.POSITIVE_INFINITY);",
      },
    ],
    test: {
      file: turnsTest,
      name: "a segment repeats very many outcomes in short turns, and all of them",
      says: /5000\d in one turn/,
    },
  },
  {
    name: "late-effects-repeated-in-one-turn",
    breaks: "F25: A segment repeats very many conditions in short turns: while one lasts no ping is answered.",
    edits: [
      {
        file: head,
        find: "        left -= countOf(next.value);",
        replace: '        if (next.value.kind === "outcomes") left -= countOf(next.value);',
      },
    ],
    test: {
      file: turnsTest,
      name: "a segment repeats very many conditions in short turns, and all of them",
      says: /5000\d in one turn/,
    },
  },
  {
    name: "late-effects-counted-by-key",
    breaks: "F25: A segment repeats very many conditions in short turns, however many each key has.",
    edits: [{ file: head, find: "1 + record.conditions.length", replace: "1" }],
    test: {
      file: turnsTest,
      name: "keys with many conditions each are fewer in one turn",
      says: /1638\d in one turn/,
    },
  },
  {
    name: "late-effects-repeated-as-they-were",
    breaks: "F25: What is forgotten while a segment repeats conditions does not come back with the next start.",
    edits: [
      {
        file: lateEffects,
        find: "    for (const [key, late] of this.#keys) yield recordOf",
        replace: "    for (const [key, late] of [...this.#keys]) yield recordOf",
      },
    ],
    test: {
      file: "test/unit/core/late-effects.test.ts",
      name: "are told to a journal as they are when their turn comes",
      says: /late3/,
    },
  },
  {
    name: "former-owner-asked-for-the-head",
    breaks: "J5, V37: What a member has forgotten is not repeated from the member before it.",
    edits: [{ file: journal, find: "    this.#head.goOnWith(source);\n", replace: "" }],
    test: {
      file: turnsTest,
      name: "another owner that comes while a segment repeats what counts is asked for all of it",
      says: /0 repeated/,
    },
  },
  {
    name: "group-in-one-writer",
    breaks: "J5: A segment repeats very many conditions in short turns: while one lasts no ping is answered.",
    edits: [{ file: batch, find: "    if (this.#writer.length >= writerBytes) this.#turnOver();\n", replace: "" }],
    test: {
      file: "test/unit/journal/batch.test.ts",
      name: "a group of very many records grows without a step that moves them all, and all are in it",
      says: /bytes in one step/,
    },
  },
  {
    name: "full-writer-without-its-values",
    breaks: "J2: A group has all of its records, in their order.",
    edits: [
      {
        file: batch,
        find: "    for (const buffer of this.#cut()) this.#full.push(buffer);\n",
        replace: "    this.#full.push(this.#writer.buffer.subarray(0, this.#writer.length));\n",
      },
    ],
    test: {
      file: "test/unit/journal/batch.test.ts",
      name: "a group of very many records grows without a step that moves them all, and all are in it",
      says: /\+ \d{8}\n- \d{8}/,
    },
  },
  {
    name: "found-entries-in-one-array",
    breaks: "J4: A start holds very many entries after short turns: while one lasts no ping is answered.",
    edits: [
      {
        file: replay,
        find: "const entries = new PartedList<Entry>();",
        replace: "const entries: Entry[] = [];",
      },
    ],
    test: {
      file: "test/unit/journal/replay-turns.test.ts",
      name: "very many entries, outcomes and conditions are found without a turn that moves them all",
      says: /\d{7} bytes in one turn/,
    },
  },
  {
    name: "failed-sync-confirmed",
    breaks: "J8: A group is confirmed once it is synced, and only then.",
    edits: [
      {
        file: journal,
        find: "      }\n    } catch (error) {\n      this.#fail(error);\n    } finally {",
        replace:
          "      }\n    } catch (error) {\n      this.#writing?.confirm();\n      this.#fail(error);\n    } finally {",
      },
    ],
    test: {
      file: crashTest,
      name: "after a failed sync nothing is confirmed, and its owner is told once",
      says: /\+\s+1\n/,
    },
  },
  {
    name: "closed-journal-confirms",
    breaks: "What is appended after the journal's end is never confirmed.",
    edits: [
      {
        file: journal,
        find: "    if (this.#isFailed || this.#isClosing) return this.#never;",
        replace: "    if (this.#isFailed) return this.#never;",
      },
    ],
    test: { file: waitingTest, name: "what comes after the journal's end is confirmed never", says: /true !== false/ },
  },
  {
    name: "written-segment-not-synced",
    breaks: "J1: The bytes of a group are synced before it is confirmed.",
    edits: [
      {
        file: segments,
        find: "    await this.#file.append(batch.buffers());\n    await this.#file.sync();\n",
        replace: "    await this.#file.append(batch.buffers());\n    void this.#file.sync();\n",
      },
    ],
    test: {
      file: lifeTest,
      name: "a journal over real files asks for each sync that its promises need, in the right order",
      says: /'datasync 1'/,
    },
  },
  {
    name: "new-segment-not-durable",
    breaks: "J1: A segment's name is durable before anything in it is confirmed.",
    edits: [
      {
        file: segments,
        find: "    this.#number = number;\n    await this.#disk.syncFolder();\n",
        replace: "    this.#number = number;\n",
      },
    ],
    test: {
      file: lifeTest,
      name: "a journal over real files asks for each sync that its promises need, in the right order",
      says: /'open 2 wx\+',\n-\s+'sync'/,
    },
  },
  {
    name: "first-segment-not-durable",
    breaks: "J1: The first segment's name is durable before anything in it is confirmed.",
    edits: [{ file: journal, find: "      await disk.syncFolder();\n", replace: "" }],
    test: {
      file: lifeTest,
      name: "a journal over real files asks for each sync that its promises need, in the right order",
      says: /'open 1 wx\+',\n-\s+'sync'/,
    },
  },
  {
    name: "deletion-not-durable",
    breaks: "J6: A segment is gone for good before the next one goes.",
    edits: [
      {
        file: segments,
        find: "          await this.#disk.remove(segmentName(number));\n          await this.#disk.syncFolder();\n",
        replace: "          await this.#disk.remove(segmentName(number));\n",
      },
    ],
    test: {
      file: lifeTest,
      name: "a journal over real files asks for each sync that its promises need, in the right order",
      says: /'unlink 1',\n-\s+'sync'/,
    },
  },
  {
    name: "found-writes-not-secured",
    breaks: "J1: What a process finds is durable before it tells of it.",
    edits: [{ file: replay, find: "        await secure(disk, file, scan);\n", replace: "" }],
    test: {
      file: lifeTest,
      name: "a journal over real files asks for each sync that its promises need, in the right order",
      says: /-\s+'writev 2',\n-\s+'datasync 2'/,
    },
  },
  {
    name: "torn-tail-kept",
    breaks: "J7: A torn tail is cut off before anything is appended.",
    edits: [{ file: replay, find: "  await file.truncate(scan.end);\n", replace: "" }],
    test: {
      file: lifeTest,
      name: "a torn tail of a real file is cut off, and what is appended then is there in the next life",
      says: /is damaged at byte/,
    },
  },
  {
    name: "last-group-lost-at-the-end",
    breaks: "A journal writes what was appended before it ends.",
    edits: [
      {
        file: journal,
        find: "    this.#timer?.cancel();\n    this.#start();\n    await this.#run;",
        replace: "    this.#timer?.cancel();\n    await this.#run;",
      },
    ],
    test: {
      file: waitingTest,
      name: "what was appended in the turn of the journal's end is there in the next life",
      says: /-\s+'a'/,
    },
  },
];
