/**
 * Every bad input at a real node, as bytes on a connection: each is answered with the right status and a stable code,
 * none stores anything, none disturbs the node.
 */

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { describe, test } from "node:test";
import { type ErrorCode, errorKinds } from "../../src/base/errors.ts";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import { rawRequest } from "../harness/raw-request.ts";
import { setStage } from "../harness/stage.ts";

const maxValueBytes = 65_536;

/** A request that is whole, apart from what is wrong with it. `headers` is lines without line ends. */
function request(line: string, headers: readonly string[] = [], body = ""): string {
  const head = [`${line} HTTP/1.1`, "Host: 127.0.0.1", "Connection: close", ...headers];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

function put(path: string, ...headers: readonly string[]): string {
  return request(`PUT ${path}`, ["Content-Length: 1", ...headers], "v");
}

function legacyPut(body: string): string {
  return request("POST /put/", [`Content-Length: ${Buffer.byteLength(body)}`], Buffer.from(body).toString("latin1"));
}

const tooLongKey = "k".repeat(1_025);

/** What is sent, by what is wrong with it, and the code of the answer. */
const badRequests: Readonly<Record<string, readonly [string, ErrorCode]>> = {
  "an empty key": [put("/kv/"), "key_invalid"],
  "a key of 1025 bytes": [put(`/kv/${tooLongKey}`), "key_invalid"],
  "a key of 1025 bytes once decoded": [put(`/kv/${"%41".repeat(1_025)}`), "key_invalid"],
  "a percent sign that encodes nothing": [put("/kv/100%"), "key_invalid"],
  "a percent sign before other characters": [put("/kv/%zz"), "key_invalid"],
  "a key that is not UTF-8": [put("/kv/%ff"), "key_invalid"],
  "a key with half of a surrogate pair": [put("/kv/%ed%a0%80"), "key_invalid"],
  "weir's own view": [put("/kv/.weir/view.json"), "key_invalid"],
  "weir's own view, encoded": [put("/kv/%2Eweir%2Fview.json"), "key_invalid"],
  "deleting weir's own view": [request("DELETE /kv/.weir%2fview.json"), "key_invalid"],
  "the view of a cluster in a folder of this one": [put("/kv/team/.weir/view.json"), "key_invalid"],
  "deleting the view of a cluster in a folder of this one": [request("DELETE /kv/team/.weir/view.json"), "key_invalid"],
  "reading weir's own view": [request("GET /kv/.weir/view.json"), "key_invalid"],
  "a query after a key": [put("/kv/a?b=c"), "key_invalid"],
  "a fragment after a key": [put("/kv/a#b"), "key_invalid"],
  "a listing with a parameter that there is not": [request("GET /kv/?prefx=a"), "query_invalid"],
  "a path that is no route": [request("GET /nowhere"), "route_not_found"],
  "a method that is not for values": [request("POST /kv/a", ["Content-Length: 1"], "v"), "method_not_allowed"],
  "a method that nobody knows": [request("BREW /kv/a"), "header_invalid"],
  "a method that is not for the state": [request("DELETE /cluster"), "method_not_allowed"],
  "a body that announces too much": [request("PUT /kv/a", [`Content-Length: ${maxValueBytes + 1}`]), "value_too_large"],
  "a body in chunks that add up to too much": [
    request("PUT /kv/a", ["Transfer-Encoding: chunked"], `10001\r\n${"v".repeat(maxValueBytes + 1)}\r\n0\r\n\r\n`),
    "value_too_large",
  ],
  "a body that ends too early": [request("PUT /kv/a", ["Content-Length: 10"], "vvv"), "body_truncated"],
  "chunks that end too early": [
    request("PUT /kv/a", ["Transfer-Encoding: chunked"], "5\r\nvvvvv\r\n"),
    "body_truncated",
  ],
  "a chunk of no size": [request("PUT /kv/a", ["Transfer-Encoding: chunked"], "zz\r\nv\r\n0\r\n\r\n"), "body_invalid"],
  "a length and chunks": [
    request("PUT /kv/a", ["Content-Length: 1", "Transfer-Encoding: chunked"], "1\r\nv\r\n0\r\n\r\n"),
    "header_invalid",
  ],
  "two lengths": [request("PUT /kv/a", ["Content-Length: 1", "Content-Length: 2"], "vv"), "header_invalid"],
  "a length below zero": [request("PUT /kv/a", ["Content-Length: -1"], "v"), "header_invalid"],
  "a coding that is not chunked": [
    request("PUT /kv/a", ["Transfer-Encoding: gzip, chunked"], "1\r\nv\r\n0\r\n\r\n"),
    "header_invalid",
  ],
  "a body of a GET": [request("GET /kv/a", ["Content-Length: 1"], "v"), "body_invalid"],
  "a body of a DELETE": [request("DELETE /kv/a", ["Content-Length: 1"], "v"), "body_invalid"],
  "a part of a value": [put("/kv/a", "Content-Range: bytes 0-0/2"), "header_invalid"],
  "two durabilities": [put("/kv/a", "Weir-Durability: stored, replicated"), "header_invalid"],
  "a durability that nobody knows": [put("/kv/a", "Weir-Durability: hopeful"), "header_invalid"],
  "an entity tag without quotes": [put("/kv/a", "If-Match: abc"), "header_invalid"],
  "a condition that does not hold": [put("/kv/a", "If-Match: *"), "precondition_failed"],
  "two content types": [put("/kv/a", "Content-Type: a/b", "Content-Type: c/d"), "header_invalid"],
  "metadata in weir's own name": [put("/kv/a", "x-weir-meta-weir-version: 1"), "header_invalid"],
  "metadata whose name S3 can't keep": [put("/kv/a", "x-weir-meta-a!b: 1"), "header_invalid"],
  "more metadata than S3 takes": [put("/kv/a", `x-weir-meta-a: ${"v".repeat(2_048)}`), "header_invalid"],
  "more headers than fit": [put("/kv/a", `x-other: ${"v".repeat(20_000)}`), "headers_too_large"],
  "an expectation that nobody knows": [put("/kv/a", "Expect: the-best"), "header_invalid"],
  "two hosts": [put("/kv/a", "Host: y"), "header_invalid"],
  "no host": ["PUT /kv/a HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\nv", "header_invalid"],
  "a header without a colon": [put("/kv/a", "nonsense"), "header_invalid"],
  "a tunnel": ["CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "method_not_allowed"],
  "no HTTP at all": ["HELLO\r\n\r\n", "header_invalid"],
};

/** The old API's, with the status and the text of the answer. */
const badLegacyRequests: Readonly<Record<string, readonly [string, number, RegExp]>> = {
  "no JSON": [legacyPut("{"), 400, /not valid JSON/],
  "bytes that are no UTF-8": [request("POST /put/", ["Content-Length: 3"], "{\xff}"), 400, /UTF-8/],
  "a list": [legacyPut("[]"), 400, /not a JSON object/],
  "no data": [legacyPut('{"key":"a","extension":"b"}'), 409, /^Required field 'data' is missing!$/],
  "no key": [legacyPut('{"data":"dg==","extension":"b"}'), 409, /^Required field 'key' is missing!$/],
  "no extension": [legacyPut('{"data":"dg==","key":"a"}'), 409, /^Required field 'extension' is missing!$/],
  "empty data": [legacyPut('{"data":"","key":"a","extension":"b"}'), 409, /'data' is missing/],
  "a field that there is not": [legacyPut('{"data":"dg==","key":"a","extension":"b","ttl":1}'), 400, /'ttl'/],
  "a key that is a number": [legacyPut('{"data":"dg==","key":1,"extension":"b"}'), 400, /'key' must be a string/],
  "data that is no Base64": [legacyPut('{"data":"d*==","key":"a","extension":"b"}'), 400, /Base64/],
  "data in the other Base64": [legacyPut('{"data":"-_-_","key":"a","extension":"b"}'), 400, /Base64/],
  "data that was cut off": [legacyPut('{"data":"dg","key":"a","extension":"b"}'), 400, /Base64/],
  "weir's own view": [legacyPut('{"data":"dg==","key":".weir/view.json","extension":"b"}'), 400, /\.weir/],
  "a key that is too long": [legacyPut(`{"data":"dg==","key":"${tooLongKey}","extension":"b"}`), 400, /1025 bytes/],
  "half of a surrogate pair": [legacyPut('{"data":"dg==","key":"\\ud800","extension":"b"}'), 400, /surrogate/],
  "an extension of two lines": [legacyPut('{"data":"dg==","key":"a","extension":"b\\nc"}'), 400, /control characters/],
  "a value that is too large": [
    legacyPut(`{"data":"${Buffer.alloc(maxValueBytes + 1).toString("base64")}","key":"a","extension":"b"}`),
    413,
    /bytes/,
  ],
  "a body that announces too much": [request("POST /put/", ["Content-Length: 1000000"]), 413, /bytes/],
  "a body that ends too early": [request("POST /put/", ["Content-Length: 100"], "{"), 400, /ended before/],
  "a put by GET": [request("GET /put/"), 405, /use POST/],
  "a get by POST": [request("POST /get/a", ["Content-Length: 1"], "v"), 405, /use GET/],
  "no key to get": [request("GET /get/"), 400, /empty/],
  "a key that is not there": [request("GET /get/a"), 404, /^File with key a not found!$/],
};

describe("cluster that gets bad requests", () => {
  const stage = setStage(async (stack) => {
    const config = { ...neverFlush, buffer: { maxValueBytes }, large: { maxValueBytes } };
    return { cluster: stack.use(await TestCluster.start({ config })) };
  });

  test("each is answered with the status and the stable code of what is wrong with it", async () => {
    const { cluster } = stage();
    const answers: Record<string, string> = {};
    for (const [index, [what, [text]]] of Object.entries(badRequests).entries()) {
      const answer = await rawRequest(cluster.urls[index % 3] as string, text);
      assert.equal(answer.headers.get("content-type"), "application/problem+json", `${what}: ${answer.status}`);
      const { code } = JSON.parse(answer.body) as { code: ErrorCode };
      answers[what] = code;
      assert.equal(answer.status, errorKinds[code].status, what);
      if (code === "method_not_allowed") assert.match(answer.headers.get("allow") ?? "", /GET/, what);
    }
    const expected = Object.entries(badRequests).map(([what, [, code]]) => [what, code]);
    assert.deepEqual(answers, Object.fromEntries(expected));
  });

  test("the old API answers each with a message in its own form", async () => {
    const { cluster } = stage();
    for (const [index, [what, [text, status, message]]] of Object.entries(badLegacyRequests).entries()) {
      const answer = await rawRequest(cluster.urls[index % 3] as string, text);
      assert.equal(answer.status, status, `${what}: ${answer.body}`);
      assert.match((JSON.parse(answer.body) as { msg: string }).msg, message, what);
    }
  });

  test("a client that goes away in the middle of its body has stored nothing", async () => {
    const { cluster } = stage();
    const started = Array.from({ length: 10 }, async (_, n) => {
      const abort = new AbortController();
      const body = (async function* () {
        yield Buffer.from("the beginning");
        abort.abort();
        await Promise.resolve();
      })();
      const url = `${cluster.urls[n % 3]}/kv/gone`;
      await assert.rejects(fetch(url, { method: "PUT", body, signal: abort.signal, duplex: "half" }));
    });
    await Promise.all(started);
    for (const id of cluster.ids) assert.equal((await cluster.get(id, "gone")).status, 404);
  });

  test("after all of it nothing was stored, and a range beyond a value is refused with its length", async () => {
    const { cluster } = stage();
    for (const id of cluster.ids) assert.equal((await cluster.figures(id)).dirtyKeys, 0);
    assert.deepEqual(await readdir(cluster.storeFolder), [".weir"]);
    assert.equal((await cluster.put("a", "a", "abc")).status, 204);
    const range = await cluster.get("b", "a", { range: "bytes=3-" });
    assert.deepEqual([range.status, range.code], [416, "range_not_satisfiable"]);
    assert.equal(range.headers["content-range"], "bytes */3");
  });
});
