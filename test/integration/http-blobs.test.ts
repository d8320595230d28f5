/** Values by `/kv/{key}`: what is stored, what comes back, and how failures of the cluster are told. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, test } from "node:test";
import { type ErrorCode, errorKinds, OperatingError } from "../../src/base/errors.ts";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { putOf } from "../harness/write-operations.ts";

const timeout = hangMs;
const md5 = (text: string | Buffer): string => hash("md5", text, "hex");
const contentMd5 = (text: string): string => `Content-MD5: ${hash("md5", text, "base64")}`;

describe("a value", { timeout }, () => {
  test("put and read: bytes, ETag, version and date are those of the write", async () => {
    await using host = await HttpHost.start();
    host.operations.nowMs = () => Date.UTC(2026, 1, 3, 4, 5, 6, 789);
    const put = await host.request("PUT", "/kv/a", [], "hello");
    assert.equal(put.status, 204);
    assert.equal(put.headers["etag"], `"${md5("hello")}"`);
    assert.equal(put.headers["weir-version"], "1.1");
    assert.equal(put.headers["weir-durability"], "replicated");
    assert.equal(put.headers["content-length"], undefined);
    const get = await host.request("GET", "/kv/a");
    assert.equal(get.status, 200);
    assert.equal(get.body.toString(), "hello");
    assert.equal(get.headers["etag"], `"${md5("hello")}"`);
    assert.equal(get.headers["weir-version"], "1.1");
    assert.equal(get.headers["last-modified"], "Tue, 03 Feb 2026 04:05:06 GMT");
    assert.equal(get.headers["accept-ranges"], "bytes");
    assert.equal(get.headers["content-type"], "application/octet-stream");
  });

  test("HEAD: the headers of GET and no body", async () => {
    await using host = await HttpHost.start();
    await host.request("PUT", "/kv/a", ["Content-Type: text/plain"], "hello");
    const head = await host.request("HEAD", "/kv/a");
    const get = await host.request("GET", "/kv/a");
    assert.equal(head.status, 200);
    assert.deepEqual({ ...head.headers, date: "" }, { ...get.headers, date: "" });
    assert.equal(head.headers["content-length"], "5");
  });

  for (const size of [0, 1, 1024, 4096, 4097, 65_536, 1024 * 1024, 4 * 1024 * 1024]) {
    test(`of ${size} bytes: comes back as it was, in memory of its own`, async () => {
      await using host = await HttpHost.start();
      const bytes = Buffer.alloc(size);
      for (let i = 0; i < size; i++) bytes[i] = (i * 7 + (i >> 8)) & 0xff;
      assert.equal((await host.request("PUT", "/kv/a", [], bytes)).status, 204);
      const stored = host.operations.lastPut?.value as Buffer;
      assert.ok(stored.equals(bytes));
      assert.equal(stored.buffer.byteLength, size);
      const get = await host.request("GET", "/kv/a");
      assert.equal(get.status, 200);
      assert.ok(get.body.equals(bytes));
    });
  }

  test("a PUT without any body header stores an empty value", async () => {
    await using host = await HttpHost.start();
    assert.equal((await host.request("PUT", "/kv/a")).status, 204);
    assert.equal((await host.request("GET", "/kv/a")).headers["content-length"], "0");
  });

  for (const [what, size] of [
    ["read as a whole", 100],
    ["streamed", 5_000],
  ] as const) {
    for (const isChunked of [false, true]) {
      test(`${what}${isChunked ? ", of unknown length" : ""}: stored if it is what Content-MD5 says, and only then`, async () => {
        await using host = await HttpHost.start({ maxValueBytes: 1_000, maxStreamBytes: 10_000 });
        await using connection = await host.connect();
        const [right, wrong] = ["x".repeat(size), `y${"x".repeat(size - 1)}`];
        for (const body of [right, wrong, right]) {
          const length = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${size}`;
          const sent = isChunked ? `${size.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
          connection.send(`PUT /kv/a HTTP/1.1\r\nHost: test\r\n${length}\r\n${contentMd5(right)}\r\n\r\n${sent}`);
          const answer = await connection.answer();
          if (body === right) assert.equal(answer.status, 204);
          else assert.match(assertProblem(answer, 400, "body_invalid").detail, /has the MD5 .*==, not the one in/);
          assert.equal(host.operations.lastPut?.value.toString(), right);
        }
      });
    }
  }

  test("with Content-MD5 or without: its MD5 is computed once, and goes with it", async () => {
    await using host = await HttpHost.start();
    await host.request("PUT", "/kv/a", [contentMd5("hello")], "hello");
    assert.equal(host.operations.lastPut?.md5, md5("hello"));
    await host.request("PUT", "/kv/a", [], "hello");
    assert.equal(host.operations.lastPut?.md5, md5("hello"));
  });

  test("deleted: gone; deleting it again is no error", async () => {
    await using host = await HttpHost.start();
    await host.request("PUT", "/kv/a", [], "hello");
    const answer = await host.request("DELETE", "/kv/a");
    assert.equal(answer.status, 204);
    assert.equal(answer.headers["weir-durability"], "replicated");
    assert.equal(answer.headers["etag"], undefined);
    assertProblem(await host.request("GET", "/kv/a"), 404, "key_not_found");
    assert.equal((await host.request("HEAD", "/kv/a")).status, 404);
    assert.equal((await host.request("DELETE", "/kv/a")).status, 204);
  });
});

describe("headers kept with a value", { timeout }, () => {
  test("content headers and metadata: come back as they went, whatever bytes they have; others don't", async () => {
    await using host = await HttpHost.start();
    const sent = [
      "Content-Type: text/html; charset=utf-8",
      "Content-Encoding: gzip",
      "Cache-Control: max-age=60",
      'Content-Disposition: attachment; filename="na\xc3\xafve \xff.txt"',
      "X-Weir-Meta-Colour: r\xc3\xa9d",
      "x-weir-meta-a-1: 100%",
      "X-Weir-Meta-Empty:",
      "X-Weir-Meta-Part_of.it: yes",
      "Content-Language: en",
      "Content-Language: de",
      "Expires: Tue, 01 Dec 2026 12:00:00 GMT",
      "X-Other: 1",
      "Etag: 1",
    ];
    assert.equal((await host.request("PUT", "/kv/a", sent, "x")).status, 204);
    const { headers } = await host.request("GET", "/kv/a");
    assert.equal(headers["content-type"], "text/html; charset=utf-8");
    assert.equal(headers["content-encoding"], "gzip");
    assert.equal(headers["cache-control"], "max-age=60");
    assert.equal(headers["content-disposition"], 'attachment; filename="na\xc3\xafve \xff.txt"');
    assert.equal(headers["x-weir-meta-colour"], "r\xc3\xa9d");
    assert.equal(headers["x-weir-meta-a-1"], "100%");
    assert.equal(headers["x-weir-meta-empty"], "");
    assert.equal(headers["x-weir-meta-part_of.it"], "yes");
    assert.equal(headers["content-language"], "en, de");
    assert.equal(headers["expires"], "Tue, 01 Dec 2026 12:00:00 GMT");
    assert.equal(headers["x-other"], undefined);
  });

  test("a value whose writer says nothing of caching is not answered from a cache without asking", async () => {
    await using host = await HttpHost.start();
    assert.equal((await host.request("PUT", "/kv/a", [], "x")).status, 204);
    const get = await host.request("GET", "/kv/a");
    assert.equal(get.headers["cache-control"], "no-cache");
    assert.equal((await host.request("HEAD", "/kv/a")).headers["cache-control"], "no-cache");
    assert.equal((await host.request("GET", "/kv/a", ["Range: bytes=0-0"])).headers["cache-control"], "no-cache");
    const unchanged = await host.request("GET", "/kv/a", [`If-None-Match: ${get.headers["etag"]}`]);
    assert.deepEqual([unchanged.status, unchanged.headers["cache-control"]], [304, "no-cache"]);
  });

  test("a value whose writer says when it expires is cached until then", async () => {
    await using host = await HttpHost.start();
    const expires = "Tue, 01 Dec 2026 12:00:00 GMT";
    assert.equal((await host.request("PUT", "/kv/a", [`Expires: ${expires}`], "x")).status, 204);
    const get = await host.request("GET", "/kv/a");
    const unchanged = await host.request("GET", "/kv/a", [`If-None-Match: ${get.headers["etag"]}`]);
    assert.equal(unchanged.status, 304);
    for (const { headers } of [get, unchanged])
      assert.deepEqual([headers["expires"], headers["cache-control"]], [expires, undefined]);
  });

  test("lists on two lines are joined; an empty content header counts as none", async () => {
    await using host = await HttpHost.start();
    const sent = ["Content-Encoding: gzip", "Content-Encoding: br", "Content-Type:"];
    await host.request("PUT", "/kv/a", sent, "x");
    assert.deepEqual(host.operations.lastPut?.headers, { "content-encoding": "gzip, br" });
  });

  const bad: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["a type twice", ["Content-Type: a/b", "content-type: c/d"], /more than once/],
    ["metadata twice", ["x-weir-meta-a: 1", "X-Weir-Meta-A: 2"], /more than once/],
    ["an exclamation mark in a name", ["x-weir-meta-a!b: 1"], /a!b/],
    ["a metadata name of nothing", ["x-weir-meta-: 1"], /letters/],
    ["weir's own name", ["x-weir-meta-weir-version: 1"], /weir's own/],
    ["too much metadata", ["x-weir-meta-a: ".padEnd(2048, "x")], /2048/],
    ["too much once it is encoded", ["x-weir-meta-a: ".padEnd(1000, "\xe4")], /2048/],
    ["percent signs, which are encoded", ["x-weir-meta-a: ".padEnd(1000, "%")], /2048/],
    ["too much in content headers", [`Content-Type: a/${"b".repeat(2048)}`], /2048/],
    ["an unknown durability", ["Weir-Durability: eventual"], /Weir-Durability/],
    ["a durability twice", ["Weir-Durability: replicated", "Weir-Durability: replicated"], /Weir-Durability/],
    ["two durabilities", ["Weir-Durability: stored, replicated"], /Weir-Durability/],
    ["part of a value", ["Content-Range: bytes 0-4/10"], /Content-Range/],
    ["an MD5 in hexadecimal digits", [`Content-MD5: ${md5("x")}`], /Content-MD5 must be/],
    ["an MD5 twice", [contentMd5("x"), contentMd5("x")], /Content-MD5 must be/],
    ["a transfer coding", ["Transfer-Encoding: gzip, chunked"], /Transfer-Encoding/],
  ];
  for (const [what, headers, detail] of bad) {
    test(`${what}: refused, nothing stored`, async () => {
      await using host = await HttpHost.start();
      const chunked = headers.some((line) => line.startsWith("Transfer"));
      await using connection = await host.connect();
      const lines = ["PUT /kv/a HTTP/1.1", "Host: test", ...headers, ...(chunked ? [] : ["Content-Length: 1"])];
      connection.send(`${lines.join("\r\n")}\r\n\r\n${chunked ? "1\r\nx\r\n0\r\n\r\n" : "x"}`);
      assert.match(assertProblem(await connection.answer(), 400, "header_invalid").detail, detail);
      assert.equal(host.operations.values.size, 0);
    });
  }

  test("metadata of just the size that fits is taken", async () => {
    await using host = await HttpHost.start({ maxMetadataBytes: 225 });
    // 125 bytes are weir's own.
    assert.equal((await host.request("PUT", "/kv/a", [`x-weir-meta-a: ${"x".repeat(99)}`], "x")).status, 204);
    assertProblem(
      await host.request("PUT", "/kv/a", [`x-weir-meta-a: ${"x".repeat(100)}`], "x"),
      400,
      "header_invalid",
    );
  });

  for (const durability of ["replicated", "stored"]) {
    test(`durability "${durability}" is what is asked of the cluster, and answered`, async () => {
      await using host = await HttpHost.start();
      const line = `Weir-Durability: ${durability}`;
      const put = await host.request("PUT", "/kv/a", [line], "x");
      assert.deepEqual([put.status, put.headers["weir-durability"]], [204, durability]);
      assert.equal(host.operations.lastPut?.durability, durability);
      const remove = await host.request("DELETE", "/kv/a", [line]);
      assert.deepEqual([remove.status, remove.headers["weir-durability"]], [204, durability]);
      assert.equal(host.operations.lastDelete?.durability, durability);
    });
  }

  test("headers from the store that HTTP can't carry are left out, and the value is served", async () => {
    await using host = await HttpHost.start();
    const headers = { "x-weir-meta-bad": "a\r\nSet-Cookie: b", "x-weir-meta-good": "c", "cache-control": "a\nb" };
    await host.operations.write(putOf("a", Buffer.from("hello"), { headers }));
    const get = await host.request("GET", "/kv/a");
    assert.equal(get.status, 200);
    assert.equal(get.headers["x-weir-meta-bad"], undefined);
    assert.equal(get.headers["set-cookie"], undefined);
    assert.equal(get.headers["cache-control"], "no-cache");
    assert.equal(get.headers["x-weir-meta-good"], "c");
    assert.equal((await host.request("GET", "/kv/a", ["If-None-Match: *"])).status, 304);
  });
});

describe("a failure of the cluster", { timeout }, () => {
  const codes = Object.keys(errorKinds) as ErrorCode[];
  for (const code of codes.filter((each) => each !== "internal" && each !== "config_invalid")) {
    test(`${code}: told with its status, code and advice, on reads and writes`, async () => {
      await using host = await HttpHost.start();
      host.operations.failure = new OperatingError(code, "what happened");
      for (const method of ["GET", "PUT", "DELETE"]) {
        const answer = await host.request(method, "/kv/a", [], method === "PUT" ? "x" : undefined);
        assert.equal(assertProblem(answer, errorKinds[code].status, code).detail, "what happened");
      }
    });
  }

  test("a bug: 500 without the message, which the log has", async () => {
    await using host = await HttpHost.start();
    host.operations.failure = new TypeError("secret");
    const answer = await host.request("GET", "/kv/a");
    assertProblem(answer, 500, "internal");
    assert.doesNotMatch(answer.body.toString(), /secret/);
    assert.deepEqual(
      host.lines.map(({ level, fields }) => [level, fields?.["error"]]),
      [["error", host.operations.failure]],
    );
  });

  test("503 says how long to wait, as the setting has it", async () => {
    await using host = await HttpHost.start({ retryAfterSeconds: 7 });
    host.operations.failure = new OperatingError("buffer_full", "full");
    assert.equal((await host.request("PUT", "/kv/a", [], "x")).headers["retry-after"], "7");
  });

  test("HEAD gets the same status and no body", async () => {
    await using host = await HttpHost.start();
    host.operations.failure = new OperatingError("store_unavailable", "no answer");
    await using connection = await host.connect();
    connection.send("HEAD /kv/a HTTP/1.1\r\nHost: test\r\n\r\n");
    const head = await connection.answer(true);
    assert.equal(head.status, 503);
    assert.equal(head.headers["retry-after"], "1");
    // The next answer would not parse if a body had been sent.
    host.operations.failure = undefined;
    assertProblem(await connection.send("GET /kv/a HTTP/1.1\r\nHost: test\r\n\r\n").answer(), 404, "key_not_found");
  });
});
