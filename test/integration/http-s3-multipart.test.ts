/** Multipart uploads by S3 as a client meets them over HTTP: what AWS does, and what Ceph's tests of it ask for. */

import assert from "node:assert/strict";
import { createHash, hash } from "node:crypto";
import { describe, it } from "node:test";
import { crc32 } from "node:zlib";
import { sleep } from "../../src/base/clock.ts";
import type { HttpSettings } from "../../src/http/server/http-settings.ts";
import type { S3Rules } from "../../src/s3/buckets.ts";
import { systemClock } from "../../src/system.ts";
import { HttpHost } from "../harness/http-host.ts";
import type { RawAnswer, RawConnection } from "../harness/raw-http.ts";
import { codeIn, presignS3, type S3Request, sendLines, sendS3, signS3, testKeyRule } from "../harness/s3-request.ts";

const mebibyte = 1024 * 1024;
const rules: S3Rules = {
  buckets: [
    { name: "all", prefix: "" },
    { name: "photos", prefix: "p/" },
  ],
  createBuckets: false,
  domain: undefined,
};

async function guarded(key: object = {}, settings: Partial<HttpSettings> = {}): Promise<HttpHost> {
  const host = await HttpHost.start(
    { maxValueBytes: 100_000, maxStreamBytes: 64 * mebibyte, ...settings },
    { s3: rules },
  );
  host.access.setRules({ tokens: [], s3Keys: [{ ...testKeyRule, ...key }] });
  return host;
}

function assertCode(answer: RawAnswer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.body.toString());
  assert.equal(codeIn(answer), code, answer.body.toString());
}

function assertDone(answer: RawAnswer, status = 200): RawAnswer {
  assert.equal(answer.status, status, answer.body.toString());
  assert.match(answer.headers["x-amz-request-id"] ?? "", /^[0-9A-F]{16}$/);
  return answer;
}

const textsOf = (answer: RawAnswer, element: string): string[] =>
  [...answer.body.toString().matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, "g"))].map(
    ([, text]) => text as string,
  );

type Headers = Readonly<Record<string, string>>;

/** The requests of one upload. */
class Upload {
  readonly host: HttpHost;
  readonly path: string;
  readonly id: string;

  private constructor(host: HttpHost, path: string, id: string) {
    this.host = host;
    this.path = path;
    this.id = id;
  }

  static async begin(host: HttpHost, path = "/all/a", headers: Headers = {}): Promise<Upload> {
    const answer = assertDone(await sendS3(host, { method: "POST", path, query: { uploads: "" }, headers }));
    return new Upload(host, path, textsOf(answer, "UploadId")[0] as string);
  }

  part(number: number | string, body: Buffer | string, headers: Headers = {}, more: Partial<S3Request> = {}): Promise<RawAnswer> {
    const query = { partNumber: String(number), uploadId: this.id };
    return sendS3(this.host, { method: "PUT", path: this.path, query, headers, body, ...more });
  }

  copy(number: number, source: string, headers: Headers = {}): Promise<RawAnswer> {
    return this.part(number, "", { "x-amz-copy-source": source, ...headers });
  }

  complete(parts: readonly (readonly [number: number | string, etag: string, more?: string])[], headers: Headers = {}): Promise<RawAnswer> {
    const list = parts.map(([number, etag, more = ""]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${more}</Part>`);
    return this.post(`<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`, headers);
  }

  post(body: string, headers: Headers = {}): Promise<RawAnswer> {
    return sendS3(this.host, { method: "POST", path: this.path, query: { uploadId: this.id }, headers, body });
  }

  abort(): Promise<RawAnswer> {
    return sendS3(this.host, { method: "DELETE", path: this.path, query: { uploadId: this.id } });
  }

  list(query: Headers = {}): Promise<RawAnswer> {
    return sendS3(this.host, { method: "GET", path: this.path, query: { uploadId: this.id, ...query } });
  }
} // biome-ignore format: long calls

const etagOf = (body: Buffer | string): string => `"${hash("md5", body)}"`;
const bytes = (size: number, seed = "0123456789"): Buffer => Buffer.alloc(size, seed);
const full = bytes(5 * mebibyte);

describe("a multipart upload by S3", () => {
  it("becomes an object of its parts, with its headers and metadata", async () => {
    await using host = await guarded();
    const headers = { "content-type": "text/foo", "x-amz-meta-foo": "bar", "cache-control": "no-cache" };
    const upload = await Upload.begin(host, "/photos/a%20%2Bb", headers);
    const last = bytes(1_000, "ü");
    assert.equal(assertDone(await upload.part(2, last)).headers["etag"], etagOf(last));
    assert.equal(assertDone(await upload.part(1, full)).headers["etag"], etagOf(full));
    assert.equal((await sendS3(host, { method: "HEAD", path: upload.path })).status, 404);
    const done = assertDone(await upload.complete([[1, etagOf(full)], [2, hash("md5", last)]]));
    const md5s = Buffer.concat([full, last].map((each) => hash("md5", each, "buffer")));
    const tag = `${hash("md5", md5s)}-2`;
    assert.deepEqual(textsOf(done, "ETag"), [`&#34;${tag}&#34;`]);
    assert.deepEqual([textsOf(done, "Bucket"), textsOf(done, "Key")], [["photos"], ["a +b"]]);
    assert.deepEqual(textsOf(done, "Location"), [`http://127.0.0.1:${host.port}/photos/a%20%2Bb`]);
    const read = assertDone(await sendS3(host, { method: "GET", path: upload.path }));
    assert.ok(read.body.equals(Buffer.concat([full, last])));
    assert.deepEqual(
      [read.headers["etag"], read.headers["content-type"], read.headers["x-amz-meta-foo"], read.headers["cache-control"]],
      [`"${tag}"`, "text/foo", "bar", "no-cache"],
    );
    assert.ok(host.operations.values.has("p/a +b"));
  }); // biome-ignore format: long calls

  it("that is completed once more is answered as before", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    const etag = assertDone(await upload.part(1, "1")).headers["etag"] as string;
    const first = assertDone(await upload.complete([[1, etag]]));
    const second = assertDone(await upload.complete([[1, etag]]));
    assert.deepEqual(second.body, first.body);
    assertCode(await upload.part(1, "1"), 404, "NoSuchUpload");
    assertCode(await upload.abort(), 404, "NoSuchUpload");
    assertCode(await upload.list(), 404, "NoSuchUpload");
  });

