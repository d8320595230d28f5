/** Planted bugs of the store in a folder. */

import type { GlueBug } from "./glue-bug.ts";

const folder = "src/store/folder/file-store.ts";
const writes = "src/store/folder/file-writes.ts";
const syncs = "src/store/folder/folder-syncs.ts";
const lanes = "src/store/folder/file-lanes.ts";
const thread = "src/store/folder/thread-writer.ts";
const server = "src/store/folder/thread-server.ts";
const locks = "src/store/folder/file-locks.ts";
const turns = "src/store/folder/name-turns.ts";
const leftovers = "src/store/folder/leftovers.ts";
const listing = "src/store/folder/file-listing.ts";
const copy = "src/store/folder/folder-copy.ts";
const durable = "src/store/folder/durable-files.ts";
const uploads = "src/store/folder/file-uploads.ts";
const lookup = "src/store/folder/file-lookup.ts";
const metadata = "src/store/folder/file-metadata.ts";
const conditionsTest = "test/unit/store/folder/file-conditions.test.ts";
const conformance = "test/conformance/file-store.test.ts";
const durabilityTest = "test/unit/store/folder/file-durability.test.ts";
const locksTest = "test/unit/store/folder/file-locks.test.ts";
const writesTest = "test/unit/store/folder/file-writes.test.ts";
const copyTest = "test/unit/store/folder/folder-copy.test.ts";
const foldingTest = "names that differ by case only, on a disk of Linux that ignores case, keep a file each";
const syncsTest = "test/unit/store/folder/folder-syncs.test.ts";
const threadTest = "test/unit/store/folder/thread-writer.test.ts";

