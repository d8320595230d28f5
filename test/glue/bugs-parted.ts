/** Planted bugs of parted uploads in the stores: parts that come in any order and from any process. */

import type { GlueBug } from "./glue-bug.ts";

const s3 = "src/store/s3/s3-store.ts";
const s3Uploads = "src/store/s3/s3-uploads.ts";
const azure = "src/store/azure/azure-store.ts";
const azureUploads = "src/store/azure/azure-uploads.ts";
const folder = "src/store/folder/file-store.ts";
const writes = "src/store/folder/file-writes.ts";
const files = "src/store/folder/parted-files.ts";
const paths = "src/store/folder/upload-paths.ts";
const metered = "src/store/metered-store.ts";
const requestsTest = "test/unit/store/http/parted-requests.test.ts";
const filesTest = "test/unit/store/folder/parted-files.test.ts";

const numbersTest = "S3 is told the numbers of the parts, which may have gaps, whatever their tags look like";
const durableTest = "a parted upload is durable step by step: its beginning, each part, and what they are joined to";

export const partedBugs: readonly GlueBug[] = [
  {
    name: "s3-numbers-parts-by-their-places",
    breaks: "S3 is told the numbers of the parts that count.",
    edits: [
      {
        file: s3Uploads,
        find: "const { number, tag } = readPart(text, index);",
        replace: "const { tag } = readPart(text, index);\n      const number = index + 1;",
      },
    ],
    test: { file: requestsTest, name: numbersTest, says: /<PartNumber>1</ },
  },
  {
    name: "s3-takes-a-tag-for-a-number",
    breaks: "A part's tag may look like one with a number before it.",
    edits: [{ file: s3Uploads, find: "number === index + 1 && !numbered.test(tag)", replace: "number === index + 1" }],
    test: { file: requestsTest, name: numbersTest, says: /<PartNumber>8</ },
  },
  {
    name: "s3-takes-a-tag-of-a-streamed-part-for-a-number",
    breaks: "The tag of a part of a streamed body may look like one with a number before it.",
    edits: [
      {
        file: s3,
        find: "return formatPart({ number, tag: await this.#uploads.sendPart(key, id, part, limits) }, number - 1);",
        replace:
          "return number > 0 ? await this.#uploads.sendPart(key, id, part, limits) : formatPart({ number, tag: '' }, 0);",
      },
    ],
    test: {
      file: requestsTest,
      name: "S3 gets the parts of an upload of one body with their numbers, whatever their tags look like",
      says: /<PartNumber>3</,
    },
  },
  {
    name: "s3-takes-an-upload-that-lacks-a-part-for-gone",
    breaks: "L7: an upload that lacks a part is there, and may have it later.",
    edits: [
      {
        file: s3Uploads,
        find: 'if (incompleteCodes.has(failure.code)) return { kind: "incomplete" };',
        replace: 'if (incompleteCodes.has(failure.code)) return { kind: "gone" };',
      },
    ],
    test: {
      file: "test/unit/store/s3/s3-answers.test.ts",
      name: "tells an upload that is gone from one that lacks a part, and may have it later",
      says: /-\s+kind: 'incomplete'/,
    },
  },
  {
    name: "azure-part-that-is-sent-again-takes-the-others-place",
    breaks: "The record of an upload says which sending of a part counts: each is a block of its own.",
    edits: [{ file: azureUploads, find: "this.#random.id()}`, part", replace: '"0".repeat(32)}`, part' }],
    test: {
      file: requestsTest,
      name: "Azure's blocks have ids of one length, and a part that is sent again is another block",
      says: /2 !== 3/,
    },
  },
  {
    name: "azure-blocks-of-two-lengths",
    breaks: "All ids of a blob's blocks have one length, those of other uploads of the key too.",
    edits: [{ file: azureUploads, find: "this.#random.id()}`, part", replace: "this.#random.id()}...`, part" }],
    test: {
      file: requestsTest,
      name: "Azure's blocks have ids of one length, and a part that is sent again is another block",
      says: /5\d !== 5\d/,
    },
  },
  {
    name: "azure-gets-an-empty-block",
    breaks: "Azure takes no empty block.",
    edits: [{ file: azureUploads, find: '    if (part.body.length === 0) return "";\n', replace: "" }],
    test: {
      file: requestsTest,
      name: "Azure gets no empty block, and the list of blocks leaves an empty part out",
      says: /1 !== 0/,
    },
  },
  {
    name: "azure-lists-an-empty-part",
    breaks: "An empty part has no block.",
    edits: [{ file: azure, find: '.filter((tag) => tag !== "")', replace: "" }],
    test: {
      file: requestsTest,
      name: "Azure gets no empty block, and the list of blocks leaves an empty part out",
      says: /<Uncommitted><\/Uncommitted>/,
    },
  },
  {
    name: "folder-beginning-not-durable",
    breaks: "A parted upload is there after a loss of power, once it was begun.",
    edits: [{ file: files, find: "    await syncs.sync(uploads);\n", replace: "" }],
    test: { file: filesTest, name: durableTest, says: /-\s+'\.weir\/store\/uploads'/ },
  },
  {
    name: "folder-name-of-a-part-not-durable",
    breaks: "A part of a parted upload is durable when it is answered.",
    edits: [
      {
        file: files,
        find: "this.#write(file, body, giveUpAt);\n      await syncs.sync(upload);\n",
        replace: "this.#write(file, body, giveUpAt);\n",
      },
    ],
    test: { file: filesTest, name: durableTest, says: /-\s+'\.weir\/store\/uploads\/\*'/ },
  },
  {
    name: "folder-joined-bytes-not-durable",
    breaks: "What the parts are joined to is durable before it has its name.",
    edits: [{ file: files, find: "    await lanes.run(() => output.sync());\n", replace: "" }],
    test: { file: filesTest, name: durableTest, says: /-\s+'\.weir\/store\/temporary\/\*'/ },
  },
  {
    name: "folder-bytes-of-a-part-not-durable",
    breaks: "A part of a parted upload is durable when it is answered.",
    edits: [{ file: files, find: "    await lanes.run(() => handle.sync());\n", replace: "" }],
    test: { file: filesTest, name: durableTest, says: /-\s+'\.weir\/store\/uploads\/\*\/7-\*'/ },
  },
  {
    name: "folder-keeps-a-part-that-failed",
    breaks: "A part that can't be written takes no room of a folder that may be full.",
    edits: [{ file: files, find: "      await removeFile(pooledFiles, file);\n", replace: "" }],
    test: { file: filesTest, name: "nothing stays of a part that fails, or is given up", says: /1-/ },
  },
  {
    name: "folder-writes-a-part-for-nobody",
    breaks: "Who gave a part up gets its memory back: no more of it is written.",
    edits: [
      {
        file: files,
        find: "        this.#checkTime(giveUpAt);\n        await handle",
        replace: "        await handle",
      },
    ],
    test: { file: filesTest, name: "no more of a part is read once it has been given up", says: /3 !== 2/ },
  },
  {
    name: "folder-keeps-a-late-part",
    breaks: "A part that was given up while it was synced does not stay.",
    edits: [
      {
        file: files,
        find: "      // Nobody would know of it, and it would stay.\n      this.#checkTime(giveUpAt);\n",
        replace: "",
      },
    ],
    test: {
      file: filesTest,
      name: "a part whose sync took too long does not stay: its sender was told that it was given up",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "folder-joined-file-takes-anothers-place",
    breaks: "A joined file that is there may be on its way into place: it stays the same file.",
    edits: [
      { file: files, find: "      await link(file, joinedPath", replace: "      await rename(file, joinedPath" },
      { file: files, find: "import { link, mkdir, open, rm }", replace: "import { mkdir, open, rename, rm }" },
    ],
    test: {
      file: filesTest,
      name: "two processes that assemble an upload at a time come to the same, and it is completed once",
      says: /\d+n(?: !==|\n-) \d+n/,
    },
  },
  {
    name: "folder-joined-name-not-durable",
    breaks: "An upload is assembled after a loss of power, too.",
    edits: [
      { file: files, find: "      await syncs.sync(upload);\n      return md5;\n", replace: "      return md5;\n" },
    ],
    test: { file: filesTest, name: durableTest, says: /-\s+'\.weir\/store\/uploads\/\*'/ },
  },
  {
    name: "folder-completes-what-was-assembled-first",
    breaks: "L16: a completion takes the very bytes that it was assembled of.",
    edits: [{ file: paths, find: "{md5}`", replace: "{md5.slice(0, 0)}`" }],
    test: {
      file: filesTest,
      name: "a completion takes the very bytes that it was assembled of, though others of the same size were before or since",
      says: /'one' !== 'two'|-\s*'?two/,
    },
  },
  {
    name: "folder-joins-a-part-of-another-size",
    breaks: "L16: the parts have the sizes that the reference was made of.",
    edits: [{ file: files, find: "      if (Number(opened.stats.size) !== size) return undefined;\n", replace: "" }],
    test: {
      file: filesTest,
      name: "a part that is not there, or has another size than its client says, is not joined",
      says: /\+ 'written'\n- 'not assembled'/,
    },
  },
  {
    name: "folder-joins-for-nobody",
    breaks: "Assembling ends when nobody waits for it: it would be begun again beside it.",
    edits: [{ file: files, find: "        this.#checkTime(giveUpAt);\n        digest", replace: "        digest" }],
    test: { file: filesTest, name: "joining the parts stops when nobody waits for it any more", says: /joined-/ },
  },
  {
    name: "folder-keeps-the-parts-of-a-blob",
    breaks: "L12: the parts of an upload that was completed take no room.",
    edits: [
      {
        file: writes,
        find: '    if (isParted && result.kind === "written") await this.#forgetParts(own);\n',
        replace: "",
      },
    ],
    test: {
      file: filesTest,
      name: "an upload that one process began, others send parts of and complete; nothing stays of it",
      says: /\+\s+'[0-9a-f]{32}'/,
    },
  },
  {
    name: "folder-keeps-the-parts-of-an-aborted-upload",
    breaks: "L12: the parts of an upload that was aborted take no room.",
    edits: [{ file: paths, find: "  await rm(aside, { recursive: true, force: true });\n", replace: "" }],
    test: {
      file: filesTest,
      name: "an abort ends an upload at once, with all its parts, assembled or not",
      says: /\+\s+'[0-9a-f]{32}'/,
    },
  },
  {
    name: "folder-sweeps-no-folders",
    breaks: "FileStore removes what a killed process has left of an upload that it had ended.",
    edits: [
      {
        file: "src/store/folder/leftovers.ts",
        find: "await rm(file, { recursive: true, force: true })",
        replace: "await rm(file, { force: true })",
      },
    ],
    test: {
      file: filesTest,
      name: "what a crash leaves of assembling is in nobody's way, and is swept away later",
      says: /moved/,
    },
  },
  {
    name: "folder-gone-taken-for-an-upload-that-is-over",
    breaks: "A folder whose disk is gone says nothing of its uploads.",
    edits: [
      {
        file: folder,
        find: '      await this.#requireFolder();\n      throw new OperatingError("store_refused"',
        replace: '      throw new OperatingError("store_refused"',
      },
    ],
    test: { file: filesTest, name: "a folder that is gone says nothing of its uploads", says: /store_refused/ },
  },
  {
    name: "metered-part-of-many-without-its-deadline",
    breaks: "MeteredStore hands on how long a part may take.",
    edits: [
      {
        file: metered,
        find: "this.#store.sendPart(name, id, part, options)",
        replace: "this.#store.sendPart(name, id, part, { deadlineMs: 1_000 })",
      },
    ],
    test: {
      file: "test/unit/store/metered-store.test.ts",
      name: "a metered store hands each request on as it is, the caller's consent included, and its answer back",
      says: /sendPart has changed argument 3/,
    },
  },
];
