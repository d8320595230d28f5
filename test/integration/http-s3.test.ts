/** S3 as a client meets it over HTTP: who is let in, what the operations do, and what the errors look like. */

import assert from "node:assert/strict";
import { createHash, hash } from "node:crypto";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { Crc64Nvme } from "@aws-sdk/checksums/crc";
import { OperatingError } from "../../src/base/errors.ts";
import type { HttpSettings } from "../../src/http/server/http-settings.ts";
import { Turns } from "../../src/http/server/turns.ts";
import type { S3Rules } from "../../src/s3/buckets.ts";
import { systemClock } from "../../src/system.ts";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { type RawAnswer, RawConnection, rawRequest } from "../harness/raw-http.ts";
import {
  codeIn,
  presignS3,
  presignV2,
  type S3Request,
  sendLines,
  sendS3,
  signS3,
  testKey,
  testKeyRule,
} from "../harness/s3-request.ts";
import { putOf } from "../harness/write-operations.ts";

const rules: S3Rules = {
  buckets: [
    { name: "all", prefix: "" },
    { name: "photos", prefix: "p/" },
  ],
  createBuckets: true,
  domain: "s3.test",
};

async function guarded(key: object = {}, settings: Partial<HttpSettings> = {}): Promise<HttpHost> {
  const host = await HttpHost.start(
    { maxValueBytes: 100_000, maxStreamBytes: 10_000_000, ...settings },
    { s3: rules, s3Alone: true },
  );
  host.access.setRules({ tokens: [], s3Keys: [{ ...testKeyRule, ...key }] });
  return host;
}

const put = (path: string, body: string | Buffer, headers: S3Request["headers"] = {}): S3Request => ({
  method: "PUT",
  path,
  body,
  headers,
});
const get = (path: string, query: S3Request["query"] = {}, headers: S3Request["headers"] = {}): S3Request => ({
  method: "GET",
  path,
  query,
  headers,
});

function assertCode(answer: RawAnswer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.body.toString());
  assert.equal(codeIn(answer), code, answer.body.toString());
  assert.equal(answer.headers["content-type"], "application/xml");
  assert.match(answer.headers["x-amz-request-id"] ?? "", /^[0-9A-F]{16}$/);
  assert.ok(answer.body.includes(`<RequestId>${answer.headers["x-amz-request-id"]}</RequestId>`));
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

describe("the id of a request", () => {
  it("is that of no other request", async () => {
    await using host = await guarded();
    await using connection = await RawConnection.open(host.s3Port);
    const ids = new Set<string | undefined>();
    for (let count = 0; count < 600; count++) {
      const answer = await connection.send(rawRequest("GET", "/all/a")).answer();
      assertCode(answer, 403, "AccessDenied");
      ids.add(answer.headers["x-amz-request-id"]);
    }
    assert.equal(ids.size, 600);
  });
});

