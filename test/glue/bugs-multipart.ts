/**
 * Planted bugs of multipart uploads by S3: whose they are, with which parts they are completed, and what is left of
 * them.
 */

import type { GlueBug } from "./glue-bug.ts";

const places = "src/http/server/upload-places.ts";
const uploads = "src/s3/uploads/client-uploads.ts";
const completion = "src/s3/uploads/completion.ts";
const sweep = "src/s3/uploads/upload-sweep.ts";
const uploadsTest = "test/unit/s3/uploads/client-uploads.test.ts";
const sweepTest = "test/unit/s3/uploads/upload-sweep.test.ts";
const httpTest = "test/integration/http-s3-multipart.test.ts";
const oneList = "is completed with the same list only, once nobody knows whether it was; no part comes any more";

export const multipartBugs: readonly GlueBug[] = [
  {
    name: "upload-of-another-key",
    breaks: "Who knows an upload's id, and has the right to another key, can do nothing with it.",
    edits: [{ file: uploads, find: "if (found?.record.key !== key) throw", replace: "if (found === undefined) throw" }],
    test: { file: uploadsTest, name: "is of its key alone, whoever knows its id", says: /strictly equal/ },
  },
  {
    name: "done-upload-of-another-key",
    breaks: "A repeat is answered only to who asks for the key that was written.",
    edits: [{ file: completion, find: "done?.record.key !== key || ", replace: "done === undefined || " }],
    test: { file: uploadsTest, name: "is of its key alone, whoever knows its id", says: /strictly equal/ },
  },
  {
    name: "upload-with-two-lists",
    breaks: "An upload that may have been completed with a list of parts is completed with no other one.",
    edits: [
      {
        file: completion,
        find: "if (completing !== undefined && completing.list !== list)",
        replace: "if (list === '')",
      },
    ],
    test: { file: uploadsTest, name: oneList, says: /is completed with|OperationAborted/ },
  },
  {
    name: "list-fixed-without-condition",
    breaks: "Of two requests that complete an upload with two lists at the same time, one fixes its list.",
    edits: [
      {
        file: completion,
        find: "uploads.records.write(uploadName(id), record, holder, { match: [found.tag] })",
        replace: "uploads.records.write(uploadName(id), record, holder)",
      },
    ],
    test: {
      file: uploadsTest,
      name: "complete an upload with one list of parts, or abort it; nobody is told otherwise",
      says: /is completed with/,
    },
  },
  {
    name: "list-taken-back-by-who-joined",
    breaks: "Only the request that fixed the list alone takes it back.",
    edits: [
      {
        file: completion,
        find: "return by === several ? shared : { ownTag: tag };",
        replace: "return { ownTag: tag };",
      },
    ],
    test: { file: uploadsTest, name: oneList, says: /is completed with|OperationAborted/ },
  },
  {
    name: "list-taken-back-without-condition",
    breaks: "A list that another request has joined is not taken back.",
    edits: [
      {
        file: completion,
        find: "write(uploadName(id), record, holder, { match: [ownTag] });",
        replace: "write(uploadName(id), record, holder);",
      },
    ],
    test: {
      file: uploadsTest,
      name: "that others have joined keeps its list when the first one was certainly not made",
      says: /is completed with|OperationAborted/,
    },
  },
  {
    name: "list-taken-back-after-an-unknown-outcome",
    breaks: "A list is taken back only if the write was certainly not made.",
    edits: [
      {
        file: completion,
        find: "if (isOperatingError(error, ...notWritten)) await",
        replace: "if (isOperatingError(error)) await",
      },
    ],
    test: { file: uploadsTest, name: oneList, says: /is completed with|OperationAborted/ },
  },
  {
    name: "completion-not-remembered",
    breaks: "A repeat of a completion that was done is answered as done, although the upload is gone.",
    edits: [
      { file: completion, find: "      await uploads.records.write(doneName(id), done, holder);\n", replace: "" },
    ],
    test: {
      file: uploadsTest,
      name: "is answered again as it was, also when the value has been replaced since",
      says: /no such upload/,
    },
  },
  {
    name: "completion-by-another-request-not-seen",
    breaks: "A request whose upload another one completes meanwhile is answered as done.",
    edits: [
      {
        file: completion,
        find: "if (!isOperatingError(error)) throw error;\n      // Another",
        replace: "if (error instanceof Error) throw error;\n      // Another",
      },
    ],
    test: {
      file: uploadsTest,
      name: "that another request completes meanwhile is done, wherever this one stands",
      says: /no such upload/,
    },
  },
  {
    name: "abort-taken-for-a-missing-part",
    breaks: "A completion whose upload another request aborts meanwhile is told so, and not that a part is missing.",
    edits: [
      {
        file: completion,
        find: "      await uploads.find(key, id);\n      throw invalidPart",
        replace: "      throw invalidPart",
      },
    ],
    test: {
      file: uploadsTest,
      name: "that another request aborts meanwhile is gone, wherever this one stands, unless it is done",
      says: /InvalidPart/,
    },
  },
  {
    name: "part-with-another-etag",
    breaks: "An upload is completed with the parts whose ETags the client lists.",
    edits: [{ file: completion, find: "  if (listed.md5 !== md5) return false;\n", replace: "  void md5;\n" }],
    test: { file: uploadsTest, name: "has of a part that was sent again what was sent last", says: /InvalidPart/ },
  },
  {
    name: "part-of-an-upload-that-has-ended",
    breaks: "A part that was on its way when its upload ended gets no record.",
    edits: [{ file: uploads, find: "    await this.findOpen(key, id);\n    const { md5", replace: "    const { md5" }],
    test: {
      file: uploadsTest,
      name: "that was aborted while a part was on its way gets no record of it",
      says: /NoSuchUpload/,
    },
  },
  {
    name: "record-removed-before-the-upload-is-aborted",
    breaks: "An upload can be aborted again until the store has aborted it.",
    edits: [
      {
        file: uploads,
        find: "    await this.#operations().abortUpload(key, record.upload);\n    await this.records.remove(uploadName(id));\n",
        replace:
          "    await this.records.remove(uploadName(id));\n    await this.#operations().abortUpload(key, record.upload);\n",
      },
    ],
    test: {
      file: uploadsTest,
      name: "keeps no client from its end, at whichever step; the sweep removes what it left",
      says: /nothing of it any more/,
    },
  },
  {
    name: "uploads-of-a-caller-not-bounded",
    breaks: "A caller has a bounded number of uploads under way.",
    edits: [{ file: uploads, find: "    await this.#counts.add(owner);\n", replace: "" }],
    test: {
      file: uploadsTest,
      name: "are bounded, and begin again when some have ended",
      says: /QuotaExceeded/,
    },
  },
  {
    name: "part-holds-its-room",
    breaks: "A part of which nothing comes gives way to a caller that has less.",
    edits: [
      {
        file: places,
        find: "exchange, amount, giveUp);",
        replace: "exchange, amount, name === 'uploads' ? giveUp : undefined);",
      },
    ],
    test: {
      file: httpTest,
      name: "have shares of the memory: one that sends nothing of what it says gives way to another one",
      says: /the modest one waits/,
    },
  },
  {
    name: "stream-counts-less-than-its-part",
    breaks: "What is let in fits into a member's memory for parts: a value that is streamed counts a whole part.",
    edits: [{ file: places, find: "partBytesFor(length ?? maxStreamBytes, partBytes)", replace: "1" }],
    test: {
      file: "test/unit/http/server/upload-places.test.ts",
      name: "counts what a member keeps for it: one part, smaller for a small value and larger for a very large one",
      says: /deep-equal/,
    },
  },
  {
    name: "large-part-passed-for-ever",
    breaks: "A large part is let in after a while, however many small ones its caller has.",
    edits: [{ file: places, find: "this.#letIn += Math.max(bytes,", replace: "void Math.max(bytes," }],
    test: {
      file: "test/unit/http/server/upload-places.test.ts",
      name: "that is large is waited for until as much has passed it as there is, and no longer",
      says: /nobody has passed it again/,
    },
  },
  {
    name: "sweep-of-young-uploads",
    breaks: "An upload is removed for its age only when no clock of a node can say otherwise.",
    edits: [{ file: sweep, find: "> ms + clockMarginMs;", replace: "> ms;" }],
    test: {
      file: sweepTest,
      name: "removes uploads that are too old, with their parts, and leaves those that are not",
      says: /strictly equal/,
    },
  },
  {
    name: "own-keys-listed-by-s3",
    breaks: "A client's listing shows none of weir's own keys.",
    edits: [
      {
        file: "src/s3/routes/list-objects.ts",
        find: "if (maxKeys === 0 || isOwn({ prefix: bucket.prefix + prefix }))",
        replace: "if (maxKeys === 0)",
      },
    ],
    test: {
      file: httpTest,
      name: "have the uploads of a bucket by their keys, and no values of weir's own",
      says: /deep-equal|deeply equal/,
    },
  },
  {
    name: "own-keys-listed-by-http",
    breaks: "A client's listing shows none of weir's own keys.",
    edits: [
      {
        file: "src/http/routes/list-route.ts",
        find: "isOwn(query) ? noPage : await",
        replace: "isOwn({ prefix: '' }) ? noPage : await",
      },
    ],
    test: {
      file: "test/integration/http-listing.test.ts",
      name: "has nothing of weir's own keys, and does not ask for them",
      says: /strictly equal/,
    },
  },
  {
    name: "own-keys-not-found",
    breaks: "Weir itself finds its own keys by their prefix.",
    edits: [
      {
        file: "src/member/route/lister.ts",
        find: "isReserved && !isOwn(page.query) ? reservedEnd : end;",
        replace: "isReserved ? reservedEnd : end;",
      },
    ],
    test: {
      file: "test/unit/member/route/lister.test.ts",
      name: "agrees with a sorted list of what there is, for random contents and queries",
      says: /actual/,
    },
  },
  {
    name: "checksum-of-the-object-for-that-of-the-list",
    breaks: "A checksum in a request that completes an upload is the object's, not that of the list of parts.",
    edits: [
      {
        file: "src/s3/routes/upload-routes.ts",
        find: "{ ...call, headers: withoutChecksum(headers) }",
        replace: "{ ...call, headers }",
      },
    ],
    test: { file: httpTest, name: "are made of those of its parts: composite", says: /!==/ },
  },
  {
    name: "slow-answer-in-silence",
    breaks: "A client that waits for an answer hears something every ten seconds.",
    edits: [{ file: "src/s3/slow-answers.ts", find: '        response.write(" ");\n', replace: "" }],
    test: {
      file: httpTest,
      name: "is answered with its status and blanks meanwhile, and with its document in the end",
      says: /did not match/,
    },
  },
];
