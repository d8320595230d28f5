/** Bodies in chunks: AWS's own examples, cut anywhere, and with any part of them changed. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { BodyChecks, claimsOf } from "../../../../src/s3/body/body-checks.ts";
import { ChunkDecoder } from "../../../../src/s3/body/chunk-decoder.ts";
import { ChunkSignatures } from "../../../../src/s3/signature/chunk-signatures.ts";
import { parsePayload } from "../../../../src/s3/signature/payload.ts";
import { SigningKeys, scopeText } from "../../../../src/s3/signature/signing-keys.ts";
import { type S3Code, S3Error } from "../../../../src/s3/words/s3-error.ts";

const scope = { day: "20130524", region: "us-east-1" };
const key = new SigningKeys().keyFor("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope);
const context = `20130524T000000Z\n${scopeText(scope)}\n`;

/** AWS's example: 65 KiB of the letter a, in a chunk of 64 KiB, one of 1 KiB, and the last. */
const chunks = [
  ["10000", "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", "a".repeat(65_536)],
  ["400", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", "a".repeat(1_024)],
] as const;
const lastSignature = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9";
const head = (size: string, signature: string): string => `${size};chunk-signature=${signature}\r\n`;
const signedChunks = chunks.map(([size, signature, bytes]) => `${head(size, signature)}${bytes}\r\n`);
const last = `${head("0", lastSignature)}\r\n`;
const seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const whole = signedChunks.join("") + last;

/** The same body with a checksum after it. */
const trailerSeed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
const trailing = [
  `${head("10000", "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2")}${"a".repeat(65_536)}\r\n`,
  `${head("400", "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7")}${"a".repeat(1_024)}\r\n`,
  head("0", "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
  "x-amz-checksum-crc32c:sOO8/Q==\r\n",
  "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
  "\r\n",
];

const signedPayload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const trailerPayload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const unsignedPayload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/** Decodes a body that comes in pieces of so many bytes, and checks all of it. */
async function decode(
  payloadText: string,
  body: string,
  headers: Readonly<Record<string, string>> = { "x-amz-decoded-content-length": "66560" },
  pieceBytes = 70_000,
): Promise<Buffer> {
  const payload = parsePayload(payloadText);
  assert.ok(payload.kind === "chunked");
  const requestSignature = payload.trailer ? trailerSeed : seed;
  const signatures = payload.signed ? new ChunkSignatures(key, context, requestSignature) : undefined;
  const decoder = new ChunkDecoder(payload, signatures);
  const checks = new BodyChecks(claimsOf(headers, payload));
  const bytes = Buffer.from(body, "latin1");
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = decoder.decode(bytes.subarray(at, at + pieceBytes));
    checks.update(piece);
    pieces.push(piece);
  }
  await checks.finish(decoder.end());
  return Buffer.concat(pieces);
}

async function refused(code: S3Code | undefined, act: Promise<unknown>): Promise<void> {
  await assert.rejects(act, (error) => {
    assert.ok(error instanceof S3Error, String(error));
    if (code !== undefined) assert.equal(error.s3Code, code, error.message);
    return true;
  });
}

describe("a body in signed chunks", () => {
  it("is AWS's own example, in pieces of any size", async () => {
    for (const bytes of [1, 2, 3, 85, 86, 87, 1_000, 65_536, 100_000]) {
      const body = await decode(signedPayload, whole, undefined, bytes);
      assert.equal(hash("md5", body), hash("md5", "a".repeat(66_560)), `in pieces of ${bytes}`);
    }
  });

  it("is refused when it is cut in a head, or around its end", async () => {
    const small = signedChunks[1] as string;
    // Every place in a chunk's head, around its end, and in what follows it.
    const ends = [...Array.from({ length: 120 }, (_, n) => n), ...Array.from({ length: 100 }, (_, n) => whole.length - 1 - n)];
    for (const end of ends) await refused(undefined, decode(signedPayload, whole.slice(0, end)));
    await refused(undefined, decode(signedPayload, whole.slice(0, -last.length - 10)));
    assert.ok(small.length > 0);
  });

  it("is refused with its chunks in another order, left out, repeated or changed", async () => {
    const [first = "", second = ""] = signedChunks;
    const bodies = [
      second + first + last,
      first + last,
      second + last,
      last,
      first + first + second + last,
      first + second + second + last,
      first.replace("aa", "ab") + second + last,
      first.replace(/a(\r\n)$/, "b$1") + second + last,
      first + second.replace("0055", "0056") + last,
      first + second + last.replace("b6c6", "b6c7"),
    ];
    for (const body of bodies) await refused("SignatureDoesNotMatch", decode(signedPayload, body, {}));
  });

  it("is refused when its sizes are wrong, or anything stands between its chunks", async () => {
    const [first = "", second = ""] = signedChunks;
    const bodies = [
      first.replace("10000;", "ffff;") + second + last,
      first.replace("10000;", "10001;") + second + last,
      first.replace("10000;", "-1;") + second + last,
      first.replace("10000;", "0x10000;") + second + last,
      first.replace("10000;", ";") + second + last,
      first.replace("10000;", "ffffffffffffffff;") + second + last,
      first.replace("chunk-signature", "chunk-signatur") + second + last,
      first.replace("\r\n", "\n") + second + last,
      `${first}\r\n${second}${last}`,
      first + second + head("0", lastSignature),
      `${whole}x`,
      whole + last,
      `x${whole}`,
      "0\r\n\r\n",
    ];
    for (const [index, body] of bodies.entries()) await refused(undefined, decode(signedPayload, body)).catch((error: unknown) => assert.fail(`${index}: ${String(error)}`));
  });

  it("is refused with another length than the request says", async () => {
    for (const length of ["66559", "66561", "0"]) {
      await refused("IncompleteBody", decode(signedPayload, whole, { "x-amz-decoded-content-length": length }));
    }
  });
}); // biome-ignore format: short bodies

describe("a body in signed chunks with a trailer", () => {
  const headers = { "x-amz-trailer": "x-amz-checksum-crc32c", "x-amz-decoded-content-length": "66560" };

  it("is AWS's own example, with a CRC-32C after it", async () => {
    for (const bytes of [1, 1_000, 100_000]) await decode(trailerPayload, trailing.join(""), headers, bytes);
  });

  it("is that of minio-go, whose trailer's lines end with a line feed alone", async () => {
    const [first = "", second = "", last = "", checksum = "", signature = ""] = trailing;
    const lines = [checksum.replace("\r\n", "\n"), "\r\n", signature, "\r\n"];
    const body = [first, second, last, ...lines].join("");
    for (const bytes of [1, 1_000, 100_000]) await decode(trailerPayload, body, headers, bytes);
    for (const end of [1, 2, 3, 20, 91, 92, 93, 95])
      await refused(undefined, decode(trailerPayload, body.slice(0, -end), headers));
    await refused(undefined, decode(trailerPayload, [first, second, last, ...lines, "x"].join(""), headers));
    await refused(
      undefined,
      decode(trailerPayload, [first, second, last, ...lines.toSpliced(1, 0, "\r\n")].join(""), headers),
    );
    await refused("SignatureDoesNotMatch", decode(trailerPayload, body.replace("sOO8/Q==", "sOO8/A=="), headers));
  });

  it("is refused when any line of the trailer is changed or missing", async () => {
    for (let line = 2; line < trailing.length; line++) {
      await refused(undefined, decode(trailerPayload, trailing.toSpliced(line, 1).join(""), headers));
    }
    const changed = trailing.join("").replace("sOO8/Q==", "sOO8/A==");
    await refused("SignatureDoesNotMatch", decode(trailerPayload, changed, headers));
    const more = trailing.toSpliced(3, 0, "x-amz-meta-a:1\r\n").join("");
    await refused("SignatureDoesNotMatch", decode(trailerPayload, more, headers));
  });
});

describe("a body in unsigned chunks", () => {
  const headers = { "x-amz-trailer": "x-amz-checksum-crc32" };
  const body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";

  it("is checked against the checksum after it", async () => {
    assert.equal((await decode(unsignedPayload, body, headers)).toString(), "hello");
    await refused("BadDigest", decode(unsignedPayload, body.replace("hello", "hellp"), headers));
    await refused("BadDigest", decode(unsignedPayload, body.replace("NhCmhg", "NhCmhw"), headers));
    await refused("InvalidRequest", decode(unsignedPayload, "5\r\nhello\r\n0\r\n\r\n", headers));
  });

  it("may have a trailer whose lines end with a line feed alone, and one more empty line at the end", async () => {
    const other = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n";
    for (const bytes of [1, 7, 100])
      assert.equal((await decode(unsignedPayload, other, headers, bytes)).toString(), "hello");
    for (const more of ["\r\n", "x", "\r"]) await refused(undefined, decode(unsignedPayload, other + more, headers));
  });

  it("is refused when it is cut anywhere", async () => {
    for (let end = 0; end < body.length; end++) {
      await refused(undefined, decode(unsignedPayload, body.slice(0, end), headers));
    }
  });

  it("is refused with very many tiny chunks, and taken with small ones", async () => {
    const trailer = { "x-amz-trailer": "" };
    await refused("InvalidRequest", decode(unsignedPayload, `${"1\r\na\r\n".repeat(10_000)}0\r\n\r\n`, trailer));
    const small = `64\r\n${"a".repeat(100)}\r\n`.repeat(10_000);
    assert.equal((await decode(unsignedPayload, `${small}0\r\n\r\n`, trailer)).length, 1_000_000);
  });

  it("is refused with a line or a trailer that has no end", async () => {
    await refused("InvalidRequest", decode(unsignedPayload, "5".repeat(100_000), headers));
    const lines = Array.from({ length: 20 }, (_, n) => `x-${n}:1\r\n`).join("");
    await refused("InvalidRequest", decode(unsignedPayload, `0\r\n${lines}\r\n`, headers));
  });

  it("is refused when the request names two checksums, or one that there is not", async () => {
    const both = { ...headers, "x-amz-checksum-sha1": Buffer.alloc(20).toString("base64") };
    await refused("InvalidRequest", decode(unsignedPayload, body, both));
    await refused("InvalidRequest", decode(unsignedPayload, body, { "x-amz-trailer": "x-amz-checksum-md4" }));
    await refused("InvalidRequest", decode(unsignedPayload, body, {}));
  });
});