describe("who is let in by a signature", () => {
  it("is who has a key; others get S3's error, and nothing is done", async () => {
    await using host = await guarded();
    assertDone(await sendS3(host, put("/all/a", "1")));
    const other = { ...testKey, accessKeyId: "SOMEBODY" };
    assertCode(await sendS3(host, put("/all/a", "2"), other), 403, "InvalidAccessKeyId");
    const wrong = { ...testKey, secretAccessKey: "wrong" };
    assertCode(await sendS3(host, put("/all/a", "2"), wrong), 403, "SignatureDoesNotMatch");
    assert.equal(host.operations.values.get("a")?.value?.toString(), "1");
    assert.equal(host.operations.calls, 1);
  });

  it("is no one whose request was changed on its way", async () => {
    await using host = await guarded();
    const name = `127.0.0.1:${host.port}`;
    const { target, headers } = await signS3(put("/all/a", "1", { "x-amz-meta-a": "1" }), name);
    const changed: [string, string, typeof headers, string][] = [
      ["PUT", "/all/b", headers, "1"],
      ["DELETE", target, headers, ""],
      ["PUT", target, { ...headers, "x-amz-meta-a": "2" }, "1"],
      ["PUT", target, { ...headers, "x-amz-meta-b": "2" }, "1"],
      ["PUT", target, { ...headers, host: `localhost:${host.port}` }, "1"],
      ["PUT", target, headers, "2"],
      ["PUT", `${target}?acl`, headers, "1"],
    ];
    for (const [method, path, fields, body] of changed) {
      const answer = await sendLines(host.port, method, path, fields, method === "DELETE" ? undefined : body);
      assert.ok([400, 403].includes(answer.status), `${method} ${path}: ${answer.body.toString()}`);
    }
    assert.equal(host.operations.values.size, 0);
    assertDone(await sendLines(host.port, "PUT", target, headers, "1"));
  });

  it("has the rights of the key, and the keys that begin with its prefix", async () => {
    await using host = await guarded({ allow: ["read"], prefix: "p/" });
    assertCode(await sendS3(host, put("/photos/a", "1")), 403, "AccessDenied");
    assertCode(await sendS3(host, get("/photos/a")), 404, "NoSuchKey");
    assertCode(await sendS3(host, get("/all/a")), 403, "AccessDenied");
    assertCode(await sendS3(host, get("/all", { prefix: "" })), 403, "AccessDenied");
    assertDone(await sendS3(host, get("/all", { prefix: "p/x" })));
    assert.deepEqual(textsOf(assertDone(await sendS3(host, get("/"))), "Name"), ["all", "photos"]);
    host.access.setRules({ tokens: [], s3Keys: [{ ...testKeyRule, prefix: "q/" }] });
    assert.deepEqual(textsOf(assertDone(await sendS3(host, get("/"))), "Name"), ["all"]);
    host.operations.values.clear();
    assertDone(await sendS3(host, put("/all/q/to", "1")));
    const copy = put("/all/q/copy", "", { "x-amz-copy-source": "/all/p/secret" });
    assertCode(await sendS3(host, copy), 403, "AccessDenied");
    const xml = "<Delete><Object><Key>q/to</Key></Object><Object><Key>p/x</Key></Object></Delete>";
    const answer = await sendS3(host, { method: "POST", path: "/all", query: { delete: "" }, body: xml });
    assert.deepEqual(textsOf(assertDone(answer), "Code"), ["AccessDenied"]);
  });

  it("may use only what was signed byte by byte", async () => {
    await using host = await guarded();
    const voila = Buffer.from("voilà").toString("latin1");
    const utf8 = await signS3(put("/all/a", "1", { "x-amz-meta-a": "voilà" }), `127.0.0.1:${host.port}`);
    assertDone(await sendLines(host.port, "PUT", utf8.target, { ...utf8.headers, "x-amz-meta-a": voila }, "1"));
    assert.equal(host.operations.values.get("a")?.info.headers["x-weir-meta-a"], voila);
    const { target, headers } = await signS3(put("/all/a", "2", { "x-amz-meta-a": "b" }), `127.0.0.1:${host.port}`);
    const changed = { ...headers, "x-amz-meta-a": "b\u00a0" };
    assertCode(await sendLines(host.port, "PUT", target, changed, "2"), 403, "SignatureDoesNotMatch");
    const read = await signS3(get("/all/a"), `127.0.0.1:${host.port}`);
    const other = { ...read.headers, "if-match": "\u00a0*" };
    assertCode(await sendLines(host.port, "GET", read.target, other), 412, "PreconditionFailed");
    const twice = await signS3(put("/all/a", "2", { "x-amz-meta-a": "b,c" }), `127.0.0.1:${host.port}`);
    const repeated = { ...twice.headers, "x-amz-meta-a": "b\r\nx-amz-meta-a: c" };
    assertCode(await sendLines(host.port, "PUT", twice.target, repeated, "2"), 400, "InvalidArgument");
    const name = `127.0.0.1:${host.port}`;
    const split = await presignS3({ method: "PUT", path: "/all/a", query: { "x-amz-meta-a": "1\r\nevil" } }, name);
    assertCode(await sendLines(host.port, "PUT", split, { host: name }, "2"), 400, "InvalidArgument");
    assert.equal(host.operations.values.get("a")?.value?.toString(), "1");
  });

  it("may send one value of what an object has one of, however it was signed", async () => {
    await using host = await guarded();
    for (const [name, first, second] of [
      ["content-type", "a/b", "c/d"],
      ["content-disposition", 'attachment; filename="a', 'b"'],
      ["expires", "a", "b"],
      // node:http keeps one of them, which is what both say.
      ["content-type", "a/b", "a/b"],
      ["expires", "a", "a"],
    ] as const) {
      const request = put("/all/a", "1", { [name]: `${first},${second}` });
      const { target, headers } = await signS3(request, `127.0.0.1:${host.port}`);
      const split = { ...headers, [name]: `${first}\r\n${name.toUpperCase()}: ${second}` };
      assertCode(await sendLines(host.port, "PUT", target, split, "1"), 400, "InvalidArgument");
      assert.equal(host.operations.calls, 0);
    }
  });

  it("may send another body than the presigner had, but none that breaks a checksum in the query", async () => {
    await using host = await guarded();
    const name = `127.0.0.1:${host.port}`;
    const send = async (checksum: string): Promise<RawAnswer> => {
      const query = { "x-amz-checksum-crc32": checksum, "x-amz-sdk-checksum-algorithm": "CRC32" };
      const target = await presignS3({ method: "PUT", path: "/all/a", query }, name);
      return await sendLines(host.port, "PUT", target, { host: name }, "hello");
    };
    assertDone(await send("AAAAAA=="));
    assertDone(await send("NhCmhg=="));
    assertCode(await send("NhCmhw=="), 400, "BadDigest");
  });

  it("lets a page of any site show a value by a presigned address, and no other", async () => {
    await using host = await guarded();
    const name = `127.0.0.1:${host.port}`;
    const policy = async (method: string, target: string, headers: Record<string, string>): Promise<unknown> =>
      (await sendLines(host.port, method, target, headers)).headers["cross-origin-resource-policy"];
    assertDone(await sendS3(host, put("/all/a", "1")));
    const target = await presignS3(get("/all/a"), name);
    assert.equal(await policy("GET", target, { host: name }), "cross-origin");
    assert.equal(await policy("GET", target.replace(/Signature=./, "Signature=x"), { host: name }), "same-origin");
    assert.equal((await sendS3(host, get("/all/a"))).headers["cross-origin-resource-policy"], "same-origin");
    host.access.setRules({ names: [] });
    assert.equal(await policy("GET", target, { host: name }), "same-origin");
  });

  it("may send it in the query, until it expires", async () => {
    await using host = await guarded();
    const name = `127.0.0.1:${host.port}`;
    const target = await presignS3({ method: "PUT", path: "/all/a%20b" }, name);
    assertDone(await sendLines(host.port, "PUT", target, { host: name }, "anything"));
    assert.equal(host.operations.values.get("a b")?.value?.toString(), "anything");
    const late = new Date(Date.now() - 120_000);
    const expired = await presignS3({ method: "GET", path: "/all/a%20b" }, name, 60, testKey, late);
    assertCode(await sendLines(host.port, "GET", expired, { host: name }), 403, "AccessDenied");
    const override = get("/all/a%20b", {
      "response-content-type": "text/x",
      "response-content-disposition": 'a; b="ü"',
    });
    const read = assertDone(await sendLines(host.port, "GET", await presignS3(override, name), { host: name }));
    assert.equal(read.headers["content-type"], "text/x");
    assert.equal(read.headers["content-disposition"], Buffer.from('a; b="ü"').toString("latin1"));
    const split = await presignS3(get("/all/a%20b", { "response-content-type": "a\r\nx: y" }), name);
    assertCode(await sendLines(host.port, "GET", split, { host: name }), 400, "InvalidArgument");
  });

  it("may presign by version 2, which says what is put and what is read", async () => {
    await using host = await guarded();
    const name = `127.0.0.1:${host.port}`;
    const send = (method: string, target: string, body?: string, headers = {}): Promise<RawAnswer> =>
      sendLines(host.port, method, target, { host: name, ...headers }, body);
    const md5 = createHash("md5").update("anything").digest("base64");
    const headers = { "content-type": "text/x", "content-md5": md5, "x-amz-meta-owner": "voilà" };
    const target = presignV2(put("/photos/a%20b%C3%BC", "", headers));
    assertCode(await send("PUT", target, "another thing"), 400, "BadDigest");
    assertCode(await send("PUT", target, "anything", { "content-type": "text/y" }), 400, "InvalidArgument");
    assertDone(await send("PUT", target, "anything"));
    assertDone(await send("PUT", target, "anything", { "content-type": "text/x" }));
    const { value, info } = host.operations.values.get("p/a bü") ?? {};
    assert.equal(value?.toString(), "anything");
    assert.equal(info?.headers["content-type"], "text/x");
    assert.equal(info?.headers["x-weir-meta-owner"], Buffer.from("voilà").toString("latin1"));
    const disposition = 'attachment; filename="a & b.txt"';
    const path = "/photos/a%20b%C3%BC";
    const override = presignV2(get(path, { "response-content-disposition": disposition, "response-expires": "0" }));
    const read = assertDone(await send("GET", override, undefined, { range: "bytes=3-7" }), 206);
    assert.equal(read.body.toString(), "thing");
    assert.equal(read.headers["content-disposition"], disposition);
    assert.equal(read.headers["cross-origin-resource-policy"], "cross-origin");
    const ofHost = { host: `photos.s3.test:${host.port}` };
    const inHost = presignV2(get(path)).slice("/photos".length);
    assert.equal((await sendLines(host.port, "GET", inHost, ofHost)).body.toString(), "anything");
    assertCode(await sendLines(host.port, "GET", inHost, { host: "all.s3.test" }), 403, "SignatureDoesNotMatch");
    assertCode(await send("GET", presignV2(get(path), -1)), 403, "AccessDenied");
    assertCode(await send("GET", presignV2(get("/photos/"), 60).replace("?", "?prefix=a&")), 403, "AccessDenied");
    assertCode(await send("DELETE", presignV2(get(path))), 403, "SignatureDoesNotMatch");
    assertDone(await send("HEAD", presignV2({ method: "HEAD", path })));
    assertDone(await send("DELETE", presignV2({ method: "DELETE", path })), 204);
    assert.equal(host.operations.values.has("p/a bü"), false);
    const escaped = presignV2(get(path)).replace("&Signature=", "&Sign%61ture=");
    assertCode(await send("GET", escaped), 404, "NoSuchKey");
    const targets = host.debugLines.map(({ fields }) => String(fields?.["target"]));
    assert.ok(targets.length > 10 && targets.every((each) => /[?&]Sign(?:a|%61)ture=\.\.\.(?:&|$)/.test(each)));
    host.access.setRules({ names: [] });
    assertDone(await send("PUT", presignV2(put("/all/c", "", { "content-type": "text/x" }), -1), "2"));
    assert.equal(host.operations.values.get("c")?.info.headers["content-type"], "text/x");
  });

  it("has nothing to do with tokens, and tokens nothing with it", async () => {
    await using host = await guarded();
    assertProblem(await host.request("GET", "/kv/a"), 401, "unauthorized");
    const headers = [`Authorization: Bearer ${testKey.secretAccessKey}`];
    assertProblem(await host.request("GET", "/kv/a", headers), 401, "unauthorized");
    for (const path of ["/cluster", "/metrics", "/kv/a"]) {
      assertCode(await sendS3(host, get(path)), 404, "NoSuchBucket");
    }
  });

  it("is anyone where there is no auth, but no page of another site", async () => {
    await using host = await HttpHost.start({}, { s3: rules });
    const headers = { host: `127.0.0.1:${host.port}`, authorization: "AWS4-HMAC-SHA256 anything" };
    assertDone(await sendLines(host.port, "PUT", "/all/a", headers, "1"));
    assert.equal(host.operations.values.get("a")?.value?.toString(), "1");
    const page = { ...headers, origin: "http://evil.example" };
    const body = "<Delete><Object><Key>a</Key></Object></Delete>";
    assertCode(await sendLines(host.port, "POST", "/all?delete", page, body), 403, "AccessDenied");
    const simple = { host: headers.host, origin: "http://evil.example", "content-type": "text/plain" };
    const target = "/all?delete&X-Amz-Algorithm=AWS4-HMAC-SHA256";
    assertCode(await sendLines(host.port, "POST", target, simple, body), 403, "AccessDenied");
    const rebound = { ...headers, host: "evil.example" };
    assertCode(await sendLines(host.port, "GET", "/all/a", rebound), 403, "AccessDenied");
    assertDone(await sendLines(host.port, "GET", "/a", { ...headers, host: "all.s3.test" }));
    assert.equal(host.operations.values.size, 1);
  });

  it("is judged before a body is asked for", async () => {
    await using host = await guarded();
    const wrong = { ...testKey, secretAccessKey: "wrong" };
    const { target, headers } = await signS3(put("/all/a", "12345"), `127.0.0.1:${host.port}`, wrong);
    const lines = Object.entries({ ...headers, expect: "100-continue", "content-length": "5" });
    await using connection = await RawConnection.open(host.port);
    const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    assertCode(await connection.send(`PUT ${target} HTTP/1.1\r\n${text}\r\n`).answer(), 403, "SignatureDoesNotMatch");
  });
});

