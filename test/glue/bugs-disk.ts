/** Planted bugs of the disk under the journal, found by what it asks of the file system. */

import type { GlueBug } from "./glue-bug.ts";

const disk = "src/journal/file-disk.ts";
const diskTest = "test/unit/journal/file-disk.test.ts";

export const diskBugs: readonly GlueBug[] = [
  {
    name: "disk-never-syncs",
    breaks: "J1: FileDisk makes a file's bytes durable when it is asked to.",
    edits: [{ file: disk, find: "    return this.#handle.datasync();", replace: "    return Promise.resolve();" }],
    test: {
      file: diskTest,
      name: "FileDisk writes what is appended at once, and syncs the file's bytes when it is asked to",
      says: /-\s+'datasync a'/,
    },
  },
  {
    name: "disk-appends-later",
    breaks: "J1: FileDisk has written what it was given when it says so.",
    edits: [
      {
        file: disk,
        find: "    this.#size = await this.#writeAt(buffers, this.#size);",
        replace:
          "    const position = this.#size;\n    this.#size += buffers.reduce((bytes, buffer) => bytes + buffer.length, 0);\n    setImmediate(() => void this.#writeAt(buffers, position));",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk writes what is appended at once, and syncs the file's bytes when it is asked to",
      says: /-\s+'writev a'/,
    },
  },
  {
    name: "folder-never-synced",
    breaks: "FileDisk makes the folder's names durable when it is asked to.",
    edits: [{ file: disk, find: "    return syncFolder(this.description);", replace: "    return Promise.resolve();" }],
    test: {
      file: diskTest,
      name: "FileDisk syncs the folder itself when the folder's names are to be durable",
      says: /\+ \[\]\n- \[\n-\s+''/,
    },
  },
  {
    name: "new-folder-not-durable",
    breaks: "FileDisk makes a folder that it has made durable, in the folder above it.",
    edits: [{ file: disk, find: "    await syncFolder(dirname(folder));\n", replace: "" }],
    test: {
      file: diskTest,
      name: "FileDisk makes a new folder durable with all that it made above it, and its name before it tells it",
      says: /-\s+'sync a',\n-\s+'sync '/,
    },
  },
  {
    name: "folder-name-not-synced",
    breaks: "The folder's name is durable in the draft before the draft takes its place.",
    edits: [{ file: disk, find: "  await handle.sync();\n  await rename", replace: "  await rename" }],
    test: {
      file: diskTest,
      name: "FileDisk makes a new folder durable with all that it made above it, and its name before it tells it",
      says: /-\s+'sync a\/b\/folder\.new'/,
    },
  },
  {
    name: "folder-name-not-durable-in-its-folder",
    breaks: "FileDisk tells the folder's name only once it is durable.",
    edits: [
      {
        file: disk,
        find: "  await rename(draft, file);\n  await syncFolder(path);\n",
        replace: "  await rename(draft, file);\n",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk makes a new folder durable with all that it made above it, and its name before it tells it",
      says: /-\s+'sync a\/b'\n/,
    },
  },
  {
    name: "folder-named-anew-at-each-start",
    breaks: "A folder keeps the name that was drawn when it was made.",
    edits: [
      {
        file: disk,
        find: "(await folderNameAt(path)) ?? (age",
        replace: "((await folderNameAt(path)) && random.id()) ?? (age",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk keeps the folder's name, which is drawn once and is another one for each folder",
      says: /\+ '[0-9a-f]{32}'\n- '[0-9a-f]{32}'/,
    },
  },
  {
    name: "short-write-taken-for-whole",
    breaks: "FileDisk writes the rest when the system took a part only.",
    edits: [
      {
        file: disk,
        find: "    if (bytesWritten === total) return position + total;",
        replace: "    if (bytesWritten > 0) return position + total;",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk goes on with an append of which the system took a part only, at the right place",
      says: /\+ '0123456789abcd'/,
    },
  },
  {
    name: "rest-written-at-the-old-place",
    breaks: "FileDisk writes the rest behind the part that the system took.",
    edits: [
      {
        file: disk,
        find: "rest(buffers, bytesWritten), position + bytesWritten",
        replace: "rest(buffers, bytesWritten), position",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk goes on with an append of which the system took a part only, at the right place",
      says: /12 !== 20/,
    },
  },
  {
    name: "rest-begins-anew",
    breaks: "FileDisk writes the rest of the bytes, and not their beginning again.",
    edits: [{ file: disk, find: "    left = Math.max(0, left - buffer.length);", replace: "    left = 0;" }],
    test: {
      file: diskTest,
      name: "FileDisk goes on with an append of which the system took a part only, at the right place",
      says: /!== 20/,
    },
  },
  {
    name: "created-over-a-file",
    breaks: "FileDisk makes no file where one is.",
    edits: [
      {
        file: disk,
        find: 'openFile(this.description, name, "wx+")',
        replace: 'openFile(this.description, name, "w+")',
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk makes only files that are not there, opens only those that are, and leaves their bytes alone",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "opened-file-emptied",
    breaks: "FileDisk leaves the bytes of a file that it opens.",
    edits: [
      { file: disk, find: 'openFile(this.description, name, "r+")', replace: 'openFile(this.description, name, "w+")' },
    ],
    test: {
      file: diskTest,
      name: "FileDisk makes only files that are not there, opens only those that are, and leaves their bytes alone",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "appends-at-the-beginning",
    breaks: "FileDisk appends at the file's end.",
    edits: [{ file: disk, find: "(await handle.stat()).size", replace: "0" }],
    test: {
      file: diskTest,
      name: "FileDisk makes only files that are not there, opens only those that are, and leaves their bytes alone",
      says: /0 !== 4/,
    },
  },
  {
    name: "read-from-the-beginning",
    breaks: "FileDisk reads the bytes from the offset on.",
    edits: [{ file: disk, find: "length - done, offset + done", replace: "length - done, done" }],
    test: {
      file: diskTest,
      name: "FileDisk makes only files that are not there, opens only those that are, and leaves their bytes alone",
      says: /'kep' !== 'and'/,
    },
  },
  {
    name: "rewritten-at-the-end",
    breaks: "J1: FileDisk writes bytes once more where they already are.",
    edits: [
      {
        file: disk,
        find: "    await this.#writeAt([bytes], offset);",
        replace: "    await this.#writeAt([bytes], this.#size);",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk rewrites bytes where they are, and the file is as long as before",
      says: /\+ '0123456789'\n- '01ab456789'/,
    },
  },
  {
    name: "rewriting-changes-the-size",
    breaks: "J1: A file is as long as before when bytes in it are written once more.",
    edits: [
      {
        file: disk,
        find: "    await this.#writeAt([bytes], offset);",
        replace: "    this.#size = await this.#writeAt([bytes], offset);",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk rewrites bytes where they are, and the file is as long as before",
      says: /4 !== 10/,
    },
  },
  {
    name: "size-kept-after-the-cut",
    breaks: "FileDisk appends where it has cut the file off.",
    edits: [
      {
        file: disk,
        find: "    await this.#handle.truncate(size);\n    this.#size = size;",
        replace: "    await this.#handle.truncate(size);",
      },
    ],
    test: { file: diskTest, name: "FileDisk cuts a file off, and appends from there", says: /10 !== 3/ },
  },
  {
    name: "short-read-taken-for-whole",
    breaks: "FileDisk gives all bytes that were asked for, or none.",
    edits: [
      {
        file: disk,
        find: "if (bytesRead === 0) throw",
        replace: "if (bytesRead === 0) break;\n      if (bytesRead < 0) throw",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk cuts a file off, and appends from there",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "removal-left-out",
    breaks: "FileDisk removes the file that it is told to.",
    edits: [
      {
        file: disk,
        find: "    await unlink(",
        replace: "    await access(",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk lists the names that are there, whoever made them, and removes the one that it is told",
      says: /!names\.includes\("a"\)/,
    },
  },
  {
    name: "failed-sync-passed-over",
    breaks: "J8: FileDisk fails when a sync does.",
    edits: [
      {
        file: disk,
        find: "    return this.#handle.datasync();",
        replace: "    return this.#handle.datasync().catch(() => undefined);",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk fails with the system's error when any call does, and says nothing else",
      says: /Missing expected rejection: \/\^datasync a\//,
    },
  },
  {
    name: "failed-folder-sync-passed-over",
    breaks: "FileDisk fails when the sync of the folder does.",
    edits: [
      {
        file: disk,
        find: "    return syncFolder(this.description);",
        replace: "    return syncFolder(this.description).catch(() => undefined);",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk fails with the system's error when any call does, and says nothing else",
      says: /Missing expected rejection: \/\^sync \$\//,
    },
  },
  {
    name: "another-folder-changed",
    breaks: "J12: A file is made or removed only while the path leads to the process's own folder.",
    edits: [{ file: disk, find: "!== this.#place) throw", replace: '=== "") throw' }],
    test: {
      file: diskTest,
      name: "FileDisk makes and removes nothing in another folder that has come into the place of its own (J12)",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-not-locked",
    breaks: "J9: One owner at a time has a data folder.",
    edits: [{ file: disk, find: "    if (lock === undefined) {", replace: "    if (lock === null) {" }],
    test: {
      file: diskTest,
      name: "FileDisk is for one owner at a time, also where opening it failed half-way",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "lock-kept-after-the-end",
    breaks: "J9: A data folder is free once its owner lets it go.",
    edits: [
      {
        file: disk,
        find: "  async [Symbol.asyncDispose](): Promise<void> {\n    this.#lock[Symbol.dispose]();\n",
        replace: "  async [Symbol.asyncDispose](): Promise<void> {\n",
      },
    ],
    test: {
      file: diskTest,
      name: "FileDisk keeps the folder's name, which is drawn once and is another one for each folder",
      says: /another process uses the data folder/,
    },
  },
  {
    name: "lock-kept-after-a-failed-start",
    breaks: "J9: A data folder that could not be opened is free.",
    edits: [{ file: disk, find: "      lock[Symbol.dispose]();\n      throw error;", replace: "      throw error;" }],
    test: {
      file: diskTest,
      name: "FileDisk is for one owner at a time, also where opening it failed half-way",
      says: /another process uses the data folder/,
    },
  },
  {
    name: "turn-not-waited-for",
    breaks: "FileDisk calls back once the turn of the event loop is over.",
    edits: [{ file: disk, find: "    setImmediate(callback);", replace: "    queueMicrotask(callback);" }],
    test: {
      file: diskTest,
      name: "FileDisk calls back after the turn of the event loop, and not within it",
      says: /\+\s+'after',\n\s+'within'/,
    },
  },
];
