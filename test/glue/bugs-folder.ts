/** Planted bugs of the store in a folder. */

import type { GlueBug } from "./glue-bug.ts";

const folder = "src/store/folder/file-store.ts";
const locks = "src/store/folder/file-locks.ts";
const durable = "src/store/folder/durable-files.ts";
const uploads = "src/store/folder/file-uploads.ts";
const lookup = "src/store/folder/file-lookup.ts";
const metadata = "src/store/folder/file-metadata.ts";
const conditionsTest = "test/unit/store/folder/file-conditions.test.ts";
const conformance = "test/conformance/file-store.test.ts";
const durabilityTest = "test/unit/store/folder/file-durability.test.ts";
const locksTest = "test/unit/store/folder/file-locks.test.ts";

export const folderBugs: readonly GlueBug[] = [
  {
    name: "folder-ignores-the-condition",
    breaks: "F2: FileStore replaces only what the condition allows.",
    edits: [
      {
        file: folder,
        find: '    const found = await this.#lookup.find(paths, undefined, limits.giveUpAt);\n    if (!holds(condition, found)) return { kind: "conflict" };\n',
        replace: "    const found = await this.#lookup.find(paths, undefined, limits.giveUpAt);\n",
      },
    ],
    test: {
      file: conditionsTest,
      name: "FileStore writes under a condition only where it holds, and changes nothing where it does not",
      says: /absent/,
    },
  },
  {
    name: "folder-ignores-the-tag",
    breaks: "F2: FileStore compares the tag.",
    edits: [
      { file: folder, find: "  return found?.info.tag === condition.tag;", replace: "  return found !== undefined;" },
    ],
    test: {
      file: conditionsTest,
      name: "FileStore writes under a condition only where it holds, and changes nothing where it does not",
      says: /unchanged/,
    },
  },
  {
    name: "folder-removes-in-any-case",
    breaks: "F2: FileStore removes only what the condition allows.",
    edits: [
      {
        file: folder,
        find: '        if (!holds(condition, found)) return { kind: "conflict" };\n        if (found',
        replace: "        if (found",
      },
    ],
    test: {
      file: conditionsTest,
      name: "FileStore removes under a condition only where it holds, and changes nothing where it does not",
      says: /absent/,
    },
  },
  {
    name: "folder-writes-without-a-lock",
    breaks: "Of several writers with one condition one wins.",
    edits: [
      {
        file: folder,
        find: "        return await this.#locks.hold(name, limits.giveUpAt, () =>\n          this.#replace(name, temporary, state, condition, limits),\n        );",
        replace: "        return await this.#replace(name, temporary, state, condition, limits);",
      },
    ],
    test: {
      file: conformance,
      name: "lets exactly one of 20 writers win with the condition absent, in each of 10 rounds",
      says: /\d+ writers won/,
    },
  },
  {
    name: "folder-changes-without-consent",
    breaks: "F1: FileStore asks for the caller's consent before it changes anything.",
    edits: [{ file: folder, find: "    authorize?.();\n    if (this.#clock", replace: "    if (this.#clock" }],
    test: {
      file: conformance,
      name: "asks whether it may go on before anything is sent, and rejects with what that throws, without an effect",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-reads-without-consent",
    breaks: "FileStore asks for the caller's consent before it reads.",
    edits: [{ file: folder, find: "      authorize?.();\n      const found", replace: "      const found" }],
    test: {
      file: conformance,
      name: "asks whether it may go on before anything is sent, and rejects with what that throws, without an effect",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-changes-after-the-deadline",
    breaks: "F4: FileStore changes nothing once the deadline is over.",
    edits: [{ file: folder, find: "    if (this.#clock.now() >= giveUpAt) {", replace: "    if (giveUpAt < 0) {" }],
    test: {
      file: conformance,
      name: "changes nothing when its time runs out between the caller's consent and the change",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-body-not-durable",
    breaks: "FileStore answers once the body is durable.",
    edits: [
      {
        file: durable,
        find: "  await handle.writeFile(bytes);\n  await handle.sync();\n",
        replace: "  await handle.writeFile(bytes);\n",
      },
    ],
    test: { file: durabilityTest, name: "a file is made with what is in it", says: /-\s+'a'/ },
  },
  {
    name: "folder-name-of-a-blob-not-durable",
    breaks: "FileStore answers once the blob's name is durable.",
    edits: [
      {
        file: folder,
        find: "        await syncFolders(path.dirname(this.#absolute(place)), this.#root);\n",
        replace: "",
      },
    ],
    test: {
      file: durabilityTest,
      name: "a blob and what is known of it are durable when it is written, and so is that it is removed",
      says: /-\s+'a\/b',\n-\s+'a',\n-\s+''/,
    },
  },
  {
    name: "folder-removal-not-durable",
    breaks: "FileStore answers once it is durable that the blob is gone.",
    edits: [{ file: folder, find: "        await syncFolders(path.dirname(file), this.#root);\n", replace: "" }],
    test: {
      file: durabilityTest,
      name: "a blob and what is known of it are durable when it is written, and so is that it is removed",
      says: /\+ \[\]\n- \[\n-\s+'a\/b'/,
    },
  },
  {
    name: "folder-metadata-not-durable",
    breaks: "FileStore has the metadata durable before the body has its name.",
    edits: [
      {
        file: folder,
        find: "    await syncFolders(this.#absolute(metadataFolder), this.#absolute(metadataFolder));\n",
        replace: "",
      },
    ],
    test: {
      file: durabilityTest,
      name: "a blob and what is known of it are durable when it is written, and so is that it is removed",
      says: /-\s+'\.weir\/store\/metadata'/,
    },
  },
  {
    name: "folder-part-not-durable",
    breaks: "A part is durable when it is answered.",
    edits: [{ file: uploads, find: "    await handle.datasync();\n", replace: "" }],
    test: {
      file: durabilityTest,
      name: "a part of an upload is durable when it is sent, and the blob when it is complete",
      says: /-\s+'\.weir\/store\/uploads\/\*'/,
    },
  },
  {
    name: "folder-upload-not-sealed",
    breaks: "FileStore makes an upload's bytes durable before they are the blob.",
    edits: [
      {
        file: uploads,
        find: '    await using handle = await open(this.pathOf(id), "r+");\n    await handle.sync();\n',
        replace: '    await using handle = await open(this.pathOf(id), "r+");\n',
      },
    ],
    test: {
      file: durabilityTest,
      name: "a part of an upload is durable when it is sent, and the blob when it is complete",
      says: /-\s+'\.weir\/store\/uploads\/\*',\n\s+'\.weir\/store\/temporary/,
    },
  },
  {
    name: "folder-half-an-upload-completed",
    breaks: "FileStore completes an upload only with all its parts.",
    edits: [{ file: uploads, find: " || Number(stats.size) !== size) return", replace: ") return" }],
    test: {
      file: conditionsTest,
      name: "FileStore completes an upload under a condition only where it holds, and only with all its bytes",
      says: /\+\s+kind: 'written'/,
    },
  },
  {
    name: "folder-gone-taken-for-empty",
    breaks: "A folder whose disk is gone is not an empty one.",
    edits: [{ file: folder, find: "      if (found === undefined) await this.#requireFolder();\n", replace: "" }],
    test: {
      file: conformance,
      name: "does not take its blobs for missing, or removed, when the folder is gone: its disk may come back",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-sweeps-what-is-being-written",
    breaks: "FileStore removes only what killed processes have left.",
    edits: [{ file: folder, find: "mtimeMs - Number(stats.mtimeMs) > leftoverMs)", replace: "leftoverMs > 0)" }],
    test: {
      file: conformance,
      name: "removes what killed processes left when it is opened, but not what others may still be writing",
      says: /-\s+'fresh'/,
    },
  },
  {
    name: "folder-opens-another-version",
    breaks: "FileStore opens a blob only while its tag is the one asked for.",
    edits: [{ file: lookup, find: "        if (found.info.tag !== tag) return undefined;\n", replace: "" }],
    test: {
      file: conformance,
      name: "reads any span of a blob, small blobs too, and nothing under another tag",
      says: /- 'changed'/,
    },
  },
  {
    name: "folder-takes-a-strangers-body",
    breaks: "A body that others changed is theirs, whatever the metadata says.",
    edits: [
      {
        file: metadata,
        find: "  return sized.find((state) => state.md5 === found);",
        replace: "  return sized.find((state) => state.md5 === found) ?? sized[0];",
      },
    ],
    test: {
      file: conditionsTest,
      name: "FileStore takes a body that others wrote for theirs, though it is as long as the one before",
      says: /'v' !== undefined/,
    },
  },
  {
    name: "folder-waits-for-ever",
    breaks: "FileStore gives up a lock that it can't have in time.",
    edits: [
      { file: locks, find: "        if (this.#clock.now() >= giveUpAt) {", replace: "        if (giveUpAt < 0) {" },
    ],
    test: {
      file: locksTest,
      name: "who can't have a lock in time gives up, and does nothing later",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-closes-amid-work",
    breaks: "FileStore waits for the work under way before it closes.",
    edits: [{ file: locks, find: "      while (lock?.queue !== undefined) await lock.queue;\n", replace: "" }],
    test: {
      file: locksTest,
      name: "closing waits for the work under way, and for what waits behind it",
      says: /database is not open/,
    },
  },
];