describe("the port that speaks S3 alone", () => {
  it("takes requests without a signature only where there is no auth", async () => {
    await using host = await guarded();
    const headers = { host: `127.0.0.1:${host.s3Port}` };
    assertCode(await sendLines(host.s3Port, "GET", "/all/a", headers), 403, "AccessDenied");
    const bearer = { ...headers, authorization: "Bearer weir_x" };
    assertCode(await sendLines(host.s3Port, "GET", "/all/a", bearer), 400, "AuthorizationHeaderMalformed");
    host.access.setRules({ names: [] });
    assertDone(await sendLines(host.s3Port, "PUT", "/all/a", headers, "1"));
    assertDone(await sendLines(host.s3Port, "GET", "/all/a", headers));
    assertCode(await sendLines(host.s3Port, "GET", "/kv/a", headers), 404, "NoSuchBucket");
    assertProblem(await host.request("GET", "/all/a"), 404, "route_not_found");
  });
});

describe("a value by S3", () => {
  it("is the same by the node's own routes, with its headers and metadata", async () => {
    await using host = await HttpHost.start({}, { s3: rules });
    const headers = {
      "content-type": "text/plain",
      "content-encoding": "gzip",
      "cache-control": "max-age=1",
      "content-language": "de, en",
      expires: "Tue, 01 Dec 2026 12:00:00 GMT",
      "x-amz-meta-owner": "ada",
      "x-amz-meta-part_of.it": "yes",
      "x-amz-acl": "private",
      "x-amz-storage-class": "STANDARD",
    };
    const done = assertDone(await sendS3(host, put("/photos/a/../b//c%2Bd", "value", headers)));
    assert.equal(done.headers["etag"], `"${hash("md5", "value")}"`);
    const native = await host.request("GET", "/kv/p/a/../b//c+d");
    assert.equal(native.body.toString(), "value");
    assert.equal(native.headers["x-weir-meta-owner"], "ada");
    assert.equal(native.headers["content-encoding"], "gzip");
    const read = assertDone(await sendS3(host, get("/all/p/a/../b//c%2Bd")));
    assert.equal(read.body.toString(), "value");
    assert.equal(read.headers["x-amz-meta-owner"], "ada");
    assert.equal(read.headers["x-amz-meta-part_of.it"], "yes");
    assert.equal(read.headers["cache-control"], "max-age=1");
    assert.equal(read.headers["content-language"], "de, en");
    assert.equal(read.headers["expires"], headers.expires);
    assert.equal(read.headers["etag"], done.headers["etag"]);
    assert.equal(read.headers["content-length"], "5");
    const head = assertDone(await sendS3(host, { method: "HEAD", path: "/photos/a/../b//c%2Bd" }));
    assert.deepEqual(
      { ...head.headers, "x-amz-request-id": "", date: "" },
      { ...read.headers, "x-amz-request-id": "", date: "" },
    );
    assertDone(await sendS3(host, { method: "DELETE", path: "/photos/a/../b//c%2Bd" }), 204);
    assertDone(await sendS3(host, { method: "DELETE", path: "/photos/a/../b//c%2Bd" }), 204);
    assert.equal((await sendS3(host, { method: "HEAD", path: "/photos/a/../b//c%2Bd" })).status, 404);
  });

  it("is answered so that caches ask first, unless its writer or the query says how it may be cached (R1)", async () => {
    await using host = await HttpHost.start({}, { s3: rules });
    assertDone(await sendS3(host, put("/all/plain", "value")));
    assertDone(await sendS3(host, put("/all/said", "value", { expires: "Tue, 01 Dec 2026 12:00:00 GMT" })));
    const caching = async (request: S3Request): Promise<unknown> =>
      (await sendS3(host, request)).headers["cache-control"];
    const changed = { "if-none-match": `"${hash("md5", "value")}"` };
    assert.equal(await caching(get("/all/plain")), "no-cache");
    assert.equal(await caching({ method: "HEAD", path: "/all/plain" }), "no-cache");
    assert.equal((await sendS3(host, get("/all/plain", {}, changed))).status, 304);
    assert.equal(await caching(get("/all/plain", {}, changed)), "no-cache");
    assert.equal(await caching(get("/all/plain", { "response-cache-control": "max-age=5" })), "max-age=5");
    assert.equal(await caching(get("/all/said")), undefined);
  });

  it("has attributes, those that are asked for", async () => {
    await using host = await guarded();
    const sha256 = hash("sha256", "12345", "base64");
    assertDone(await sendS3(host, put("/all/a", "12345", { "x-amz-checksum-sha256": sha256 })));
    const ask = (names: string) =>
      sendS3(host, get("/all/a", { attributes: "" }, { "x-amz-object-attributes": names }));
    const all = assertDone(await ask("ETag, Checksum,ObjectParts,StorageClass,ObjectSize"));
    const namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
    const checksum = `<Checksum><ChecksumSHA256>${sha256}</ChecksumSHA256><ChecksumType>FULL_OBJECT</ChecksumType></Checksum>`;
    assert.equal(
      all.body.toString().split("\n")[1],
      `<GetObjectAttributesResponse ${namespace}><ETag>${hash("md5", "12345")}</ETag>${checksum}<StorageClass>STANDARD</StorageClass><ObjectSize>5</ObjectSize></GetObjectAttributesResponse>`,
    );
    assert.match(all.headers["last-modified"] ?? "", / GMT$/);
    const size = assertDone(await ask("ObjectSize")).body.toString();
    assert.match(size, /^[^\n]+\n<GetObjectAttributesResponse [^>]+><ObjectSize>5<\/ObjectSize><\/GetObject/);
    for (const names of ["", "Size", "ETag,"]) assertCode(await ask(names), 400, "InvalidArgument");
    const missing = get("/all/b", { attributes: "" }, { "x-amz-object-attributes": "ETag" });
    assertCode(await sendS3(host, missing), 404, "NoSuchKey");
  });

  it("has ranges, parts and conditions", async () => {
    await using host = await guarded();
    const { etag = "" } = assertDone(await sendS3(host, put("/all/a", "0123456789"))).headers;
    const range = assertDone(await sendS3(host, get("/all/a", {}, { range: "bytes=2-3" })), 206);
    assert.equal(range.body.toString(), "23");
    assert.equal(range.headers["content-range"], "bytes 2-3/10");
    assertCode(await sendS3(host, get("/all/a", {}, { range: "bytes=10-" })), 416, "InvalidRange");
    assertDone(await sendS3(host, get("/all/a", {}, { range: "rubbish" })));
    assertDone(await sendS3(host, get("/all/a", { partNumber: "1" })), 206);
    assertCode(await sendS3(host, get("/all/a", { partNumber: "2" })), 416, "InvalidPartNumber");
    for (const tag of [etag, etag.replaceAll('"', ""), "*"]) {
      assertDone(await sendS3(host, get("/all/a", {}, { "if-match": tag })));
      assertDone(await sendS3(host, get("/all/a", {}, { "if-none-match": tag })), 304);
    }
    assertCode(await sendS3(host, get("/all/a", {}, { "if-match": '"x"' })), 412, "PreconditionFailed");
    assertCode(await sendS3(host, put("/all/a", "2", { "if-none-match": "*" })), 412, "PreconditionFailed");
    assertCode(await sendS3(host, put("/all/a", "2", { "if-match": '"x"' })), 412, "PreconditionFailed");
    assertCode(await sendS3(host, put("/all/b", "2", { "if-match": '"x"' })), 404, "NoSuchKey");
    assertDone(await sendS3(host, put("/all/a", "2", { "if-match": etag })));
    assertDone(await sendS3(host, put("/all/b", "2", { "if-none-match": "*" })));
    assertCode(
      await sendS3(host, { method: "DELETE", path: "/all/a", headers: { "if-match": etag } }),
      412,
      "PreconditionFailed",
    );
  });

  it("is refused, and not stored, if it is not what the request says of it", async () => {
    await using host = await guarded();
    const wrong: [S3Request["headers"], string | undefined, string][] = [
      [{}, hash("sha256", "other"), "XAmzContentSHA256Mismatch"],
      [{ "content-md5": createHash("md5").update("other").digest("base64") }, undefined, "BadDigest"],
      [{ "content-md5": "rubbish" }, undefined, "InvalidDigest"],
      [{ "x-amz-checksum-sha1": createHash("sha1").update("other").digest("base64") }, undefined, "BadDigest"],
      [{ "x-amz-checksum-crc32": "AAAAAA==" }, undefined, "BadDigest"],
      [{ "x-amz-checksum-crc32c": "AAAAAA==" }, undefined, "BadDigest"],
      [{ "x-amz-checksum-crc64nvme": "AAAAAAAAAAA=" }, undefined, "BadDigest"],
      [{ "x-amz-checksum-crc32": "AAAA" }, undefined, "InvalidRequest"],
      [{ "x-amz-checksum-sha512": "AAAA" }, undefined, "InvalidRequest"],
      [{ "x-amz-checksum-type": "COMPOSITE" }, undefined, "InvalidRequest"],
      [{ "x-amz-sdk-checksum-algorithm": "SHA256" }, undefined, "InvalidRequest"],
      [{ "x-amz-trailer": "x-amz-checksum-crc32" }, undefined, "InvalidRequest"],
      [{ "x-amz-decoded-content-length": "5" }, undefined, "InvalidRequest"],
      [{ "content-encoding": "gzip, AWS-chunked" }, "UNSIGNED-PAYLOAD", "InvalidRequest"],
      [{}, "rubbish", "InvalidArgument"],
      [{}, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"],
      [{ "x-amz-decoded-content-length": "1" }, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "IncompleteBody"],
    ];
    for (const [headers, contentSha256, code] of wrong) {
      for (const size of [5, 200_000]) {
        const body = Buffer.alloc(size, "v");
        const request = { ...put("/all/a", body, headers), ...(contentSha256 !== undefined && { contentSha256 }) };
        const answer = await sendS3(host, request);
        assertCode(answer, code === "NotImplemented" ? 501 : 400, code);
      }
    }
    assert.equal(host.operations.values.size, 0);
  });

  it("in chunks is decoded and checked in several turns, in its own memory", async (t) => {
    await using host = await guarded({}, { maxValueBytes: 4_000_000 });
    const turns = new Turns().of("the caller");
    const next = t.mock.method(turns, "next");
    t.mock.method(Turns.prototype, "of", () => turns);
    const value = Buffer.alloc(1_000_000, "v");
    const checksum = new Crc64Nvme();
    checksum.update(value);
    const sum = Buffer.from(await checksum.digest()).toString("base64");
    const chunks = Array.from({ length: 1_000 }, () => `3e8\r\n${"v".repeat(1_000)}\r\n`).join("");
    const body = `${chunks}0\r\nx-amz-checksum-crc64nvme:${sum}\r\n\r\n`;
    const headers = { "content-encoding": "aws-chunked,gzip", "x-amz-trailer": "x-amz-checksum-crc64nvme" };
    const request = put("/all/a", body, headers);
    assertDone(await sendS3(host, { ...request, contentSha256: "STREAMING-UNSIGNED-PAYLOAD-TRAILER" }));
    // 16 pieces of 64 KiB, and 4 of 256 KiB, each but the first in a turn of its own.
    assert.equal(next.mock.callCount(), 15 + 3);
    const stored = host.operations.values.get("a");
    assert.ok(stored?.value?.equals(value));
    assert.equal(stored?.value?.buffer.byteLength, value.length);
    assert.equal(stored?.info.headers["content-encoding"], "gzip");
  });

  it("in chunks is refused without its last chunk, also when nothing comes", async () => {
    await using host = await guarded();
    for (const contentSha256 of ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]) {
      const { target, headers } = await signS3({ ...put("/all/a", ""), contentSha256 }, `127.0.0.1:${host.port}`);
      const nothing = await sendLines(host.port, "PUT", target, { ...headers, "content-length": "0" });
      assertCode(nothing, 400, "IncompleteBody");
    }
    assert.equal(host.operations.values.size, 0);
  });

  it("that is streamed is refused at the first byte that is too much", async () => {
    await using host = await guarded();
    const body = `30d40\r\n${"v".repeat(200_000)}\r\n`;
    const headers = { "x-amz-decoded-content-length": "150000", "transfer-encoding": "chunked" };
    const signed = await signS3(
      { ...put("/all/a", ""), headers, contentSha256: "STREAMING-UNSIGNED-PAYLOAD-TRAILER" },
      `127.0.0.1:${host.port}`,
    );
    await using connection = await RawConnection.open(host.port);
    const lines = Object.entries(signed.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    connection.send(`PUT ${signed.target} HTTP/1.1\r\n${lines.join("")}\r\n`);
    const answer = await connection.send(`${body.length.toString(16)}\r\n${body}\r\n`).answer();
    assertCode(answer, 400, "IncompleteBody");
  });

  it("comes back with the checksum that it came with, when that is asked for", async () => {
    await using host = await guarded();
    const checksum = createHash("sha256").update("value").digest("base64");
    const done = assertDone(await sendS3(host, put("/all/a", "value", { "x-amz-checksum-sha256": checksum })));
    assert.equal(done.headers["x-amz-checksum-sha256"], checksum);
    assertDone(await sendS3(host, put("/all/b", "", { "x-amz-copy-source": "all/a" })));
    assertDone(
      await sendS3(host, put("/all/c", "", { "x-amz-copy-source": "all/a", "x-amz-metadata-directive": "REPLACE" })),
    );
    for (const key of ["a", "b", "c"]) {
      const plain = assertDone(await sendS3(host, get(`/all/${key}`)));
      assert.ok(!Object.keys(plain.headers).some((name) => /checksum|meta/.test(name)), JSON.stringify(plain.headers));
      const asked = assertDone(await sendS3(host, get(`/all/${key}`, {}, { "x-amz-checksum-mode": "ENABLED" })));
      assert.equal(asked.headers["x-amz-checksum-sha256"], checksum);
    }
  });

  it("is streamed if it is large", async () => {
    await using host = await guarded();
    const body = Buffer.alloc(3_000_000, "0123456789");
    assertDone(await sendS3(host, put("/all/a", body)));
    const read = assertDone(await sendS3(host, get("/all/a")));
    assert.ok(read.body.equals(body));
    assertCode(await sendS3(host, put("/all/b", Buffer.alloc(10_000_001))), 400, "EntityTooLarge");
  });

  it("is refused with a sentence if more is asked for than is done", async () => {
    await using host = await guarded();
    const asked: Record<string, string>[] = [
      { "x-amz-acl": "public-read" },
      { "x-amz-grant-read": "id=1" },
      { "x-amz-server-side-encryption": "AES256" },
      { "x-amz-server-side-encryption-customer-algorithm": "AES256" },
      { "x-amz-object-lock-mode": "GOVERNANCE" },
      { "x-amz-tagging": "a=b" },
      { "x-amz-website-redirect-location": "/b" },
      { "x-amz-expected-bucket-owner": "1" },
      { "x-amz-if-match-size": "1" },
      { "x-amz-object-ownership": "ObjectWriter" },
    ];
    for (const headers of asked) assertCode(await sendS3(host, put("/all/a", "1", headers)), 501, "NotImplemented");
    assertCode(
      await sendS3(host, put("/all/a", "1", { "x-amz-storage-class": "GLACIER" })),
      400,
      "InvalidStorageClass",
    );
    assertCode(await sendS3(host, put("/all/a", "1", { "x-amz-meta-a": "v".repeat(2_100) })), 400, "MetadataTooLarge");
    assertCode(await sendS3(host, put("/all/a", "1", { "x-amz-meta-a!b": "v" })), 400, "InvalidArgument");
    const owner = { "x-amz-expected-bucket-owner": "1" };
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", "/all"],
      ["GET", "/all/a"],
      ["PUT", "/fresh"],
      ["DELETE", "/all"],
      ["DELETE", "/all/a"],
    ] as const) {
      assertCode(await sendS3(host, { method, path, headers: owner }), 501, "NotImplemented");
    }
    assertCode(await sendS3(host, get("/", { "bucket-region": "us-east-1" })), 501, "NotImplemented");
    assertCode(
      await sendS3(host, put("/all/a", "", { "x-amz-copy-source": "all/b", "x-amz-copy-source-range": "bytes=0-1" })),
      501,
      "NotImplemented",
    );
    assert.equal(host.operations.calls, 0);
    assertDone(await sendS3(host, put("/all/a", "1")));
    for (const name of ["x-amz-if-match-size", "x-amz-if-match-last-modified-time"]) {
      const conditional: S3Request = { method: "DELETE", path: "/all/a", headers: { [name]: "5" } };
      assertCode(await sendS3(host, conditional), 501, "NotImplemented");
    }
    for (const part of ["acl", "tagging", "retention", "legal-hold", "renameObject", "unknown"]) {
      for (const method of ["PUT", "DELETE", "POST"]) {
        const answer = await sendS3(host, { method, path: "/all/a", query: { [part]: "" } });
        assertCode(answer, 501, "NotImplemented");
      }
    }
    assertCode(
      await sendS3(host, { method: "DELETE", path: "/all/a", query: { versionId: "1" } }),
      404,
      "NoSuchVersion",
    );
    assert.equal(host.operations.values.get("a")?.value?.toString(), "1");
  });

  it("gets an access list only if it is there", async () => {
    await using host = await guarded();
    const acl: S3Request = { method: "PUT", path: "/all/a", query: { acl: "" }, headers: { "x-amz-acl": "private" } };
    assertCode(await sendS3(host, acl), 404, "NoSuchKey");
    assertDone(await sendS3(host, put("/all/a", "1")));
    assertDone(await sendS3(host, acl));
  });

  it("has no key that is weir's own, or too long", async () => {
    await using host = await guarded();
    assertCode(await sendS3(host, put("/all/.weir/view.json", "1")), 403, "AccessDenied");
    assertCode(await sendS3(host, get("/all/.weir/s3-buckets.json")), 403, "AccessDenied");
    assertCode(await sendS3(host, put("/all/team/.weir/a", "1")), 403, "AccessDenied");
    assertCode(await sendS3(host, put(`/photos/${"k".repeat(1_023)}`, "1")), 400, "KeyTooLongError");
    assertCode(await sendS3(host, put("/all/%ff", "1")), 400, "InvalidURI");
    assertDone(await sendS3(host, put(`/photos/${"k".repeat(1_022)}`, "1")));
  });

  it("is a copy of another, on conditions of both", async () => {
    await using host = await guarded();
    const { etag = "" } = assertDone(
      await sendS3(host, put("/all/a%20%2B%C3%BC", "value", { "x-amz-meta-a": "1" })),
    ).headers;
    const copy = (headers: Record<string, string>, to = "/photos/b"): Promise<RawAnswer> =>
      sendS3(host, put(to, "", { "x-amz-copy-source": "/all/a%20%2B%C3%BC", ...headers }));
    assert.deepEqual(textsOf(assertDone(await copy({})), "ETag"), [etag.replaceAll('"', "&#34;")]);
    assert.equal((await sendS3(host, get("/photos/b"))).headers["x-amz-meta-a"], "1");
    const replaced = { "x-amz-metadata-directive": "REPLACE", "x-amz-meta-b": "2" };
    assertDone(await copy(replaced));
    const { headers } = await sendS3(host, get("/photos/b"));
    assert.deepEqual([headers["x-amz-meta-a"], headers["x-amz-meta-b"]], [undefined, "2"]);
    assertCode(await copy({}, "/all/a%20%2B%C3%BC"), 400, "InvalidRequest");
    assertDone(await copy(replaced, "/all/a%20%2B%C3%BC"));
    assertDone(await copy({ "x-amz-copy-source-if-match": etag }));
    assertCode(await copy({ "x-amz-copy-source-if-match": "x" }), 412, "PreconditionFailed");
    assertCode(await copy({ "x-amz-copy-source-if-none-match": etag }), 412, "PreconditionFailed");
    assertCode(await copy({ "if-none-match": "*" }), 412, "PreconditionFailed");
    assertCode(await copy({ "x-amz-copy-source": "all/none" }), 404, "NoSuchKey");
    assertCode(await copy({ "x-amz-copy-source": "none/a" }), 404, "NoSuchBucket");
    assertCode(await copy({ "x-amz-copy-source": "all" }), 400, "InvalidArgument");
    assertCode(await copy({ "x-amz-copy-source": "all/a?versionId=1" }), 404, "NoSuchVersion");
    assertDone(await sendS3(host, put("/all/what", "other")));
    for (const source of ["all/what?now", "all/what?", "all/what?versionId=null&now", "all/what?now?versionId=null"]) {
      assertCode(await copy({ "x-amz-copy-source": source }), 400, "InvalidArgument");
    }
    assertDone(await copy({ "x-amz-copy-source": "all/what?versionId=null" }));
  });

  it("has, as a copy, the checksum that the copy is asked for, and else that of its source", async () => {
    await using host = await guarded();
    const base64 = (algorithm: string, body: string): string => hash(algorithm, body, "base64");
    assertDone(await sendS3(host, put("/all/a", "value", { "x-amz-checksum-crc32": "HXdYNA==" })));
    assertDone(await sendS3(host, put("/all/large", "v".repeat(200_000))));
    const copy = (source: string, headers: Record<string, string> = {}): Promise<RawAnswer> =>
      sendS3(host, put("/all/copy", "", { "x-amz-copy-source": source, ...headers }));
    const wanted = (algorithm: string): Record<string, string> => ({ "x-amz-checksum-algorithm": algorithm });
    const kept = async (): Promise<Record<string, string | undefined>> =>
      (await sendS3(host, get("/all/copy", {}, { "x-amz-checksum-mode": "ENABLED" }))).headers;

    for (const headers of [{}, wanted("CRC32"), { "x-amz-metadata-directive": "REPLACE" }]) {
      const answer = assertDone(await copy("all/a", headers));
      assert.deepEqual(
        [textsOf(answer, "ChecksumCRC32"), textsOf(answer, "ChecksumType")],
        [["HXdYNA=="], ["FULL_OBJECT"]],
      );
      assert.equal((await kept())["x-amz-checksum-crc32"], "HXdYNA==");
    }
    for (const directive of ["COPY", "REPLACE"]) {
      const answer = assertDone(await copy("all/a", { ...wanted("SHA256"), "x-amz-metadata-directive": directive }));
      assert.deepEqual(textsOf(answer, "ChecksumSHA256"), [base64("sha256", "value")]);
      const { "x-amz-checksum-sha256": sha256, "x-amz-checksum-crc32": crc32 } = await kept();
      assert.deepEqual([sha256, crc32], [base64("sha256", "value"), undefined]);
    }
    // It passes through, and the store has wanted its metadata before.
    const { operations } = host;
    const read = operations.read.bind(operations);
    operations.read = async (key, wantValue) => {
      const found = await read(key, wantValue);
      return key === "large" && found.kind === "value" ? { kind: "stored", info: found.info } : found;
    };
    operations.open = async () => Readable.from([Buffer.alloc(100_000, "v"), Buffer.alloc(100_000, "v")]);
    const large = assertDone(await copy("all/large", wanted("sha1")));
    assert.deepEqual(textsOf(large, "ChecksumSHA1"), [base64("sha1", "v".repeat(200_000))]);
    assert.equal((await kept())["x-amz-checksum-sha1"], undefined);
    assert.deepEqual(textsOf(assertDone(await copy("all/large")), "ChecksumType"), []);
    assertCode(await copy("all/a", wanted("MD4")), 400, "InvalidRequest");
  });

  it("that is copied onto itself keeps a write that came meanwhile", async () => {
    await using host = await guarded();
    assertDone(await sendS3(host, put("/all/a", "old")));
    const { operations } = host;
    const read = operations.read.bind(operations);
    let reads = 0;
    operations.read = async (key, wantValue) => {
      const found = await read(key, wantValue);
      if (reads++ === 0) await operations.write(putOf("a", Buffer.from("new")));
      return found;
    };
    const headers = { "x-amz-copy-source": "all/a", "x-amz-metadata-directive": "REPLACE", "x-amz-meta-b": "2" };
    assertDone(await sendS3(host, put("/all/a", "", headers)));
    const stored = operations.values.get("a");
    assert.deepEqual([stored?.value?.toString(), stored?.info.headers["x-weir-meta-b"]], ["new", "2"]);
    reads = 0;
    const tag = `"${hash("md5", "new")}"`;
    const onCondition = put("/all/a", "", { ...headers, "if-none-match": tag, "x-amz-copy-source-if-match": tag });
    assertCode(await sendS3(host, onCondition), 412, "PreconditionFailed");
    assert.equal(operations.values.get("a")?.value?.toString(), "new");
  });

  it("has no MD5 for an ETag where the store's tag is none", async () => {
    await using host = await guarded();
    const info = { epoch: 1, seq: 1, headers: {}, md5: "0x8DC", modifiedMs: 0, size: 1 };
    host.operations.values.set("a", { kind: "value", info, value: Buffer.from("1") });
    const { headers } = assertDone(await sendS3(host, get("/all/a")));
    assert.equal(headers["etag"], '"0x8DC-1"');
    assert.deepEqual(textsOf(await sendS3(host, get("/all")), "ETag"), ["&#34;0x8DC-1&#34;"]);
    for (const etag of ['"0x8DC-1"', "0x8DC-1"]) {
      assertDone(await sendS3(host, get("/all/a", {}, { "if-match": etag })));
      assertDone(await sendS3(host, get("/all/a", {}, { "if-none-match": etag })), 304);
    }
    assertDone(await sendS3(host, get("/all/a", {}, { "if-range": '"0x8DC-1"', range: "bytes=0-0" })), 206);
    assertDone(await sendS3(host, put("/all/a", "2", { "if-match": '"0x8DC-1"' })));
  });

  it("has the checksum and the parts that came by S3, and no others", async () => {
    await using host = await HttpHost.start({}, { s3: rules });
    for (const [name, lie] of Object.entries({ "s3-checksum": "crc32 AAAAAA==", "s3-parts": "1*1" })) {
      const native = await host.request("PUT", "/kv/a", [`x-weir-meta-${name}: ${lie}`], "1");
      assertProblem(native, 400, "header_invalid");
      assertCode(await sendS3(host, put("/all/a", "1", { [`x-amz-meta-${name}`]: lie })), 400, "InvalidArgument");
    }
    assertDone(await sendS3(host, put("/all/a", "value", { "x-amz-checksum-crc32": "HXdYNA==" })));
    assert.equal((await host.request("GET", "/kv/a")).headers["x-weir-meta-s3-checksum"], undefined);
  });
});

