/**
 * Planted bugs of the S3 dialect: who is let in, what counts as a whole body, and what must not be taken for another.
 */

import type { GlueBug } from "./glue-bug.ts";

const verifier = "src/s3/signature/verifier.ts";
const canonical = "src/s3/signature/canonical-request.ts";
const presignedV2 = "src/s3/signature/presigned-v2.ts";
const checks = "src/s3/body/body-checks.ts";
const verifierTest = "test/unit/s3/signature/verifier.test.ts";
const presignedV2Test = "test/unit/s3/signature/presigned-v2.test.ts";
const chunkTest = "test/unit/s3/body/chunk-decoder.test.ts";
const httpTest = "test/integration/http-s3.test.ts";

export const dialectBugs: readonly GlueBug[] = [
  {
    name: "s3-signature-not-compared",
    breaks: "A request counts only if its signature is the one that its key's secret makes.",
    edits: [
      {
        file: "src/s3/signature/signing-keys.ts",
        find: "return isWhole && timingSafeEqual(made, given);",
        replace: "return isWhole;",
      },
    ],
    test: {
      file: verifierTest,
      name: "is refused with another secret, and with a key that the cluster does not have",
      says: /SignatureDoesNotMatch/,
    },
  },
  {
    name: "s3-first-of-two-headers-signed",
    breaks: "Each value of a header that is there twice is part of what was signed.",
    edits: [
      {
        file: canonical,
        find: `values[place] = earlier === undefined ? value : \`\${earlier},\${value}\`;`,
        replace: "values[place] = earlier ?? value;",
      },
    ],
    test: {
      file: verifierTest,
      name: "is refused with SignatureDoesNotMatch after a change of the range twice",
      says: /SignatureDoesNotMatch/,
    },
  },
  {
    name: "s3-header-added-after-signing",
    breaks: "A header of S3 that was not signed is refused.",
    edits: [
      {
        file: canonical,
        find: 'if (name === "host" || name.startsWith("x-amz-")) {',
        replace: 'if (name === "host") {',
      },
    ],
    test: {
      file: verifierTest,
      name: "is refused with AccessDenied after a change of a header of S3 more",
      says: /AccessDenied/,
    },
  },
  {
    name: "s3-header-known-by-its-name",
    breaks: "What is remembered of a header is what it says before its signature, which is at its end.",
    edits: [
      {
        file: "src/s3/signature/authorization.ts",
        find: 'if (!before.endsWith("Signature=") || !header.endsWith(signature)) return;',
        replace: "",
      },
    ],
    test: {
      file: "test/unit/s3/signature/authorization.test.ts",
      name: "keeps no header whose signature is not at its end",
      says: /AssertionError|Expected values to be/,
    },
  },
  {
    name: "s3-signature-of-another-scope",
    breaks: "What is remembered of the request before counts only for one of the same time and scope.",
    edits: [{ file: verifier, find: "last.time === time && last.scope === scope", replace: "last.time === time" }],
    test: {
      file: "test/unit/s3/signature/remembered-signers.test.ts",
      name: "is that of each of them, in any turn, and takes no signature of another one",
      says: /not signed with this key/,
    },
  },
  {
    name: "s3-key-of-an-earlier-secret",
    breaks: "A signing key that is remembered is that of the secret that counts now.",
    edits: [
      {
        file: "src/s3/signature/signing-keys.ts",
        find: "last.scope === scope && last.secret === secret",
        replace: "last.scope === scope",
      },
    ],
    test: {
      file: "test/unit/s3/signature/remembered-signers.test.ts",
      name: "counts no longer than the key does, and not for what another one may",
      says: /SignatureDoesNotMatch/,
    },
  },
  {
    name: "s3-type-twice",
    breaks: "A header that is kept with an object and has one value is not there twice.",
    edits: [{ file: "src/s3/s3-front.ts", find: "length === 12 || length === 19", replace: "length === 12" }],
    test: {
      file: httpTest,
      name: "may send one value of what an object has one of, however it was signed",
      says: /200 !== 400/,
    },
  },
  {
    name: "s3-signature-for-ever",
    breaks: "A signature counts for 15 minutes before and after its time.",
    edits: [
      {
        file: verifier,
        find: "} else if (Math.abs(ageMs) > maxSkewMs) {",
        replace: "} else if (-ageMs > maxSkewMs) {",
      },
    ],
    test: {
      file: verifierTest,
      name: "counts for 15 minutes before and after the time that it names",
      says: /RequestTimeTooSkewed/,
    },
  },
  {
    name: "s3-presigned-v2-for-ever",
    breaks: "A presigned request of version 2 counts until it expires.",
    edits: [
      {
        file: verifier,
        find: "    if (this.#clock.wallMs() > Number(auth.expires) * 1_000) throw expired();\n",
        replace: "",
      },
    ],
    test: { file: presignedV2Test, name: "counts until it expires, however far that is", says: /AccessDenied/ },
  },
  {
    name: "s3-presigned-v2-unsigned-parameter",
    breaks: "A parameter that version 2 does not sign is refused.",
    edits: [{ file: presignedV2, find: "if (!signedParameters.includes(name)) {", replace: "if (name === '') {" }],
    test: {
      file: presignedV2Test,
      name: "is refused with AccessDenied after a change of a part that version 2 does not sign",
      says: /AccessDenied/,
    },
  },
  {
    name: "s3-presigned-v2-header-added-after-signing",
    breaks: "Every header of S3 is part of what version 2 signs.",
    edits: [{ file: presignedV2, find: 'name.startsWith("x-amz-")', replace: 'name.startsWith("x-amz-meta-")' }],
    test: {
      file: presignedV2Test,
      name: "is refused with SignatureDoesNotMatch after a change of a source more",
      says: /SignatureDoesNotMatch/,
    },
  },
  {
    name: "s3-chunks-not-chained",
    breaks: "A chunk's signature is made over the one before, so no chunk can be left out or moved.",
    edits: [{ file: "src/s3/signature/chunk-signatures.ts", find: "    this.#previous = signature;\n", replace: "" }],
    test: {
      file: chunkTest,
      name: "is AWS's own example, in pieces of any size",
      says: /SignatureDoesNotMatch|was changed/,
    },
  },
  {
    name: "s3-body-cut-after-a-chunk",
    breaks: "A body in chunks is whole only with its last chunk and what belongs to it.",
    edits: [
      {
        file: "src/s3/body/chunk-decoder.ts",
        find: 'if (this.#state !== "over" || this.#line !== "") {',
        replace: 'if (this.#state === "bytes") {',
      },
    ],
    test: {
      file: chunkTest,
      name: "is refused when it is cut in a head, or around its end",
      says: /rejection/,
    },
  },
  {
    name: "s3-checksum-after-the-body-not-checked",
    breaks: "A checksum that comes after the body is checked like one before it.",
    edits: [
      {
        file: checks,
        find: "if (claimed !== undefined) requireChecksum(claimed, value);",
        replace: "if (claimed !== undefined && this.#claims.trailing === undefined) requireChecksum(claimed, value);",
      },
    ],
    test: { file: chunkTest, name: "is checked against the checksum after it", says: /rejection/ },
  },
  {
    name: "s3-checksum-of-a-whole-body-not-checked",
    breaks: "A body that is read as a whole has the checksum that the request says.",
    edits: [
      {
        file: "src/s3/body/object-body.ts",
        find: "    if (checksum !== undefined) await checkChecksum(checksum, bytes, bodies.turnsOf(exchange));\n",
        replace: "",
      },
    ],
    test: {
      file: httpTest,
      name: "is refused, and not stored, if it is not what the request says of it",
      says: /200 !== 400/,
    },
  },
  {
    name: "s3-streamed-body-not-checked",
    breaks: "A streamed body that is not what the request says fails in place of its end.",
    edits: [
      {
        file: "src/s3/body/checked-body.ts",
        find: "          await this.#checks.finish(this.#decoder?.end() ?? noTrailer);\n",
        replace: "",
      },
    ],
    test: {
      file: httpTest,
      name: "is refused, and not stored, if it is not what the request says of it",
      says: /200 !== 400/,
    },
  },
  {
    name: "s3-part-of-an-object-for-the-object",
    breaks: "A request for a part of an object that is not known is not one for the object.",
    edits: [
      {
        file: "src/s3/words/unspoken.ts",
        find: "if (second === undefined) return first;",
        replace: "if (second === undefined) return undefined;",
      },
    ],
    test: { file: httpTest, name: "is refused with a sentence if more is asked for than is done", says: /!== 501/ },
  },
  {
    name: "s3-copy-of-what-may-not-be-read",
    breaks: "A copy needs the right to its source.",
    edits: [{ file: "src/s3/operations.ts", find: "    grant.requireKey(sourceKey);\n", replace: "" }],
    test: {
      file: httpTest,
      name: "has the rights of the key, and the keys that begin with its prefix",
      says: /!== 403/,
    },
  },
  {
    name: "s3-copy-without-its-checksum",
    breaks: "A copy has the checksum that it is asked for.",
    edits: [
      {
        file: "src/s3/routes/copy-object.ts",
        find: "    if (algorithm === undefined || algorithm === kept?.algorithm) return kept;\n",
        replace: "    if (kept !== undefined) return kept;\n    if (algorithm === undefined) return kept;\n",
      },
    ],
    test: {
      file: httpTest,
      name: "has, as a copy, the checksum that the copy is asked for, and else that of its source",
      says: /deeply equal|deep-equal/,
    },
  },
  {
    name: "s3-copy-undoes-a-write",
    breaks: "A copy onto itself leaves a write alone that came after the value was read.",
    edits: [
      {
        file: "src/s3/routes/copy-object.ts",
        find: "source === key ? onlyOver(found) : precondition;",
        replace: "precondition;",
      },
    ],
    test: {
      file: httpTest,
      name: "that is copied onto itself keeps a write that came meanwhile",
      says: /deeply equal|deep-equal/,
    },
  },
  {
    name: "s3-buckets-overwritten",
    breaks: "The list of created buckets is changed only if it is still what was read.",
    edits: [
      {
        file: "src/s3/buckets.ts",
        find: 'precondition: tag === undefined ? { noneMatch: ["*"] } : { match: [tag] },',
        replace: "precondition: undefined,",
      },
    ],
    test: {
      file: "test/unit/s3/buckets.test.ts",
      name: "are all there when two nodes create and remove different ones at the same time",
      says: /!== 11/,
    },
  },
  {
    name: "s3-simple-post-of-another-site",
    breaks: "Without auth, a page of another site can make a browser send nothing that counts.",
    edits: [
      { file: "src/s3/s3-front.ts", find: "    this.#gate.admitOther(request, need, named.isOwn);\n", replace: "" },
    ],
    test: { file: httpTest, name: "is anyone where there is no auth, but no page of another site", says: /!== 403/ },
  },
  {
    name: "s3-character-of-more-than-16-bits",
    breaks: "A reference to a character of more than 16 bits is that character, and a key no other key.",
    edits: [
      {
        file: "src/s3/words/xml-parser.ts",
        find: "return String.fromCodePoint(code);",
        replace: "return String.fromCharCode(code);",
      },
    ],
    test: {
      file: "test/unit/s3/words/xml.test.ts",
      name: "has characters by their references, those of more than 16 bits too",
      says: /strictly equal/,
    },
  },
];
