/** Planted bugs of the store in S3. */

import type { GlueBug } from "./glue-bug.ts";

const s3 = "src/store/s3/s3-store.ts";
const s3Client = "src/store/s3/s3-client.ts";
const s3Uploads = "src/store/s3/s3-uploads.ts";
const s3Errors = "src/store/s3/s3-errors.ts";
const bounded = "src/store/http/bounded-stream.ts";
const requestsTest = "test/unit/store/http/store-requests.test.ts";
const s3ClientTest = "test/unit/store/s3/s3-client.test.ts";
const s3AnswersTest = "test/unit/store/s3/s3-answers.test.ts";

const exchangeTest = "test/unit/store/http/exchange.test.ts";

export const s3Bugs: readonly GlueBug[] = [
  {
    name: "broken-connection-taken-for-none",
    breaks: "F3: a change that had a connection may have reached the store, however that connection ended.",
    edits: [{ file: "src/store/http/exchange.ts", find: "this.#controller === undefined && ", replace: "" }],
    test: {
      file: exchangeTest,
      name: "exchange does not say that a change was never sent once it has a connection, new or kept, however that ends",
      says: /true !== false/,
    },
  },
  {
    name: "s3-sends-without-consent",
    breaks: "F1: S3Client asks for the caller's consent before it sends.",
    edits: [{ file: s3Client, find: "    options.authorize?.();\n", replace: "" }],
    test: {
      file: s3ClientTest,
      name: "S3Client sends nothing when the caller withdraws at the last moment, and rejects with the caller's own error",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "s3-removes-without-consent",
    breaks: "F1: S3Store asks for the caller's consent before it removes.",
    edits: [
      {
        file: s3,
        find: '{ method: "DELETE", key, signedHeaders }, options)',
        replace: '{ method: "DELETE", key, signedHeaders }, { deadlineMs: options.deadlineMs })',
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: each change asks for the caller's consent once, and without it nothing is sent",
      says: /Missing expected rejection: remove/,
    },
  },
  {
    name: "s3-completes-without-consent",
    breaks: "F1: S3Store asks for the caller's consent before it completes an upload.",
    edits: [
      {
        file: s3,
        find: "upload, this.#conditionHeaders(condition), options)",
        replace: "upload, this.#conditionHeaders(condition), { deadlineMs: options.deadlineMs })",
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: each change asks for the caller's consent once, and without it nothing is sent",
      says: /Missing expected rejection: completeUpload/,
    },
  },
  {
    name: "s3-write-without-condition",
    breaks: "F2: S3Store sends the condition with a write.",
    edits: [
      {
        file: s3,
        find: "{ ...metadata, ...this.#conditionHeaders(condition), ...md5 }",
        replace: "{ ...metadata, ...md5 }",
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: each change carries its condition, and none where there is none",
      says: /write under the condition absent/,
    },
  },
  {
    name: "s3-removal-without-condition",
    breaks: "F2: S3Store sends the condition with a removal.",
    edits: [
      {
        file: s3,
        find: "    const signedHeaders = this.#conditionHeaders(condition);\n",
        replace: "    const signedHeaders = {};\n",
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: each change carries its condition, and none where there is none",
      says: /remove under the condition absent/,
    },
  },
  {
    name: "s3-absent-sent-as-always",
    breaks: "F2: S3Store writes under the condition absent only where there is no object.",
    edits: [{ file: s3, find: 'return { "if-none-match": "*" };', replace: "return {};" }],
    test: {
      file: requestsTest,
      name: "s3: each change carries its condition, and none where there is none",
      says: /write under the condition absent/,
    },
  },
  {
    name: "s3-conflict-taken-for-written",
    breaks: "F8: S3Store takes a refused condition for a conflict.",
    edits: [
      { file: s3, find: "if (failure.status === 412 || failure.status === 409", replace: "if (failure.status === 409" },
    ],
    test: {
      file: requestsTest,
      name: "s3: a condition that does not hold is a conflict, and a failure of the store is none",
      says: /PUT team\/k: the store refused it: HTTP 412/,
    },
  },
  {
    name: "s3-failure-taken-for-conflict",
    breaks: "F8: S3Store takes a failure for no conflict.",
    edits: [
      {
        file: s3,
        find: "if (failure.status === 412 || failure.status",
        replace: "if (failure.status >= 500 || failure.status === 412 || failure.status",
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: a condition that does not hold is a conflict, and a failure of the store is none",
      says: /Missing expected rejection: write answered 500/,
    },
  },
  {
    name: "s3-race-taken-for-refusal",
    breaks: "S3Store takes an answer of unknown outcome to a condition for a conflict.",
    edits: [
      {
        file: s3,
        find: " || failure.status === 409 || isObjectMissing(failure)) return",
        replace: " || isObjectMissing(failure)) return",
      },
    ],
    test: {
      file: s3AnswersTest,
      name: "that met another one (409) is a conflict if it had a condition, and refused if it had none",
      says: /ConditionalRequestConflict/,
    },
  },
  {
    name: "s3-prefix-left-out",
    breaks: "S3Store writes under its own prefix.",
    edits: [
      {
        file: s3,
        find: "    const key = this.#prefix + storableName(name);\n    if",
        replace: "    const key = storableName(name);\n    if",
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: everything lies under the store's prefix, and nothing else is asked for",
      says: /write asks for \/photos\/k\?/,
    },
  },
  {
    name: "s3-odd-names-not-heeded",
    breaks: "S3Store says of names that the server refuses that they do not fit.",
    edits: [
      {
        file: s3,
        find: " && !this.#refusedKinds.some((kind) => kind.isOf(key))",
        replace: "",
      },
    ],
    test: {
      file: "test/unit/store/s3/s3-versioning.test.ts",
      name: "is told no key of a kind that it refuses, and every other one",
      says: /an empty part: a\/\/b/,
    },
  },
  {
    name: "s3-lists-the-whole-bucket",
    breaks: "S3Store lists what is under its own prefix.",
    edits: [
      { file: s3, find: "listParameters(this.#prefix, query, token)", replace: 'listParameters("", query, token)' },
    ],
    test: {
      file: requestsTest,
      name: "s3: everything lies under the store's prefix, and nothing else is asked for",
      says: /list asks for .*&prefix=a&/,
    },
  },
  {
    name: "s3-signature-outlasts-the-deadline",
    breaks: "F4: The signature of a change expires at its deadline.",
    edits: [{ file: s3Client, find: "+ (writes ? 0 : readGraceSeconds)", replace: "+ readGraceSeconds" }],
    test: {
      file: s3ClientTest,
      name: "S3Client signs whatever changes something for no longer than its deadline",
      says: /PUT ends \d+ ms late/,
    },
  },
  {
    name: "s3-signed-from-the-consent-on",
    breaks: "F4: The signature's validity counts from the call, not from the consent.",
    edits: [
      {
        file: s3Client,
        find: "    options.authorize?.();\n    const leftMs",
        replace:
          "    options.authorize?.();\n    Object.assign(validity, this.#validity(this.#clock.now(), options.deadlineMs, true));\n    const leftMs",
      },
    ],
    test: {
      file: s3ClientTest,
      name: "S3Client signs until the deadline after the call, however long it is paused before the caller consents",
      says: /it ends \d+ ms late/,
    },
  },
  {
    name: "s3-sends-after-the-deadline",
    breaks: "F4: S3Client sends nothing once the deadline is over.",
    edits: [
      {
        file: s3Client,
        find: '    if (leftMs <= 0) throw new OperatingError("store_unavailable", "the request was not sent: its deadline had passed");\n',
        replace: "",
      },
    ],
    test: { file: s3ClientTest, name: "S3Client sends nothing once its time is over", says: /\+\s+'\/photos\/k'/ },
  },
  {
    name: "s3-body-may-be-torn",
    breaks: "S3Store has the server check a body's MD5.",
    edits: [
      {
        file: s3,
        find: "...this.#conditionHeaders(condition), ...md5 }",
        replace: "...this.#conditionHeaders(condition) }",
      },
    ],
    test: {
      file: s3AnswersTest,
      name: "has its body's MD5 with it, a part of an upload too",
      says: /-\s+'XUFAKrxLKna5cZ2REBfFkg==',\n\s+undefined/,
    },
  },
  {
    name: "s3-metadata-left-out",
    breaks: "S3Store keeps headers and metadata with the object.",
    edits: [
      {
        file: s3,
        find: "{ ...metadata, ...this.#conditionHeaders(condition)",
        replace: "{ ...this.#conditionHeaders(condition)",
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: a write carries the body, its headers, its metadata and its version",
      says: /undefined !== 'ada'/,
    },
  },
  {
    name: "s3-foreign-404-taken-for-missing",
    breaks: "F17: A 404 that is not the store's own says nothing of an object.",
    edits: [
      {
        file: s3Errors,
        find: 'return status === 404 && code === "NoSuchKey";',
        replace: 'return status === 404 && code !== "NoSuchUpload";',
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: a 404 that is not the store's own says nothing of a blob",
      says: /Missing expected rejection|Got unwanted/,
    },
  },
  {
    name: "s3-created-taken-for-refused",
    breaks: "What a server has created by a PUT is there.",
    edits: [
      { file: s3Errors, find: "return status === 200 || status === 201 ||", replace: "return status === 200 ||" },
    ],
    test: {
      file: s3AnswersTest,
      name: "is done if the server says Created or No Content, as a part of an upload is, and no other success is",
      says: /HTTP 201/,
    },
  },
  {
    name: "s3-accepted-taken-for-done",
    breaks: "What a server has only accepted may never come to be there.",
    edits: [{ file: s3Errors, find: "status === 201 || status === 204;", replace: "(status > 200 && status < 300);" }],
    test: {
      file: s3AnswersTest,
      name: "is done if the server says Created or No Content, as a part of an upload is, and no other success is",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "s3-failed-completion-taken-for-done",
    breaks: "A completion whose answer says in the end that it failed has failed.",
    edits: [
      {
        file: s3Uploads,
        find: 'if (answer.status === 200 && failure.code === "") return',
        replace: "if (answer.status === 200) return",
      },
    ],
    test: { file: s3AnswersTest, name: "has failed if its 200 says so in the end", says: /Missing expected rejection/ },
  },
  {
    name: "s3-another-writers-tag-taken",
    breaks: "L5: The tag of a completed upload is that of the object with its token.",
    edits: [
      {
        file: s3Uploads,
        find: "s3Headers.fromWire(found.headers).upload === token ?",
        replace: "found.status === 200 ?",
      },
    ],
    test: {
      file: s3AnswersTest,
      name: "that tells no tag takes the object's, which has the token another's: conflict",
      says: /\+\s+kind: 'written'/,
    },
  },
  {
    name: "s3-uploads-listed-to-the-first-page",
    breaks: "L12: The listing of uploads goes to its end.",
    edits: [
      {
        file: s3Uploads,
        find: 'if (elementIn(text, "IsTruncated") !== "true") return found;',
        replace: "if (found.length > 0) return found;",
      },
    ],
    test: { file: s3AnswersTest, name: "the listing of uploads in S3 is read to its end", says: /-\s+'b'/ },
  },
  {
    name: "s3-part-cut-off-unnoticed",
    breaks: "A stream gives exactly the bytes that were asked for.",
    edits: [
      {
        file: bounded,
        find: '    throw new OperatingError("store_unavailable", "the store\'s answer was cut short");\n',
        replace: "",
      },
    ],
    test: {
      file: s3AnswersTest,
      name: "that is shorter than it should be is an error, not an end",
      says: /Missing expected rejection/,
    },
  },
];