describe("many keys by S3", () => {
  async function filled(): Promise<HttpHost> {
    const host = await guarded();
    for (const key of ["p/a", "p/b/1", "p/b/2", "p/c d+é", "other"]) {
      assertDone(await sendS3(host, put(`/all/${encodeURIComponent(key).replaceAll("%2F", "/")}`, "1")));
    }
    return host;
  }

  it("are listed page by page, with and without a delimiter, in both versions", async () => {
    await using host = await filled();
    const keys = ["a", "b/1", "b/2", "c d+é"];
    for (const size of ["1", "2", "3", "1000"]) {
      const second: string[] = [];
      for (let token: string | undefined, more = true; more; ) {
        const query = {
          "list-type": "2",
          "max-keys": size,
          ...(token !== undefined && { "continuation-token": token }),
        };
        const page = assertDone(await sendS3(host, get("/photos", query)));
        second.push(...textsOf(page, "Key"));
        [token] = textsOf(page, "NextContinuationToken");
        more = textsOf(page, "IsTruncated")[0] === "true";
        assert.equal(more, token !== undefined);
      }
      assert.deepEqual(second, keys, size);
      const first: string[] = [];
      for (let marker = "", more = true; more; ) {
        const page = assertDone(await sendS3(host, get("/photos", { "max-keys": size, marker, delimiter: "/" })));
        first.push(...textsOf(page, "Key"), ...textsOf(page, "Prefix").filter((each) => each !== ""));
        [marker = ""] = textsOf(page, "NextMarker");
        more = textsOf(page, "IsTruncated")[0] === "true";
      }
      assert.deepEqual(first.sort(), ["a", "b/", "c d+é"]);
    }
  });

  it("are listed with the parameters of S3", async () => {
    await using host = await filled();
    const encoded = assertDone(await sendS3(host, get("/photos", { "encoding-type": "url", prefix: "c " })));
    assert.deepEqual(textsOf(encoded, "Key"), ["c%20d%2B%C3%A9"]);
    assert.deepEqual(textsOf(encoded, "Prefix"), ["c%20"]);
    const after = assertDone(
      await sendS3(host, get("/photos", { "list-type": "2", "start-after": "b/1", "fetch-owner": "true" })),
    );
    assert.deepEqual(textsOf(after, "Key"), ["b/2", "c d+é"]);
    assert.deepEqual(textsOf(after, "ID"), ["weir", "weir"]);
    const none = assertDone(await sendS3(host, get("/photos", { "max-keys": "0" })));
    assert.deepEqual([textsOf(none, "Key"), textsOf(none, "IsTruncated")], [[], ["false"]]);
    assertCode(await sendS3(host, get("/photos", { "max-keys": "-1" })), 400, "InvalidArgument");
    assertCode(
      await sendS3(host, get("/photos", { "list-type": "2", "continuation-token": "!" })),
      400,
      "InvalidArgument",
    );
    // Some clients begin with an empty one.
    const begun = { "list-type": "2", "continuation-token": "", "start-after": "b/1" };
    const first = assertDone(await sendS3(host, get("/photos", begun)));
    assert.deepEqual([textsOf(first, "Key"), textsOf(first, "ContinuationToken")], [["b/2", "c d+é"], [""]]);
    assertCode(await sendS3(host, get("/nothing")), 404, "NoSuchBucket");
    for (const name of ["prefix", "delimiter", "marker"]) {
      assertCode(await sendS3(host, get("/photos", { [name]: "é".repeat(513) })), 400, "InvalidArgument");
    }
  });

  it("are listed without the key that is the bucket's prefix", async () => {
    await using host = await filled();
    assertDone(await sendS3(host, put("/all/p/", "1")));
    for (const query of [{ "list-type": "2", "max-keys": "1" }, { "max-keys": "1" }]) {
      const page = assertDone(await sendS3(host, get("/photos", query)));
      assert.deepEqual(textsOf(page, "Key"), ["a"]);
    }
  });

  it("are listed in a short page after some seconds, or as none at all", async (t) => {
    await using host = await filled();
    const list = host.operations.list.bind(host.operations);
    let calls = 0;
    let passedMs = 0;
    let after = "p/a";
    const began = systemClock.now();
    t.mock.method(systemClock, "now", () => began + passedMs);
    host.operations.list = async (query) => {
      if (++calls === 2) passedMs = 5_000;
      await list(query);
      return { keys: [], prefixes: [], next: after };
    };
    const page = assertDone(await sendS3(host, get("/photos", { "list-type": "2" })));
    assert.deepEqual([textsOf(page, "Key"), textsOf(page, "IsTruncated"), calls], [[], ["true"], 2]);
    assert.deepEqual(textsOf(page, "NextContinuationToken"), [Buffer.from("a").toString("base64url")]);
    calls = passedMs = 0;
    after = "p/";
    assertCode(await sendS3(host, get("/photos", { "list-type": "2" })), 503, "ServiceUnavailable");
  });

  it("are listed in full pages, also when the cluster answers with short and empty ones", async () => {
    await using host = await filled();
    const list = host.operations.list.bind(host.operations);
    let calls = 0;
    host.operations.list = async (query) => {
      if (++calls % 2 === 0) return { keys: [], prefixes: [], next: query.after };
      return await list({ ...query, limit: 1 });
    };
    const page = assertDone(await sendS3(host, get("/photos", { "list-type": "2", "max-keys": "3" })));
    assert.deepEqual([textsOf(page, "Key"), textsOf(page, "IsTruncated")], [["a", "b/1", "b/2"], ["true"]]);
  });

  it("are removed by one request, each with an outcome of its own", async () => {
    await using host = await filled();
    const keys = ["a", "b/1", "none", ".weir/x", "c d+é"];
    const objects = keys.map((key) => `<Object><Key>${key}</Key></Object>`).join("");
    const body = `<?xml version="1.0"?><Delete xmlns="x">${objects}<Object><Key>b/2</Key><VersionId>1</VersionId></Object></Delete>`;
    const request: S3Request = { method: "POST", path: "/photos/", query: { delete: "" }, body };
    const answer = assertDone(await sendS3(host, request));
    assert.deepEqual(textsOf(answer, "Key"), ["a", "b/1", "none", ".weir/x", "c d+é", "b/2"]);
    assert.deepEqual(textsOf(answer, "Code"), ["AccessDenied", "NoSuchVersion"]);
    assert.deepEqual([...host.operations.values.keys()].sort(), ["other", "p/b/2"]);
    assertDone(await sendS3(host, put("/all/p/", "1")));
    const empty = assertDone(await sendS3(host, { ...request, body: "<Delete><Object><Key/></Object></Delete>" }));
    assert.deepEqual(textsOf(empty, "Code"), ["InvalidArgument"]);
    assert.ok(host.operations.values.delete("p/"), "the key that is the bucket's prefix is none of its objects");
    const quiet = { ...request, body: "<Delete><Quiet>true</Quiet><Object><Key>b/2</Key></Object></Delete>" };
    assert.deepEqual(textsOf(assertDone(await sendS3(host, quiet)), "Key"), []);
    for (const wrong of [
      "",
      "<Delete/>",
      "<Delete>",
      "<!DOCTYPE a><Delete/>",
      `<Delete>${"<Object><Key>a</Key></Object>".repeat(1_001)}</Delete>`,
    ]) {
      assertCode(await sendS3(host, { ...request, body: wrong }), 400, "MalformedXML");
    }
    assert.deepEqual([...host.operations.values.keys()], ["other"]);
  });
});