  it("is not completed with a checksum that nobody here knows, nor by a list of too many parts", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    const etag = assertDone(await upload.part(1, "1")).headers["etag"] as string;
    const unknown = { "x-amz-checksum-xxhash64": "AAAAAAAAAAA=" };
    assertCode(await upload.complete([[1, etag]], unknown), 400, "InvalidRequest");
    const parts = "<Part/>".repeat(10_001);
    assertCode(await upload.post(`<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`), 400, "MalformedXML");
    assertDone(await upload.complete([[1, etag]]));
  });

  it("takes the place of an object that is there", async () => {
    await using host = await guarded();
    assertDone(await sendS3(host, { method: "PUT", path: "/all/a", body: "old" }));
    const upload = await Upload.begin(host);
    assertDone(await upload.part(1, "new"));
    assertDone(await upload.complete([[1, etagOf("new")]]));
    assert.equal((await sendS3(host, { method: "GET", path: "/all/a" })).body.toString(), "new");
  });

  it("has the part that was sent last under its number, also if that was begun first", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    const [a, b] = [bytes(70_000, "a"), bytes(70_000, "b")];
    const { operations } = host;
    const send = operations.sendPart.bind(operations);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let calls = 0;
    operations.sendPart = async (key, parted, part) => {
      if (++calls === 1) await gate;
      return await send(key, parted, part);
    };
    const first = upload.part(1, a);
    while (calls === 0) await new Promise(setImmediate);
    assertDone(await upload.part(1, b));
    open();
    assertDone(await first);
    assertCode(await upload.complete([[1, etagOf(b)]]), 400, "InvalidPart");
    assertDone(await upload.complete([[1, etagOf(a)]]));
    assert.ok((await sendS3(host, { method: "GET", path: "/all/a" })).body.equals(a));
  });

  it("of several sizes comes whole, with the least and the most that a part may have beside it", async () => {
    await using host = await guarded();
    for (const size of [5 * mebibyte, 5 * mebibyte + 100 * 1024, 10 * mebibyte + 600 * 1024, 10 * mebibyte]) {
      const upload = await Upload.begin(host);
      const whole = bytes(size, `size ${size}`);
      const parts: [number, string][] = [];
      for (let at = 0; at < size; at += 5 * mebibyte) {
        const part = whole.subarray(at, at + 5 * mebibyte);
        const number = parts.length * 7 + 1;
        parts.push([number, assertDone(await upload.part(number, part)).headers["etag"] as string]);
      }
      assertDone(await upload.complete(parts));
      assert.ok((await sendS3(host, { method: "GET", path: "/all/a" })).body.equals(whole), String(size));
    }
  });

  it("is refused if a part is too small, missing, wrong, or at the wrong place", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    for (const number of [1, 2, 10_000]) assertDone(await upload.part(number, `part ${number}`));
    const etag = (number: number): string => etagOf(`part ${number}`);
    assertCode(await upload.complete([[1, etag(1)], [2, etag(2)]]), 400, "EntityTooSmall");
    assertCode(await upload.complete([[9_999, etag(1)]]), 400, "InvalidPart");
    assertCode(await upload.complete([[1, '"ffffffffffffffffffffffffffffffff"']]), 400, "InvalidPart");
    assertCode(await upload.complete([[2, etag(2)], [1, etag(1)]]), 400, "InvalidPartOrder");
    assertCode(await upload.complete([[1, etag(1)], [1, etag(1)]]), 400, "InvalidPartOrder");
    assertCode(await upload.complete([]), 400, "MalformedXML");
    assertCode(await upload.complete([[0, etag(1)]]), 400, "InvalidArgument");
    for (const xml of ["", "<a/>", "<CompleteMultipartUpload>", "<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>"]) {
      assertCode(await upload.post(xml), 400, "MalformedXML");
    }
    assertCode(await upload.complete([[1, etag(1)]], { "x-amz-mp-object-size": "7" }), 400, "InvalidRequest");
    assertDone(await upload.complete([[10_000, etag(10_000)]], { "x-amz-mp-object-size": "10" }));
  }); // biome-ignore format: a table

  it("is not there for who has no such id, or asks for another key", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    const etag = assertDone(await upload.part(1, "1")).headers["etag"] as string;
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`;
    for (const [path, uploadId] of [["/all/b", upload.id], ["/photos/a", upload.id], ["/all/a", "56788"], ["/all/a", ""], ["/all/a", "../s3-done/x"]] as const) {
      const requests: S3Request[] = [
        { method: "PUT", path, query: { partNumber: "1", uploadId }, body: "2" },
        { method: "POST", path, query: { uploadId }, body },
        { method: "DELETE", path, query: { uploadId } },
        { method: "GET", path, query: { uploadId } },
      ];
      for (const request of requests) assertCode(await sendS3(host, request), 404, "NoSuchUpload");
    }
    assertDone(await upload.complete([[1, etag]]));
    assert.equal((await sendS3(host, { method: "GET", path: "/all/a" })).body.toString(), "1");
  }); // biome-ignore format: a table

  it("is for who may write the key; to list its parts needs the right to read", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host, "/photos/a");
    assertDone(await upload.part(1, "1"));
    host.access.setRules({ tokens: [], s3Keys: [{ ...testKeyRule, allow: ["read"] }] });
    assertDone(await upload.list());
    for (const act of [upload.part(1, "2"), upload.complete([[1, etagOf("1")]]), upload.abort()]) {
      assertCode(await act, 403, "AccessDenied");
    }
    assertCode(await sendS3(host, { method: "POST", path: "/photos/b", query: { uploads: "" } }), 403, "AccessDenied");
    host.access.setRules({ tokens: [], s3Keys: [{ ...testKeyRule, allow: ["write"] }] });
    assertCode(await upload.list(), 403, "AccessDenied");
    assertCode(await upload.copy(2, "/photos/a"), 403, "AccessDenied");
    // An id alone gives no right to anything.
    host.access.setRules({ tokens: [], s3Keys: [{ ...testKeyRule, prefix: "q/" }] });
    for (const act of [upload.part(1, "2"), upload.complete([[1, etagOf("1")]]), upload.abort(), upload.list()]) {
      assertCode(await act, 403, "AccessDenied");
    }
    assertCode(await upload.copy(2, "/all/q/a"), 403, "AccessDenied");
    const own = await Upload.begin(host, "/all/q/a");
    assertCode(await own.copy(1, "/all/p/a"), 403, "AccessDenied");
    const page = assertDone(await sendS3(host, { method: "GET", path: "/all", query: { uploads: "", prefix: "q/" } }));
    assert.deepEqual(textsOf(page, "UploadId"), [own.id]);
    assertCode(await sendS3(host, { method: "GET", path: "/all", query: { uploads: "" } }), 403, "AccessDenied");
    assertCode(await sendS3(host, { method: "GET", path: "/photos", query: { uploads: "" } }), 403, "AccessDenied");
    assertCode(await sendS3(host, { method: "POST", path: "/all/x/.weir/a", query: { uploads: "" } }), 403, "AccessDenied");
  }); // biome-ignore format: long calls

  it("is aborted with its parts", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    assertDone(await upload.part(1, "1"));
    assertDone(await upload.abort(), 204);
    assertCode(await upload.abort(), 404, "NoSuchUpload");
    assertCode(await upload.part(2, "1"), 404, "NoSuchUpload");
    await host.uploads.removals.idle();
    assert.deepEqual([host.operations.values.size, host.operations.uploads.size], [0, 0]);
  });

  it("is completed on the conditions of a write", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    assertDone(await upload.part(1, "1"));
    const parts = [[1, etagOf("1")]] as const;
    assertCode(await upload.complete(parts, { "if-match": '"x"' }), 404, "NoSuchKey");
    const { etag = "" } = assertDone(await sendS3(host, { method: "PUT", path: "/all/a", body: "old" })).headers;
    assertCode(await upload.complete(parts, { "if-none-match": "*" }), 412, "PreconditionFailed");
    assertCode(await upload.complete(parts, { "if-match": '"x"' }), 412, "PreconditionFailed");
    assertDone(await upload.complete(parts, { "if-match": etag }));
  });

  it("is refused with a sentence if more is asked for than is done", async () => {
    await using host = await guarded();
    const begin = (headers: Headers): Promise<RawAnswer> =>
      sendS3(host, { method: "POST", path: "/all/a", query: { uploads: "" }, headers });
    for (const headers of [{ "x-amz-acl": "public-read" }, { "x-amz-server-side-encryption": "AES256" }, { "x-amz-tagging": "a=b" }]) {
      assertCode(await begin(headers as unknown as Headers), 501, "NotImplemented");
    }
    assertCode(await begin({ "x-amz-storage-class": "GLACIER" }), 400, "InvalidStorageClass");
    assertCode(await begin({ "x-amz-meta-a": "v".repeat(2_100) }), 400, "MetadataTooLarge");
    assertCode(await begin({ "x-amz-checksum-algorithm": "MD4" }), 400, "InvalidRequest");
    assertCode(await begin({ "x-amz-checksum-type": "COMPOSITE" }), 400, "InvalidRequest");
    assertCode(await begin({ "x-amz-checksum-algorithm": "SHA1", "x-amz-checksum-type": "FULL_OBJECT" }), 400, "InvalidRequest");
    const upload = await Upload.begin(host);
    for (const number of ["0", "10001", "x", "-1", "1.5", ""]) assertCode(await upload.part(number, "1"), 400, "InvalidArgument");
    for (const [method, query] of [
      ["DELETE", { uploadId: upload.id, partNumber: "1" }],
      ["POST", { uploadId: upload.id, partNumber: "1" }],
      ["GET", { uploadId: upload.id, partNumber: "1" }],
      ["POST", { uploads: "", acl: "" }],
      ["PUT", { uploadId: upload.id, partNumber: "1", acl: "" }],
      ["PUT", { partNumber: "1" }],
      ["HEAD", { uploadId: upload.id }],
    ] as const) {
      assert.equal((await sendS3(host, { method, path: "/all/a", query })).status, 501, `${method} ${Object.keys(query).join()}`);
    }
    assertDone(await upload.list());
  }); // biome-ignore format: a table

  it("needs values that may be too large to be buffered", async () => {
    for (const settings of [{ maxStreamBytes: 0 }, { maxValueBytes: 16_383 }]) {
      await using host = await guarded({}, settings);
      const begin: S3Request = { method: "POST", path: "/all/a", query: { uploads: "" } };
      assertCode(await sendS3(host, begin), 501, "NotImplemented");
    }
  });

  it("may be sent by presigned addresses", async () => {
    await using host = await guarded();
    const name = `127.0.0.1:${host.port}`;
    const upload = await Upload.begin(host);
    const query = { partNumber: "1", uploadId: upload.id };
    const target = await presignS3({ method: "PUT", path: "/all/a", query }, name);
    assert.equal(
      assertDone(await sendLines(host.port, "PUT", target, { host: name }, "1")).headers["etag"],
      etagOf("1"),
    );
    assertDone(await upload.complete([[1, etagOf("1")]]));
  });
});

describe("a part by S3", () => {
  it("is refused, and not there, if it is not what the request says of it", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    const wrong: [Headers, string | undefined, number, string][] = [
      [{}, hash("sha256", "other"), 400, "XAmzContentSHA256Mismatch"],
      [{ "content-md5": createHash("md5").update("other").digest("base64") }, undefined, 400, "BadDigest"],
      [{ "x-amz-checksum-crc32": "AAAAAA==" }, undefined, 400, "BadDigest"],
      [{ "x-amz-checksum-crc64nvme": "AAAAAAAAAAA=" }, undefined, 400, "BadDigest"],
      [{ "x-amz-decoded-content-length": "1" }, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", 400, "IncompleteBody"],
      [{ "x-amz-server-side-encryption-customer-algorithm": "AES256" }, undefined, 501, "NotImplemented"],
    ];
    for (const [headers, contentSha256, status, code] of wrong) {
      for (const size of [5, 200_000]) {
        const more = contentSha256 === undefined ? {} : { contentSha256 };
        assertCode(await upload.part(1, bytes(size), headers, more), status, code);
      }
    }
    assert.deepEqual(textsOf(assertDone(await upload.list()), "PartNumber"), []);
    const sent = [...host.operations.uploads.values()].map((parts) => parts.size);
    assert.deepEqual(sent, [0]);
  });

  it("comes in chunks, with a checksum after them", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host, "/all/a", { "x-amz-checksum-algorithm": "CRC32" });
    const value = bytes(100_000);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(value));
    const checksum = sum.toString("base64");
    const body = `186a0\r\n${value.toString()}\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`;
    const headers = { "content-encoding": "aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32", "x-amz-decoded-content-length": "100000" };
    const part = assertDone(await upload.part(1, body, headers, { contentSha256: "STREAMING-UNSIGNED-PAYLOAD-TRAILER" }));
    assert.deepEqual([part.headers["etag"], part.headers["x-amz-checksum-crc32"]], [etagOf(value), checksum]);
    const { "x-amz-decoded-content-length": _, ...without } = headers;
    assertCode(await upload.part(1, body, without, { contentSha256: "STREAMING-UNSIGNED-PAYLOAD-TRAILER" }), 411, "MissingContentLength");
    assertDone(await upload.complete([[1, etagOf(value)]]));
    assert.ok((await sendS3(host, { method: "GET", path: "/all/a" })).body.equals(value));
  }); // biome-ignore format: long calls

  it("may be empty", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    assert.equal(assertDone(await upload.part(1, "")).headers["etag"], etagOf(""));
    assertDone(await upload.complete([[1, etagOf("")]]));
    assert.equal((await sendS3(host, { method: "GET", path: "/all/a" })).body.length, 0);
  });

  it("larger than any value is refused before it is read", async () => {
    await using host = await guarded({}, { maxStreamBytes: 150_000 });
    const upload = await Upload.begin(host);
    const { calls } = host.operations;
    const query = { partNumber: "1", uploadId: upload.id };
    const headers = { "content-length": "150001" };
    const request: S3Request = { method: "PUT", path: "/all/a", query, headers, contentSha256: "UNSIGNED-PAYLOAD" };
    const signed = await signS3(request, `127.0.0.1:${host.port}`);
    const lines = Object.entries(signed.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    await using connection = await host.connect();
    // Nothing of it comes.
    connection.send(`PUT ${signed.target} HTTP/1.1\r\n${lines.join("")}\r\n`);
    assertCode(await connection.answer(), 400, "EntityTooLarge");
    assert.equal(host.operations.calls, calls + 1, "a look at the upload");
  });

  it("has its place among the uploads, and gives it back", async () => {
    await using host = await guarded({}, { uploads: 1 });
    const upload = await Upload.begin(host);
    for (let n = 0; n < 3; n++) assertDone(await upload.part(1, "1"));
    assertCode(await upload.part(1, "1", { "x-amz-checksum-crc32": "AAAAAA==" }), 400, "BadDigest");
    assertDone(await upload.part(1, "1"));
  });
});

describe("many parts by S3 at a time", () => {
  it("wait for their places, and are refused if they wait for too long", async (t) => {
    await using host = await guarded({}, { uploads: 2 });
    const upload = await Upload.begin(host);
    const { operations } = host;
    const send = operations.sendPart.bind(operations);
    let gate = Promise.withResolvers<void>();
    let underWay = 0;
    let most = 0;
    operations.sendPart = async (key, parted, part) => {
      most = Math.max(most, ++underWay);
      await gate.promise;
      underWay--;
      return await send(key, parted, part);
    };
    const six = Array.from({ length: 6 }, (_, n) => upload.part(n + 1, `part ${n + 1}`));
    while (underWay === 0) await new Promise(setImmediate);
    gate.resolve();
    for (const answer of await Promise.all(six)) assertDone(answer);
    assert.ok(most <= 2, String(most));
    gate = Promise.withResolvers<void>();
    const first = upload.part(1, "again");
    while (underWay === 0) await new Promise(setImmediate);
    // Each look at the clock takes a second.
    const began = systemClock.now();
    let seconds = 0;
    t.mock.method(systemClock, "now", () => began + ++seconds * 1_000);
    assertCode(await upload.part(2, "again"), 503, "SlowDown");
    t.mock.restoreAll();
    gate.resolve();
    assertDone(await first);
  });
});

describe("parts of several callers by S3", () => {
  it("have shares of the memory: one that sends nothing of what it says gives way to another one", async () => {
    await using host = await guarded({}, { uploadBytes: 10 * mebibyte });
    const modest = { accessKeyId: "MODEST", secretAccessKey: "a secret of another" };
    const other = { ...testKeyRule, name: "modest", accessKeyId: "MODEST", secret: modest.secretAccessKey };
    host.access.setRules({ tokens: [], s3Keys: [testKeyRule, other] });
    const upload = await Upload.begin(host);
    const slow = async (number: number, size: number): Promise<RawConnection> => {
      const query = { partNumber: String(number), uploadId: upload.id };
      const headers = { "content-length": String(size) };
      const request: S3Request = { method: "PUT", path: "/all/a", query, headers, contentSha256: "UNSIGNED-PAYLOAD" };
      const signed = await signS3(request, `127.0.0.1:${host.port}`);
      const lines = Object.entries(signed.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const connection = await host.connect();
      return connection.send(`PUT ${signed.target} HTTP/1.1\r\n${lines.join("")}\r\nv`);
    };
    const query = { partNumber: "2", uploadId: upload.id };
    const part: S3Request = { method: "PUT", path: "/all/a", query, body: full };
    const value: S3Request = { method: "PUT", path: "/all/b", body: full };
    for (const request of [part, value]) {
      await using greedy = await slow(1, 10 * mebibyte);
      while (host.server.shares.used("upload_bytes") === 0) await new Promise(setImmediate);
      const late = sleep(systemClock, 5_000).then(() => undefined);
      const answer = await Promise.race([sendS3(host, request, modest), late]);
      assert.ok(answer !== undefined, "the modest one waits");
      assertDone(answer);
      assertCode(await greedy.answer(), 503, "SlowDown");
      assert.equal(host.server.shares.used("upload_bytes"), 0);
    }
    assertCode(await upload.part(3, bytes(10 * mebibyte + 1)), 400, "EntityTooLarge");
    // What is given back is given back once.
    assertDone(await upload.part(3, bytes(10 * mebibyte)));
    assert.deepEqual([host.server.shares.used("upload_bytes"), host.server.shares.used("uploads")], [0, 0]);
  });
});

describe("a part that is copied by S3", () => {
  async function withSource(
    size: number,
    settings: Partial<HttpSettings> = {},
  ): Promise<{ host: HttpHost; source: Buffer; upload: Upload }> {
    const host = await guarded({}, { maxValueBytes: 8 * mebibyte, ...settings });
    const source = bytes(size, "the source ü");
    assertDone(await sendS3(host, { method: "PUT", path: "/photos/the%20%2Bsource", body: source }));
    return { host, source, upload: await Upload.begin(host, "/all/copy") };
  }
  const path = "/photos/the%20%2Bsource";

  it("is the whole of another object, or a range of it", async () => {
    const { host, source, upload } = await withSource(6 * mebibyte);
    await using _ = host;
    const ranged = assertDone(await upload.copy(1, path, { "x-amz-copy-source-range": `bytes=0-${5 * mebibyte - 1}` }));
    assert.deepEqual(textsOf(ranged, "ETag"), [etagOf(source.subarray(0, 5 * mebibyte)).replaceAll('"', "&#34;")]);
    assert.match(textsOf(ranged, "LastModified")[0] ?? "", /^\d{4}-.*Z$/);
    assertDone(await upload.copy(2, path));
    assertDone(
      await upload.complete([
        [1, etagOf(source.subarray(0, 5 * mebibyte))],
        [2, etagOf(source)],
      ]),
    );
    const { body } = await sendS3(host, { method: "GET", path: "/all/copy" });
    assert.ok(body.equals(Buffer.concat([source.subarray(0, 5 * mebibyte), source])));
  });

  it("is refused with a range that is not one, or not there", async () => {
    const { host, upload } = await withSource(5);
    await using _ = host;
    const copy = (range: string): Promise<RawAnswer> => upload.copy(1, path, { "x-amz-copy-source-range": range });
    assertCode(await copy("bytes=0-5"), 416, "InvalidRange");
    assertCode(await copy("bytes=5-21"), 416, "InvalidRange");
    for (const range of ["bytes=0", "0-2", "bytes=2-0", "bytes=hello-world", "bytes=0-bar", "bytes=hello-", "bytes=0-2,3-5", "bytes=-3", "bytes=0-", "units=0-2"]) {
      assertCode(await copy(range), 400, "InvalidArgument");
    }
    assertDone(await copy("bytes=0-4"));
    const { host: small, upload: narrow } = await withSource(6, { uploadBytes: 5 });
    await using __ = small;
    assertCode(await narrow.copy(1, path), 400, "EntityTooLarge");
    assertDone(await narrow.copy(1, path, { "x-amz-copy-source-range": "bytes=1-5" }));
  }); // biome-ignore format: a table

  it("is refused if its source is not there, or does not meet the conditions", async () => {
    const { host, source, upload } = await withSource(5);
    await using _ = host;
    assertCode(await upload.copy(1, "/photos/none"), 404, "NoSuchKey");
    assertCode(await upload.copy(1, "/none/none"), 404, "NoSuchBucket");
    assertCode(await upload.copy(1, "/photos"), 400, "InvalidArgument");
    assertCode(await upload.copy(1, `${path}?versionId=1`), 404, "NoSuchVersion");
    assertCode(await upload.copy(1, path, { "x-amz-copy-source-if-match": '"x"' }), 412, "PreconditionFailed");
    assertCode(await upload.copy(1, path, { "x-amz-copy-source-if-none-match": "*" }), 412, "PreconditionFailed");
    assertDone(await upload.copy(1, path, { "x-amz-copy-source-if-match": etagOf(source) }));
    assertDone(await upload.copy(2, `${path}?versionId=null`));
    assertDone(await upload.abort(), 204);
    assertCode(await upload.copy(1, path), 404, "NoSuchUpload");
  });
});

describe("checksums of a multipart upload by S3", () => {
  const parts = [full, bytes(1_000, "x")] as const;
  const whole = Buffer.concat(parts);
  const sha256 = (body: Buffer): Buffer => createHash("sha256").update(body).digest();
  const crc = (body: Buffer): Buffer => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    return sum;
  };

  it("are made of those of its parts: composite", async () => {
    await using host = await guarded();
    const begun = await sendS3(host, { method: "POST", path: "/all/a", query: { uploads: "" }, headers: { "x-amz-checksum-algorithm": "SHA256" } });
    assert.deepEqual([begun.headers["x-amz-checksum-algorithm"], begun.headers["x-amz-checksum-type"]], ["SHA256", "COMPOSITE"]);
    const upload = await Upload.begin(host, "/all/a", { "x-amz-checksum-algorithm": "SHA256" });
    for (const [index, part] of parts.entries()) {
      // The second one comes without its checksum. It is made all the same.
      const headers = index === 0 ? { "x-amz-checksum-sha256": sha256(part).toString("base64") } : {};
      const answer = assertDone(await upload.part(index + 1, part, headers));
      assert.equal(answer.headers["x-amz-checksum-sha256"], sha256(part).toString("base64"));
    }
    assertCode(await upload.part(3, "x", { "x-amz-checksum-crc32": "jNwbgw==" }), 400, "InvalidRequest");
    const listed = assertDone(await upload.list());
    assert.deepEqual(textsOf(listed, "ChecksumSHA256"), parts.map((part) => sha256(part).toString("base64")));
    assert.deepEqual([textsOf(listed, "ChecksumAlgorithm"), textsOf(listed, "ChecksumType")], [["SHA256"], ["COMPOSITE"]]);
    const composite = `${sha256(Buffer.concat(parts.map(sha256))).toString("base64")}-2`;
    const list = parts.map((part, index) => [index + 1, etagOf(part), `<ChecksumSHA256>${sha256(part).toString("base64")}</ChecksumSHA256>`] as const);
    const wrong = list.map(([number, etag]) => [number, etag, `<ChecksumSHA256>${sha256(whole).toString("base64")}</ChecksumSHA256>`] as const);
    assertCode(await upload.complete(wrong), 400, "InvalidPart");
    assertCode(await upload.complete(list, { "x-amz-checksum-sha256": sha256(whole).toString("base64") }), 400, "BadDigest");
    assertCode(await upload.complete(list, { "x-amz-checksum-sha256": "rubbish" }), 400, "InvalidRequest");
    const done = assertDone(await upload.complete(list, { "x-amz-checksum-sha256": composite }));
    assert.deepEqual([textsOf(done, "ChecksumSHA256"), textsOf(done, "ChecksumType")], [[composite], ["COMPOSITE"]]);
    assert.deepEqual(textsOf(assertDone(await upload.complete(list)), "ChecksumSHA256"), [composite]);
  }); // biome-ignore format: long calls

  it("are made of those of its parts: of the full object", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host, "/all/a", { "x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT" });
    for (const [index, part] of parts.entries()) assertDone(await upload.part(index + 1, part));
    const list = parts.map((part, index) => [index + 1, etagOf(part)] as const);
    assertCode(await upload.complete(list, { "x-amz-checksum-crc32": crc(full).toString("base64") }), 400, "BadDigest");
    const checksum = crc(whole).toString("base64");
    const done = assertDone(await upload.complete(list, { "x-amz-checksum-crc32": checksum, "x-amz-checksum-type": "FULL_OBJECT" }));
    assert.deepEqual([textsOf(done, "ChecksumCRC32"), textsOf(done, "ChecksumType")], [[checksum], ["FULL_OBJECT"]]);
  }); // biome-ignore format: long calls

  it("are checked for each part, also if the upload has none", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    const checksum = crc(Buffer.from("1")).toString("base64");
    assertDone(await upload.part(1, "1", { "x-amz-checksum-crc32": checksum }));
    const done = assertDone(await upload.complete([[1, etagOf("1"), `<ChecksumCRC32>${checksum}</ChecksumCRC32>`]]));
    assert.deepEqual(textsOf(done, "ChecksumCRC32"), []);
  });
});

describe("an object that came in parts by S3", () => {
  const parts = [full, full, bytes(1_000, "x")] as const;
  const whole = Buffer.concat(parts);

  async function sent(host: HttpHost, headers: Headers = {}, bodies: readonly Buffer[] = parts): Promise<RawAnswer> {
    const upload = await Upload.begin(host, "/all/a", { "x-amz-meta-a": "b", ...headers });
    for (const [index, body] of bodies.entries()) assertDone(await upload.part(2 * index + 5, body));
    return assertDone(await upload.complete(bodies.map((body, index) => [2 * index + 5, etagOf(body)])));
  }

  it("is read part by part", async () => {
    await using host = await guarded();
    await sent(host);
    const starts = [0, full.length, 2 * full.length];
    for (const [index, part] of parts.entries()) {
      const query = { partNumber: String(index + 1) };
      const read = assertDone(await sendS3(host, { method: "GET", path: "/all/a", query }), 206);
      assert.ok(read.body.equals(part));
      const start = starts[index] as number;
      assert.equal(read.headers["content-range"], `bytes ${start}-${start + part.length - 1}/${whole.length}`);
      const head = assertDone(await sendS3(host, { method: "HEAD", path: "/all/a", query }), 206);
      for (const { headers } of [read, head]) {
        assert.deepEqual([headers["x-amz-mp-parts-count"], headers["content-length"]], ["3", String(part.length)]);
      }
    }
    for (const partNumber of ["4", "10000"]) {
      assertCode(await sendS3(host, { method: "GET", path: "/all/a", query: { partNumber } }), 416, "InvalidPartNumber");
    }
    const { headers } = assertDone(await sendS3(host, { method: "GET", path: "/all/a" }));
    assert.deepEqual([headers["x-amz-mp-parts-count"], headers["x-amz-meta-s3-parts"], headers["x-amz-meta-a"]], [undefined, undefined, "b"]);
  });

  it("has its checksum, made as its client wanted it", async () => {
    await using host = await guarded();
    const kinds = [["CRC32", "COMPOSITE"], ["CRC32", "FULL_OBJECT"], ["CRC32C", "COMPOSITE"], ["CRC32C", "FULL_OBJECT"], ["CRC64NVME", "FULL_OBJECT"], ["SHA1", "COMPOSITE"], ["SHA256", "COMPOSITE"]] as const;
    for (const [algorithm, type] of kinds) {
      const bodies = algorithm === "SHA256" ? parts : [bytes(1_000, algorithm)];
      const done = await sent(host, { "x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": type }, bodies);
      const [checksum] = textsOf(done, `Checksum${algorithm}`);
      assert.match(checksum ?? "", type === "COMPOSITE" ? new RegExp(`=-${bodies.length}$`) : /=$/);
      for (const method of ["GET", "HEAD"]) {
        const read = assertDone(await sendS3(host, { method, path: "/all/a", headers: { "x-amz-checksum-mode": "ENABLED" } }));
        const { [`x-amz-checksum-${algorithm.toLowerCase()}`]: value, "x-amz-checksum-type": kind } = read.headers;
        assert.deepEqual([value, kind], [checksum, type]);
      }
      const attributes = assertDone(await sendS3(host, { method: "GET", path: "/all/a", query: { attributes: "" }, headers: { "x-amz-object-attributes": "Checksum" } }));
      assert.deepEqual([textsOf(attributes, `Checksum${algorithm}`), textsOf(attributes, "ChecksumType")], [[checksum], [type]]);
      const copy = assertDone(await sendS3(host, { method: "PUT", path: "/all/copy", headers: { "x-amz-copy-source": "/all/a" } }));
      assert.equal(textsOf(copy, "ETag").length, 1);
      const copied = assertDone(await sendS3(host, { method: "HEAD", path: "/all/copy", headers: { "x-amz-checksum-mode": "ENABLED" } }));
      assert.equal(copied.headers[`x-amz-checksum-${algorithm.toLowerCase()}`], type === "COMPOSITE" ? undefined : checksum);
      assertCode(await sendS3(host, { method: "GET", path: "/all/copy", query: { partNumber: "2" } }), 416, "InvalidPartNumber");
    }
  });

  it("tells its parts among its attributes, page by page", async () => {
    await using host = await guarded();
    await sent(host);
    const ask = (headers: Headers = {}) =>
      sendS3(host, { method: "GET", path: "/all/a", query: { attributes: "" }, headers: { "x-amz-object-attributes": "ObjectParts", ...headers } });
    const facts = (answer: RawAnswer) =>
      ["PartsCount", "PartNumberMarker", "NextPartNumberMarker", "MaxParts", "IsTruncated", "PartNumber", "Size"].map((name) => textsOf(answer, name).join());
    const [big, small] = [String(full.length), "1000"];
    assert.deepEqual(facts(assertDone(await ask())), ["3", "0", "3", "1000", "false", "1,2,3", `${big},${big},${small}`]);
    const second = { "x-amz-max-parts": "1", "x-amz-part-number-marker": "1" };
    assert.deepEqual(facts(assertDone(await ask(second))), ["3", "1", "2", "1", "true", "2", big]);
    assert.deepEqual(facts(assertDone(await ask({ "x-amz-part-number-marker": "9" }))), ["3", "9", "9", "1000", "false", "", ""]);
    assert.deepEqual(facts(assertDone(await ask({ "x-amz-max-parts": "0" }))), ["3", "0", "0", "0", "true", "", ""]);
    assertCode(await ask({ "x-amz-max-parts": "-1" }), 400, "InvalidArgument");
  });
}); // biome-ignore format: long calls

describe("listings of multipart uploads by S3", () => {
  it("have the parts of an upload, page by page", async () => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    for (const number of [3, 1, 20, 10_000]) assertDone(await upload.part(number, `part ${number}`));
    const all = assertDone(await upload.list());
    assert.deepEqual(textsOf(all, "PartNumber"), ["1", "3", "20", "10000"]);
    assert.deepEqual(textsOf(all, "Size"), ["6", "6", "7", "10"]);
    assert.deepEqual(textsOf(all, "IsTruncated"), ["false"]);
    const numbers: string[] = [];
    for (let marker = "0", more = true; more; ) {
      const page = assertDone(await upload.list({ "max-parts": "1", "part-number-marker": marker }));
      numbers.push(...textsOf(page, "PartNumber"));
      [marker = ""] = textsOf(page, "NextPartNumberMarker");
      more = textsOf(page, "IsTruncated")[0] === "true";
    }
    assert.deepEqual(numbers, ["1", "3", "20", "10000"]);
    assert.deepEqual(textsOf(assertDone(await upload.list({ "max-parts": "0" })), "PartNumber"), []);
    assertCode(await upload.list({ "max-parts": "-1" }), 400, "InvalidArgument");
    for (const marker of ["9999", "10000", "10001", "9999999999"]) {
      const page = assertDone(await upload.list({ "part-number-marker": marker }));
      assert.deepEqual(textsOf(page, "PartNumber"), marker === "9999" ? ["10000"] : []);
    }
  });

  async function begun(host: HttpHost): Promise<Map<string, string>> {
    const ids = new Map<string, string>();
    for (const key of ["p/a", "p/b/1", "p/b/2", "p/c d+é", "other"]) {
      const path = `/all/${encodeURIComponent(key).replaceAll("%2F", "/")}`;
      ids.set(key, (await Upload.begin(host, path)).id);
    }
    return ids;
  }

  it("have the uploads of a bucket by their keys, and no values of weir's own", async () => {
    await using host = await guarded();
    const ids = await begun(host);
    const list = (path: string, query: Headers = {}): Promise<RawAnswer> =>
      sendS3(host, { method: "GET", path, query: { uploads: "", ...query } });
    const all = assertDone(await list("/all"));
    assert.deepEqual(textsOf(all, "Key"), ["other", "p/a", "p/b/1", "p/b/2", "p/c d+é"]);
    assert.deepEqual(textsOf(all, "UploadId"), ["other", "p/a", "p/b/1", "p/b/2", "p/c d+é"].map((key) => ids.get(key)));
    assert.match(textsOf(all, "Initiated")[0] ?? "", /^\d{4}-.*Z$/);
    const photos = assertDone(await list("/photos", { delimiter: "/", "encoding-type": "url" }));
    assert.deepEqual([textsOf(photos, "Key"), textsOf(photos, "Prefix")], [["a", "c%20d%2B%C3%A9"], ["", "b/"]]);
    assert.deepEqual(textsOf(assertDone(await list("/photos", { prefix: "b/" })), "Key"), ["b/1", "b/2"]);
    const objects = assertDone(await sendS3(host, { method: "GET", path: "/all" }));
    assert.deepEqual(textsOf(objects, "Key"), []);
    const own = assertDone(await sendS3(host, { method: "GET", path: "/all", query: { prefix: ".weir/s3-uploads/" } }));
    assert.deepEqual(textsOf(own, "Key"), []);
    assertCode(await list("/all", { "encoding-type": "x" }), 400, "InvalidArgument");
    assertCode(await list("/all", { "max-uploads": "x" }), 400, "InvalidArgument");
    assertCode(await list("/none"), 404, "NoSuchBucket");
  }); // biome-ignore format: long calls

  it("have them page by page, several of one key and common prefixes among them", async () => {
    await using host = await guarded();
    await begun(host);
    for (let n = 0; n < 3; n++) await Upload.begin(host, "/photos/a");
    for (const [delimiter, expected] of [["", 7], ["/", 6]] as const) {
      const found: string[] = [];
      for (let markers: Headers = {}, more = true; more; ) {
        const query = { uploads: "", "max-uploads": "1", delimiter, ...markers };
        const page = assertDone(await sendS3(host, { method: "GET", path: "/photos", query }));
        found.push(...textsOf(page, "UploadId"), ...textsOf(page, "Prefix").filter((each) => each !== ""));
        const [keyMarker = ""] = textsOf(page, "NextKeyMarker");
        const [idMarker = ""] = textsOf(page, "NextUploadIdMarker");
        markers = { "key-marker": keyMarker, "upload-id-marker": idMarker };
        more = textsOf(page, "IsTruncated")[0] === "true";
        assert.ok(found.length <= expected, found.join());
      }
      assert.equal(new Set(found).size, expected, found.join());
    }
  }); // biome-ignore format: a table
});

describe("a multipart upload that takes the store long to complete", () => {
  it("is answered with its status and blanks meanwhile, and with its document in the end", async (t) => {
    await using host = await guarded();
    const upload = await Upload.begin(host);
    assertDone(await upload.part(1, "1"));
    const after = systemClock.after.bind(systemClock);
    // 10 seconds pass in 20 milliseconds.
    t.mock.method(systemClock, "after", (ms: number, callback: () => void) => after(ms === 10_000 ? 20 : ms, callback));
    const { operations } = host;
    const complete = operations.completeUpload.bind(operations);
    const { promise: slow, resolve: goOn } = Promise.withResolvers<void>();
    operations.completeUpload = async (operation) => {
      await slow;
      return await complete(operation);
    };
    const send = async ({ id }: Upload, more: Headers): Promise<Response> => {
      const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etagOf("1")}</ETag></Part></CompleteMultipartUpload>`;
      const request: S3Request = { method: "POST", path: "/all/a", query: { uploadId: id }, headers: more, body };
      const { target, headers } = await signS3(request, `127.0.0.1:${host.port}`);
      // It resolves when the head of the answer is there.
      return await fetch(`http://127.0.0.1:${host.port}${target}`, { method: "POST", headers, body });
    };
    const late = await Upload.begin(host);
    assertDone(await late.part(1, "1"));
    const [done, failed] = await Promise.all([send(upload, {}), send(late, { "if-match": '"x"' })]);
    assert.deepEqual([done.status, failed.status], [200, 200]);
    goOn();
    assert.match(await done.text(), /^<\?xml [^>]*\?>\n +<CompleteMultipartUploadResult .*<\/CompleteMultipartUploadResult>$/);
    assert.match(await failed.text(), /^<\?xml [^>]*\?>\n +<Error><Code>(PreconditionFailed|NoSuchKey)<.*<\/Error>$/);
  }); // biome-ignore format: long calls
});

describe("a part that takes the store long", () => {
  const stallMs = 300;

  /** Sends a part of 5 MiB that the store takes three times as long for as a connection may be still. */
  async function sendSlowly(partBytes: number): Promise<RawAnswer> {
    await using host = await guarded({}, { stallMs, partBytes });
    const upload = await Upload.begin(host);
    const { operations } = host;
    const sendPart = operations.sendPart.bind(operations);
    operations.sendPart = async (...part) => {
      await sleep(systemClock, 3 * stallMs);
      return await sendPart(...part);
    };
    return await upload.part(1, full);
  }

  it("is waited for by its size, while nothing moves on its connection", async () => {
    assertDone(await sendSlowly(mebibyte));
  });

  it("is not waited for without end", async () => {
    await assert.rejects(sendSlowly(8 * mebibyte), /the connection ended within an answer/);
  });
});
