/** `GET /kv/` as clients use it: what a query may say and what not, and the form of the answer. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";

const timeout = hangMs;

/** Queries and what they ask for, beyond nothing. */
const queries: readonly (readonly [string, object])[] = [
  ["", {}],
  ["?", {}],
  ["?&", {}],
  ["?prefix=a", { prefix: "a" }],
  ["?prefix=a%2Fb/c", { prefix: "a/b/c" }],
  ["?prefix=a+b%2Bc%20d", { prefix: "a b+c d" }],
  ["?prefix", { prefix: "" }],
  ["?prefix=a=b", { prefix: "a=b" }],
  ["?%70refix=%C3%BC&after=%00&delimiter=//&limit=7", { prefix: "ü", after: "\0", delimiter: "//", limit: 7 }],
  ["?limit=1000", { limit: 1000 }],
];

const mistakes: readonly (readonly [string, RegExp])[] = [
  ["?prefx=a", /no parameter "prefx", only prefix, after, limit, delimiter/],
  ["?prefix=a&prefix=b", /prefix occurs more than once/],
  ["?a", /no parameter "a"/],
  ["?limit=0", /limit must be a whole number from 1 to 1000/],
  ["?limit=1001", /http.maxListKeys/],
  ["?limit=", /limit must/],
  ["?limit=1e2", /limit must/],
  ["?limit=-1", /limit must/],
  ["?prefix=%FF", /prefix: .*UTF-8/],
  ["?prefix=%2", /prefix: .*%25/],
  ["?%=a", /a name: .*%25/],
  [`?after=${"a".repeat(1025)}`, /after has more than 1024 bytes/],
];

describe("a listing over HTTP", { timeout }, () => {
  for (const [text, expected] of queries) {
    test(`GET /kv/${text} asks for ${JSON.stringify(expected)}`, async () => {
      await using host = await HttpHost.start();
      const answer = await host.request("GET", `/kv/${text}`);
      assert.equal(answer.status, 200, answer.body.toString());
      const whole = { prefix: "", after: "", delimiter: "", limit: 1_000 };
      assert.deepEqual(host.operations.lastList, { ...whole, ...expected });
    });
  }

  for (const [text, message] of mistakes) {
    test(`GET /kv/${text.slice(0, 40)} is refused, and says what is wrong`, async () => {
      await using host = await HttpHost.start();
      const answer = await host.request("GET", `/kv/${text}`);
      assertProblem(answer, 400, "query_invalid");
      assert.match((JSON.parse(answer.body.toString()) as { detail: string }).detail, message);
      assert.equal(host.operations.calls, 0);
    });
  }

  test("has nothing of weir's own keys, and does not ask for them", async () => {
    await using host = await HttpHost.start();
    for (const prefix of [".weir/", ".weir/s3-uploads/", "%2Eweir%2Fs3-parts/"]) {
      const answer = await host.request("GET", `/kv/?prefix=${prefix}`);
      assert.deepEqual(JSON.parse(answer.body.toString()), { keys: [], prefixes: [], next: null });
    }
    assert.equal(host.operations.calls, 0);
  });

  test("is JSON with keys, common prefixes, and where to go on, which no cache may keep", async () => {
    await using host = await HttpHost.start();
    for (const key of ["a/1", "a/2", "b", 'c"\n\u{1F600}', "d"])
      await host.request("PUT", `/kv/${encodeURIComponent(key)}`, [], "value");
    const answer = await host.request("GET", "/kv/?delimiter=/&limit=3");
    assert.equal(answer.headers["content-type"], "application/json");
    assert.equal(answer.headers["cache-control"], "no-store");
    const { keys, prefixes, next } = JSON.parse(answer.body.toString());
    assert.deepEqual(
      keys.map(({ key, size }: { key: string; size: number }) => [key, size]),
      [
        ["b", 5],
        ['c"\n\u{1F600}', 5],
      ],
    );
    assert.deepEqual(prefixes, ["a/"]);
    assert.equal(next, 'c"\n\u{1F600}');
    assert.match(keys[0].etag, /^[0-9a-f]{32}$/);
    assert.match(keys[0].lastModified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const last = await host.request("GET", `/kv/?delimiter=/&after=${encodeURIComponent(next)}`);
    assert.equal(JSON.parse(last.body.toString()).next, null);
  });

  test("HEAD has the head of the same answer; OPTIONS and other methods say what there is", async () => {
    await using host = await HttpHost.start();
    await host.request("PUT", "/kv/a", [], "x");
    const get = await host.request("GET", "/kv/?prefix=a");
    const head = await host.request("HEAD", "/kv/?prefix=a");
    assert.equal(head.status, 200);
    assert.equal(head.headers["content-length"], get.headers["content-length"]);
    assert.equal(head.body.length, 0);
    assertProblem(await host.request("PUT", "/kv/", [], "x"), 400, "key_invalid");
    assert.equal((await host.request("HEAD", "/kv/?limit=0")).status, 400);
  });

  test("fails as the cluster does", async () => {
    await using host = await HttpHost.start();
    host.operations.failure = new OperatingError("store_unavailable", "away");
    const answer = await host.request("GET", "/kv/");
    assertProblem(answer, 503, "store_unavailable");
    assert.equal(answer.headers["retry-after"], "1");
  });
});