describe("buckets", () => {
  it("are created and removed by clients where the configuration lets them", async () => {
    await using host = await guarded();
    assertCode(await sendS3(host, put("/new/a", "1")), 404, "NoSuchBucket");
    assertDone(await sendS3(host, { method: "PUT", path: "/new" }));
    const region =
      "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    assertDone(await sendS3(host, { method: "PUT", path: "/newer/", body: region }));
    assertCode(await sendS3(host, { method: "PUT", path: "/new" }), 409, "BucketAlreadyOwnedByYou");
    assertCode(await sendS3(host, { method: "PUT", path: "/photos" }), 409, "BucketAlreadyOwnedByYou");
    const express = "<CreateBucketConfiguration><Bucket><Type>Directory</Type></Bucket></CreateBucketConfiguration>";
    assertCode(await sendS3(host, { method: "PUT", path: "/newest", body: express }), 501, "NotImplemented");
    for (const name of ["ab", "Upper", "a..b", "a.-b", "a-.b", "1.2.3.4", "a_b", "a.weir"]) {
      assertCode(await sendS3(host, { method: "PUT", path: `/${name}` }), 400, "InvalidBucketName");
    }
    assert.deepEqual(textsOf(await sendS3(host, get("/")), "Name"), ["all", "new", "newer", "photos"]);
    assertDone(await sendS3(host, put("/new/a", "1")));
    assert.ok(host.operations.values.has("new/a"));
    assertCode(await sendS3(host, { method: "DELETE", path: "/new" }), 409, "BucketNotEmpty");
    assertDone(await sendS3(host, { method: "DELETE", path: "/new/a" }), 204);
    assertDone(await sendS3(host, { method: "DELETE", path: "/new" }), 204);
    assertCode(await sendS3(host, { method: "DELETE", path: "/new" }), 404, "NoSuchBucket");
    assertCode(await sendS3(host, { method: "DELETE", path: "/photos" }), 403, "AccessDenied");
    host.buckets.setRules({ ...rules, createBuckets: false });
    assertCode(await sendS3(host, { method: "PUT", path: "/new" }), 403, "AccessDenied");
    assert.deepEqual(textsOf(await sendS3(host, get("/")), "Name"), ["all", "photos"]);
  });

  it("are listed by their prefix, and page by page", async () => {
    await using host = await guarded();
    for (const name of ["album", "alps"]) assertDone(await sendS3(host, { method: "PUT", path: `/${name}` }));
    const names: string[] = [];
    for (let token: string | undefined, more = true; more; ) {
      const query = { "max-buckets": "2", ...(token !== undefined && { "continuation-token": token }) };
      const page = assertDone(await sendS3(host, get("/", query)));
      names.push(...textsOf(page, "Name"));
      [token] = textsOf(page, "ContinuationToken");
      more = token !== undefined;
    }
    assert.deepEqual(names, ["album", "all", "alps", "photos"]);
    const some = assertDone(await sendS3(host, get("/", { prefix: "al", "max-buckets": "3" })));
    assert.deepEqual([textsOf(some, "Name"), textsOf(some, "Prefix")], [["album", "all", "alps"], ["al"]]);
    assert.deepEqual(textsOf(some, "ContinuationToken"), []);
    assertCode(await sendS3(host, get("/", { "max-buckets": "0" })), 400, "InvalidArgument");
  });

  it("are created once when many clients create them at the same time", async () => {
    await using host = await guarded();
    const names = Array.from({ length: 8 }, (_, n) => `bucket-${n % 4}`);
    const answers = await Promise.all(names.map((name) => sendS3(host, { method: "PUT", path: `/${name}` })));
    assert.equal(answers.filter(({ status }) => status === 200).length, 4);
    assert.equal(textsOf(await sendS3(host, get("/")), "Name").length, 6);
  });

  it("answer what they are asked of themselves as S3 words it", async () => {
    await using host = await guarded();
    assertDone(await sendS3(host, { method: "HEAD", path: "/photos" }));
    assert.equal((await sendS3(host, { method: "HEAD", path: "/nothing" })).status, 404);
    for (const part of ["location", "versioning", "acl", "logging", "notification", "requestPayment"]) {
      assertDone(await sendS3(host, get("/photos", { [part]: "" })));
    }
    assertCode(await sendS3(host, get("/photos", { policy: "" })), 404, "NoSuchBucketPolicy");
    assertCode(await sendS3(host, get("/photos", { lifecycle: "" })), 404, "NoSuchLifecycleConfiguration");
    assertCode(
      await sendS3(host, { method: "PUT", path: "/photos", query: { versioning: "" }, body: "<a/>" }),
      501,
      "NotImplemented",
    );
    assertCode(await sendS3(host, { method: "DELETE", path: "/photos", query: { policy: "" } }), 501, "NotImplemented");
  });

  it("are part of the host's name where there is a domain", async () => {
    await using host = await guarded();
    const name = `photos.s3.test:${host.port}`;
    const signed = await signS3(put("/a/b", "1"), name);
    assertDone(await sendLines(host.port, "PUT", signed.target, signed.headers, "1"));
    assert.ok(host.operations.values.has("p/a/b"));
    const all = await signS3(get("/"), `s3.test:${host.port}`);
    assert.deepEqual(textsOf(await sendLines(host.port, "GET", all.target, all.headers), "Name"), ["all", "photos"]);
  });
});

