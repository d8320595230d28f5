/**
 * From the raw path of a request to a key: nothing normalised, everything decoded once, what can't be a key refused.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";

const timeout = hangMs;

/** Path after `/kv/`, a byte for each character, and the key that it means. */
const sameKeys: readonly (readonly [string, string])[] = [
  ["plain", "plain"],
  ["a/b", "a/b"],
  ["a%2Fb", "a/b"],
  ["a%2fb", "a/b"],
  ["a//b", "a//b"],
  ["a/../b", "a/../b"],
  ["../b", "../b"],
  ["./a/.", "./a/."],
  ["/a", "/a"],
  ["a/", "a/"],
  ["%2E%2e/b", "../b"],
  ["a%20b+c", "a b+c"],
  ["%3F%23%25", "?#%"],
  ["%252F", "%2F"],
  ["%00%0d%0a", "\0\r\n"],
  ["%D0%BA%D0%BB%D1%8E%D1%87", "ключ"],
  ["%F0%9F%A6%86", "🦆"],
  [".weir", ".weir"],
  [".weird/x", ".weird/x"],
  ["a/.weird/x", "a/.weird/x"],
  ["a/.weir", "a/.weir"],
  ["a;b=c&d:e@f\\g", "a;b=c&d:e@f\\g"],
  ["__proto__", "__proto__"],
  ["k".repeat(1024), "k".repeat(1024)],
  ["%C3%A4".repeat(512), "ä".repeat(512)],
];

const noKeys: readonly (readonly [string, RegExp])[] = [
  ["%", /%25/],
  ["a%2", /%25/],
  ["a%2x", /%25/],
  ["a%u0041", /%25/],
  ["%FF", /UTF-8/],
  ["%C3", /UTF-8/],
  ["%C0%AF", /UTF-8/],
  ["%ED%A0%80", /UTF-8/],
  ["%F4%90%80%80", /UTF-8/],
  ["\xd0\xba", /percent-encoded/],
  [".weir/view.json", /weir's own/],
  ["%2Eweir%2fview.json", /weir's own/],
  [".weir/", /weir's own/],
  ["k".repeat(1025), /1025/],
  ["%C3%A4".repeat(513), /1026/],
  ["a?b=c", /%3F/],
  ["a?", /%3F/],
  ["a#b", /%23/],
];

describe("the key in a path", { timeout }, () => {
  for (const [path, key] of sameKeys) {
    test(`/kv/${path.slice(0, 40)}: what is put is under that key, and read by the same path`, async () => {
      await using host = await HttpHost.start();
      assert.equal((await host.request("PUT", `/kv/${path}`, [], "value")).status, 204);
      assert.equal(host.operations.lastPut?.key, key);
      const read = await host.request("GET", `/kv/${path}`);
      assert.equal(read.status, 200);
      assert.equal(read.body.toString(), "value");
      assert.equal((await host.request("DELETE", `/kv/${path}`)).status, 204);
      assert.equal(host.operations.lastDelete?.key, key);
    });
  }

  for (const [path, detail] of noKeys) {
    test(`/kv/${path.slice(0, 40)}: refused with what is wrong, for every method`, async () => {
      await using host = await HttpHost.start();
      for (const method of ["PUT", "GET", "DELETE"]) {
        const answer = await host.request(method, `/kv/${path}`, [], method === "PUT" ? "value" : undefined);
        assert.match(assertProblem(answer, 400, "key_invalid").detail, detail);
      }
      assert.equal((await host.request("HEAD", `/kv/${path}`)).status, 400);
      assert.equal(host.operations.values.size, 0);
    });
  }

  for (const key of ["team/.weir/view.json", "team.weir/view.json", "a/.weir/", "a%2F.weir%2Fx"]) {
    test(`/kv/${key}: may be another cluster's own, so it is read and never changed`, async () => {
      await using host = await HttpHost.start();
      for (const method of ["PUT", "DELETE"]) {
        const answer = await host.request(method, `/kv/${key}`, [], method === "PUT" ? "value" : undefined);
        assert.match(assertProblem(answer, 400, "key_invalid").detail, /weir's own/);
      }
      assert.equal(host.operations.values.size, 0);
      assert.equal((await host.request("GET", `/kv/${key}`)).status, 404);
      assert.equal((await host.request("HEAD", `/kv/${key}`)).status, 404);
    });
  }

  test("an empty one: a put is refused, and so is a listing without the slash", async () => {
    await using host = await HttpHost.start();
    assertProblem(await host.request("PUT", "/kv/", [], "value"), 400, "key_invalid");
    assertProblem(await host.request("DELETE", "/kv/"), 400, "key_invalid");
    assertProblem(await host.request("GET", "/kv"), 404, "route_not_found");
  });

  test("a target with scheme and host: they are no part of the key", async () => {
    await using host = await HttpHost.start();
    assert.equal((await host.request("PUT", "http://test/kv/a//b", [], "value")).status, 204);
    assert.equal(host.operations.lastPut?.key, "a//b");
    assert.equal((await host.request("GET", "HTTP://other:80/kv/a%2F%2fb")).status, 200);
    assertProblem(await host.request("GET", "http://test?a"), 404, "route_not_found");
    // Without a path it is the dashboard.
    assert.equal((await host.request("GET", "http://test")).status, 200);
  });
});