export const folderBugs: readonly GlueBug[] = [
  {
    name: "folder-look-not-durable",
    breaks: "What a look at the folder says outlasts a loss of power.",
    edits: [
      {
        file: "src/store/folder/file-store.ts",
        find: "      await this.#syncs.syncPlaces(this.#root, filePaths(name));\n",
        replace: "",
      },
    ],
    test: {
      file: "test/unit/store/folder/file-durability.test.ts",
      name: "what a blob is found to be is durable then, though the sync of the change that made it so has failed",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "removal-of-nothing-not-durable",
    breaks: "A removal that finds nothing is durable when it is answered: the one before it may not be.",
    edits: [
      {
        file: "src/store/folder/file-writes.ts",
        find: "      await this.#syncs.syncPlaces(this.#root, paths);\n",
        replace: "",
      },
    ],
    test: {
      file: "test/unit/store/folder/file-durability.test.ts",
      name: "what a blob is found to be is durable then, though the sync of the change that made it so has failed",
      says: /there is nothing to remove/,
    },
  },
  {
    name: "late-file-left-open",
    breaks:
      "A file that is opened after its deadline is closed: the runtime ends a process that leaves it to the collector.",
    edits: [
      {
        file: "src/store/deadline.ts",
        find: "      if (giveUp !== undefined) void work.then(giveUp).catch(() => undefined);\n",
        replace: "      void giveUp;\n",
      },
    ],
    test: {
      file: "test/unit/store/folder/file-lookup.test.ts",
      name: "FileStore closes a file that it opens after the deadline of who asked for it",
      says: /nothing/,
    },
  },
  {
    name: "folder-ignores-the-condition",
    breaks: "F2: FileStore replaces only what the condition allows.",
    edits: [
      {
        file: writes,
        find: '    if (!holds(condition, found)) return { kind: "conflict" };\n    const states',
        replace: "    const states",
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
      { file: writes, find: "  return found?.info.tag === condition.tag;", replace: "  return found !== undefined;" },
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
        file: writes,
        find: '    if (!holds(condition, found)) return { kind: "conflict" };\n    if (found',
        replace: "    if (found",
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
        file: writes,
        find: "      result = await this.#locks.hold(name, limits.giveUpAt, () =>\n        this.#replace(name, temporary, state, condition, limits),\n      );",
        replace: "      result = await this.#replace(name, temporary, state, condition, limits);",
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
    edits: [{ file: writes, find: "    authorize?.();\n    this.#checkTime", replace: "    this.#checkTime" }],
    test: {
      file: conformance,
      name: "asks whether it may go on before anything is sent, and rejects with what that throws, without an effect",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-reads-without-consent",
    breaks: "FileStore asks for the caller's consent before it reads.",
    edits: [{ file: folder, find: "    limits.authorize?.();\n    const found", replace: "    const found" }],
    test: {
      file: conformance,
      name: "asks whether it may go on before anything is sent, and rejects with what that throws, without an effect",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-changes-after-the-deadline",
    breaks: "F4: FileStore changes nothing once the deadline is over.",
    edits: [{ file: writes, find: "    if (this.#clock.now() >= giveUpAt) {", replace: "    if (giveUpAt < 0) {" }],
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
        file: writes,
        find: "        await this.#syncs.syncUpTo(this.#root, path.dirname(this.#absolute(place)));\n",
        replace: "",
      },
    ],
    test: {
      file: durabilityTest,
      name: "a blob and what is known of it are durable when it is written, and so is that it is removed",
      says: /-\s+'',\n-\s+'a',\n-\s+'a\/b'/,
    },
  },
  {
    name: "folder-removal-not-durable",
    breaks: "FileStore answers once it is durable that the blob is gone.",
    edits: [{ file: writes, find: "    await this.#syncs.syncUpTo(this.#root, path.dirname(file));\n", replace: "" }],
    test: {
      file: durabilityTest,
      name: "a blob and what is known of it are durable when it is written, and so is that it is removed",
      says: /\+ \[\]\n- \[\n-\s+''/,
    },
  },
  {
    name: "folder-metadata-not-durable",
    breaks: "FileStore has the metadata durable before the body has its name.",
    edits: [
      {
        file: writes,
        find: "    await this.#syncs.sync(this.#absolute(metadataFolder));\n",
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
    name: "folder-listings-look-at-all-at-once",
    breaks: "Listings leave the runtime's threads to the journal.",
    edits: [
      {
        file: listing,
        find: "this.#lanes.run(() => this.#lookup.find(filePaths(name), undefined, giveUpAt))",
        replace: "this.#lookup.find(filePaths(name), undefined, giveUpAt)",
      },
    ],
    test: {
      file: "test/unit/store/folder/file-listing.test.ts",
      name: "many listings at a time look at a few files at a time, and find all of them",
      says: /\d+ !== 4/,
    },
  },
  {
    name: "folder-pages-are-whole-or-fail",
    breaks: "A listing of a slow folder gets further.",
    edits: [
      {
        file: listing,
        find: "if (count === query.limit || isShort) {",
        replace: "if (count === query.limit) {",
      },
    ],
    test: {
      file: "test/unit/store/folder/file-listing.test.ts",
      name: "pages of a slow folder are short, and together they have all names",
      says: /listing the folder took too long/,
    },
  },
  {
    name: "folder-part-takes-every-thread",
    breaks: "A part leaves one of the runtime's threads to the journal.",
    edits: [
      {
        file: uploads,
        find: "    await this.#lanes.run(() => handle.datasync());\n",
        replace: "    await handle.datasync();\n",
      },
    ],
    test: {
      file: "test/unit/store/folder/file-uploads.test.ts",
      name: "parts leave one of the runtime's threads to the journal, those of the node and those of a client",
      says: /\d+ !== 3/,
    },
  },
  {
    name: "folder-part-hashed-at-once",
    breaks: "A part of 5 MiB does not keep the event loop for longer than 5 ms.",
    edits: [
      {
        file: uploads,
        find: "    await updateInTurns(this.#digest, body, this.#clock);\n",
        replace: "    this.#digest.update(body);\n",
      },
    ],
    test: {
      file: "test/unit/store/folder/file-uploads.test.ts",
      name: "large parts are hashed in short turns, and their tags are those of all bytes before",
      says: /ms/,
    },
  },
  {
    name: "folder-part-not-durable",
    breaks: "A part is durable when it is answered.",
    edits: [{ file: uploads, find: "    await this.#lanes.run(() => handle.datasync());\n", replace: "" }],
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
        file: writes,
        find: '      await using handle = await this.#files.open(file, "r+");\n      await handle.sync();\n',
        replace: '      await using handle = await this.#files.open(file, "r+");\n',
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
    edits: [{ file: writes, find: " || Number(stats.size) !== size) return", replace: ") return" }],
    test: {
      file: conditionsTest,
      name: "FileStore completes an upload under a condition only where it holds, and only with all its bytes",
      says: /\+\s+kind: 'written'/,
    },
  },
  {
    name: "folder-gone-taken-for-empty",
    breaks: "A folder whose disk is gone is not an empty one.",
    edits: [{ file: folder, find: "    if (found === undefined) await this.#requireFolder();\n", replace: "" }],
    test: {
      file: conformance,
      name: "does not take its blobs for missing, or removed, when the folder is gone: its disk may come back",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-sweeps-what-is-being-written",
    breaks: "FileStore removes only what killed processes have left.",
    edits: [{ file: leftovers, find: "mtimeMs - Number(stats.mtimeMs) > leftoverMs)", replace: "leftoverMs > 0)" }],
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
    name: "export-places-files-at-the-same-time",
    breaks: "Of two names that a disk takes for one another, one lies aside, though both come at the same time.",
    edits: [
      {
        file: copy,
        find: "await this.#turns.take(name, () => this.#place(name, temporary, state));",
        replace: "await this.#place(name, temporary, state);",
      },
    ],
    test: { file: copyTest, name: foldingTest, says: /-\s+'?[A-Za-z/]+'?: 'of / },
  },
  {
    name: "export-leaves-temporary-files",
    breaks: "An export removes what interrupted ones have left.",
    edits: [{ file: copy, find: "      await this.#sweep();\n", replace: "" }],
    test: {
      file: copyTest,
      name: "an export removes what interrupted ones have left, but not what another may still be writing",
      says: /\+\s+'left'/,
    },
  },
  {
    name: "import-ends-at-what-lies-aside",
    breaks: "An import tells what it can't read, and goes on.",
    edits: [
      {
        file: listing,
        find: "      if (onUnreadable === undefined) throw error;\n      onUnreadable(",
        replace: '      if (onUnreadable === undefined || file !== "") throw error;\n      onUnreadable(',
      },
    ],
    test: {
      file: copyTest,
      name: "an import tells what it can't read of the values that lie aside, and reads all the rest",
      says: /ELOOP/,
    },
  },
  {
    name: "import-does-not-know-the-disk",
    breaks: "An import tells names from one another that the disk takes for one.",
    edits: [
      { file: copy, find: "    await this.#lookup.learnCase().catch(", replace: "    await Promise.resolve().catch(" },
    ],
    test: { file: copyTest, name: foldingTest, says: /is not what its metadata says/ },
  },
  {
    name: "folder-goes-by-the-spelling-asked-for",
    breaks: "A file of another spelling is not the name's, also where `realpath` does not tell.",
    edits: [
      { file: lookup, find: "    if (!this.#tellsSpelling) return await this.#isListedSo(place);\n", replace: "" },
    ],
    test: { file: copyTest, name: foldingTest, says: /-\s+'?[A-Za-z/]+'?: 'of / },
  },
  {
    name: "folder-waits-for-ever",
    breaks: "FileStore gives up a lock that it can't have in time.",
    edits: [{ file: locks, find: "        this.#refuseLate();\n", replace: "" }],
    test: {
      file: locksTest,
      name: "who can't have a lock in time gives up, and does nothing later",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-closes-amid-work",
    breaks: "FileStore waits for the work under way before it closes.",
    edits: [{ file: locks, find: "    await this.#turns.end();\n", replace: "" }],
    test: {
      file: locksTest,
      name: "closing waits for the work under way, and for what waits behind it",
      says: /'closed' !== 'first'/,
    },
  },
  {
    name: "folder-forgets-a-names-turn",
    breaks: "Changes of one name take turns in a process, too.",
    edits: [{ file: turns, find: "      await before;\n", replace: "" }],
    test: {
      file: locksTest,
      name: "names of one lock go on side by side in a process, and one name's work does not",
      says: /\+\s+'K'/,
    },
  },
  {
    name: "folder-keeps-a-lock-for-ever",
    breaks: "A process that always has work leaves a lock to others from time to time.",
    edits: [{ file: locks, find: "    return now < this.#turnEndsAt;", replace: "    return true;" }],
    test: {
      file: locksTest,
      name: "a process that always has work for one name gives others their turn",
      says: /another process holds the lock/,
    },
  },
  {
    name: "folder-lets-all-join-a-turn",
    breaks: "Nothing joins the work under a lock once the turn is over.",
    edits: [
      {
        file: locks,
        find: "    if (this.#holders > 0 && this.#clock.now() < this.#turnEndsAt) {",
        replace: "    if (this.#holders > 0) {",
      },
    ],
    test: {
      file: locksTest,
      name: "a process that always has work for two names of a lock gives others their turn",
      says: /another process holds the lock/,
    },
  },
  {
    name: "folder-shares-a-sync-that-has-begun",
    breaks: "A sync makes only those names durable that came before it.",
    edits: [
      { file: syncs, find: "      this.#next.delete(folder);\n      await", replace: "      await" },
      {
        file: syncs,
        find: "    if (!hasBegun) this.#next.set(folder, next);",
        replace: "    this.#next.set(folder, next);",
      },
    ],
    test: { file: syncsTest, name: "a name that comes while a sync goes on gets one of its own", says: /1 !== 2/ },
  },
  {
    name: "folder-syncs-each-name-alone",
    breaks: "Names that wait for a sync of one folder share it.",
    edits: [{ file: syncs, find: "    if (waiting !== undefined) return waiting;\n", replace: "" }],
    test: {
      file: writesTest,
      name: "writes that go on at a time share the syncs of folders",
      says: /\d+ syncs of folders/,
    },
  },
  {
    name: "folder-takes-every-thread",
    breaks: "FileWrites leaves one of the runtime's threads to the journal.",
    edits: [{ file: lanes, find: "    if (this.#free > 0) this.#free--;", replace: "    if (work) this.#free--;" }],
    test: { file: writesTest, name: "writes leave one of the runtime's threads to the journal", says: /\d+ !== 3/ },
  },
  {
    name: "folder-writes-late",
    breaks: "A write whose time is over when its turn comes changes nothing.",
    edits: [{ file: writes, find: "    if (this.#clock.now() >= giveUpAt) {", replace: "    if (giveUpAt < 0) {" }],
    test: {
      file: writesTest,
      name: "a change that gets its turn too late changes nothing, and says so",
      says: /undefined/,
    },
  },
  {
    name: "folder-keeps-the-event-loop-waiting",
    breaks: "The event loop of a node does not wait for the folder.",
    edits: [
      {
        file: "src/store/open-store.ts",
        find: "writer: new ThreadWriter(resolve(settings.path), ports.clock) }",
        replace: "writer: new FileWrites(resolve(settings.path), blockingFiles, ports) }",
      },
      {
        file: "src/store/open-store.ts",
        find: 'import { ThreadWriter } from "./folder/thread-writer.ts";',
        replace:
          'import { blockingFiles } from "./folder/blocking-files.ts";\nimport { FileWrites } from "./folder/file-writes.ts";',
      },
    ],
    test: { file: threadTest, name: "the event loop does not wait for a slow folder", says: /\d+\.\d, .* ms/ },
  },
  {
    name: "folder-changes-on-the-event-loop",
    breaks: "The event loop of a node makes no change of the folder itself.",
    edits: [
      {
        file: "src/store/open-store.ts",
        find: "{ ...ports, writer: new ThreadWriter(resolve(settings.path), ports.clock) }",
        replace: "ports",
      },
    ],
    test: {
      file: threadTest,
      name: "the node's own thread makes no call to the file system for a change",
      says: /open \.weir\/store\/temporary/,
    },
  },
  {
    name: "folder-thread-changes-without-consent",
    breaks: "F1: ThreadWriter asks for the caller's consent before it sends a change.",
    edits: [{ file: thread, find: "    authorize?.();\n", replace: "" }],
    test: {
      file: threadTest,
      name: "a change is asked about before it is sent, and its deadline holds in the thread, by any clock",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-thread-takes-our-time-for-its-own",
    breaks: "F4: the thread's clock may show another time than ours.",
    edits: [{ file: thread, find: "giveUpAt: giveUpAt + ahead", replace: "giveUpAt" }],
    test: {
      file: threadTest,
      name: "a change is asked about before it is sent, and its deadline holds in the thread, by any clock",
      says: /Missing expected rejection|too slow/,
    },
  },
  {
    name: "folder-thread-takes-its-callers-memory",
    breaks: "ThreadWriter leaves the memory of a value to its caller.",
    edits: [{ file: thread, find: "body: new Uint8Array(change.content.body)", replace: "body: change.content.body" }],
    test: { file: threadTest, name: "a change's memory stays its owner's", says: /Cannot transfer/ },
  },
  {
    name: "folder-thread-loses-an-errors-word",
    breaks: "F3: a change that certainly did not happen is told as such by the thread, too.",
    edits: [
      {
        file: server,
        find: "failure: { code, message, neverSent,",
        replace: "failure: { code, message, neverSent: false,",
      },
    ],
    test: {
      file: threadTest,
      name: "a change is asked about before it is sent, and its deadline holds in the thread, by any clock",
      says: /neverSent|isNeverSent|validation function/,
    },
  },
  {
    name: "folder-thread-ends-amid-work",
    breaks: "The thread ends once all that it was asked is done.",
    edits: [{ file: thread, find: "    await Promise.allSettled(this.#underWay);\n", replace: "" }],
    test: {
      file: threadTest,
      name: "closing the store waits for the changes under way",
      says: /./,
    },
  },
  {
    name: "folder-thread-copies-without-bound",
    breaks: "The thread has copies of so many bytes at most, whatever is flushed at a time.",
    edits: [{ file: thread, find: "this.#copiedBytes + bytes > maxCopiedBytes", replace: "bytes < 0" }],
    test: {
      file: threadTest,
      name: "values that go to the thread at a time take a bounded memory",
      says: /\d+ MiB/,
    },
  },
];