describe("what goes wrong", () => {
  it("has S3's code, by which clients know whether to try again", async () => {
    await using host = await guarded();
    const codes = [
      ["buffer_full", 503, "SlowDown"],
      ["overloaded", 503, "SlowDown"],
      ["store_throttled", 503, "SlowDown"],
      ["not_ready", 503, "ServiceUnavailable"],
      ["deadline_exceeded", 503, "ServiceUnavailable"],
      ["store_unavailable", 503, "ServiceUnavailable"],
      ["key_invalid", 400, "InvalidArgument"],
      ["value_too_large", 400, "EntityTooLarge"],
    ] as const;
    for (const [code, status, s3Code] of codes) {
      host.operations.failure = new OperatingError(code, "the bucket of Ada says no");
      const answer = await sendS3(host, put("/all/a", "1"));
      assertCode(answer, status, s3Code);
      assert.equal(answer.headers["retry-after"], status === 503 ? "1" : undefined);
      if (code.startsWith("store_")) assert.ok(!answer.body.includes("Ada"), "the store's words are for operators");
    }
  });

  it("is counted and logged by operation and request, without signatures", async () => {
    await using host = await guarded();
    const done = assertDone(await sendS3(host, put("/all/a", "1")));
    const name = `127.0.0.1:${host.port}`;
    await sendLines(host.port, "GET", await presignS3(get("/all/a"), name), { host: name });
    await sendLines(host.port, "GET", "/all/a?X-Amz-Signature=1", { host: name });
    const counted = [...host.server.metrics.routes()].map(({ route, method, metrics }) => [
      route,
      method,
      [...metrics.statuses],
    ]);
    assert.deepEqual(counted, [
      ["s3:PutObject", "PUT", [[200, 1]]],
      ["s3:GetObject", "GET", [[200, 1]]],
      ["s3:other", "GET", [[400, 1]]],
    ]);
    const [line, second] = host.debugLines.map(({ fields }) => fields);
    assert.equal(line?.["requestId"], done.headers["x-amz-request-id"]);
    assert.equal(line?.["by"], 'the S3 key "tester"');
    assert.match(String(second?.["target"]), /X-Amz-Signature=\.\.\.$/);
  });

  it("leaves requests of the node's own dialect as they are", async () => {
    await using host = await guarded();
    host.access.setRules({ names: [] });
    assert.equal((await host.request("PUT", "/kv/a", [], "1")).status, 204);
    assertProblem(await host.request("GET", "/kv/a?x"), 400, "key_invalid");
    await using connection = await host.connect();
    const { status } = await connection.send(rawRequest("GET", "/kv/a", ["Authorization: Bearer x"])).answer();
    assert.equal(status, 200);
  });
});
