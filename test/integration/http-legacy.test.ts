/** The old API: what its clients rely on, word for word, and what it used to get wrong. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { assertMessage, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import type { RawAnswer } from "../harness/raw-http.ts";

const timeout = hangMs;

/** `fields` over those of a good put. */
function put(host: HttpHost, fields: Record<string, unknown> = {}, path = "/put/"): Promise<RawAnswer> {
  return host.request("POST", path, ["Content-Type: application/json"], bodyOf(fields));
}

function bodyOf(fields: Record<string, unknown>): Buffer {
  return Buffer.from(JSON.stringify({ key: "photo", extension: "jpg", data: "aGVsbG8=", ...fields }));
}

const encodePath = (key: string): string =>
  Buffer.from(key).reduce((path, byte) => `${path}%${byte.toString(16).padStart(2, "0")}`, "");

describe("the old API's put", { timeout }, () => {
  for (const path of ["/put/", "/put", "/put/?x=1"]) {
    test(`by ${path}: the bytes are stored, with extension and key as metadata and no content type`, async () => {
      await using host = await HttpHost.start();
      const answer = await put(host, {}, path);
      assert.equal(assertMessage(answer, 200), "OK!");
      assert.equal(answer.body.toString(), '{"msg":"OK!"}');
      assert.equal(host.operations.lastPut?.key, "photo");
      assert.equal(host.operations.lastPut?.value.toString(), "hello");
      assert.equal(host.operations.lastPut?.value.buffer.byteLength, 5);
      assert.deepEqual(host.operations.lastPut?.headers, {
        "x-weir-meta-extension": "jpg",
        "x-weir-meta-key": "photo",
      });
    });
  }

  const missing: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ data: undefined }, "data"],
    [{ data: "" }, "data"],
    [{ data: null }, "data"],
    [{ key: undefined }, "key"],
    [{ key: "" }, "key"],
    [{ extension: undefined }, "extension"],
    [{ extension: "" }, "extension"],
    [{ data: undefined, key: undefined, extension: undefined }, "data"],
    [{ key: undefined, extension: undefined }, "key"],
    [{ data: undefined, other: 1 }, "data"],
  ];
  for (const [fields, name] of missing) {
    const text = JSON.stringify(fields, (_name, value: unknown) => (value === undefined ? "(none)" : value));
    test(`with ${text}: 409 for ${name}`, async () => {
      await using host = await HttpHost.start();
      assert.equal(assertMessage(await put(host, fields), 409), `Required field '${name}' is missing!`);
      assert.equal(host.operations.values.size, 0);
    });
  }

  const wrong: readonly (readonly [string, string | Buffer, RegExp])[] = [
    ["no body", "", /JSON/],
    ["invalid JSON", '{"key":', /not valid JSON/],
    ["two objects", "{}{}", /not valid JSON/],
    ["an array", "[]", /object/],
    ["a string", '"key"', /object/],
    ["null", "null", /object/],
    ["invalid UTF-8", '{"key":"\xff"}', /UTF-8/],
    ["a number for data", bodyOf({ data: 5 }), /'data' must be a string/],
    ["a list for key", bodyOf({ key: ["a"] }), /'key' must be a string/],
    ["false for extension", bodyOf({ extension: false }), /'extension' must be a string/],
    ["an unknown field", bodyOf({ ttl: 5 }), /'ttl'/],
    [
      "a field named like a property of objects",
      '{"data":"AA==","key":"a","extension":"b","__proto__":{}}',
      /__proto__/,
    ],
    ["data with a foreign character", bodyOf({ data: "aGVs*bG8" }), /Base64/],
    ["data in the URL alphabet", bodyOf({ data: "_-__" }), /Base64/],
    ["data without padding", bodyOf({ data: "aGVsbG8" }), /Base64/],
    ["data with too much padding", bodyOf({ data: "aGVsbG8==" }), /Base64/],
    ["data with padding within", bodyOf({ data: "YQ==YQ==" }), /Base64/],
    ["data with stray bits", bodyOf({ data: "YR==" }), /Base64/],
    ["data beyond Latin-1", bodyOf({ data: "aGVs\u0141G8=" }), /Base64/],
    ["weir's own key", bodyOf({ key: ".weir/view.json" }), /weir's own/],
    ["the key of another cluster's own", bodyOf({ key: "team/.weir/view.json" }), /weir's own/],
    ["a key that is too long", bodyOf({ key: "ä".repeat(513) }), /1026/],
    ["a key with half a surrogate pair", '{"data":"AA==","key":"\\ud800","extension":"b"}', /surrogate/],
    ["an extension with half a surrogate pair", '{"data":"AA==","key":"a","extension":"\\udc00"}', /surrogate/],
    ["an extension with a line break", bodyOf({ extension: "a\nb" }), /control/],
    ["an extension with spaces around", bodyOf({ extension: " a" }), /spaces/],
    ["an extension that metadata can't hold", bodyOf({ extension: "e".repeat(2000) }), /too long/],
  ];
  for (const [what, body, message] of wrong) {
    test(`with ${what}: 400 that says so, nothing stored`, async () => {
      await using host = await HttpHost.start();
      assert.match(assertMessage(await host.request("POST", "/put/", [], body), 400), message);
      assert.equal(host.operations.values.size, 0);
    });
  }

  test("with headers that would change its meaning: refused", async () => {
    await using host = await HttpHost.start();
    for (const line of ["Content-Encoding: gzip", "Weir-Durability: hopeful"]) {
      assertMessage(await host.request("POST", "/put/", [line], bodyOf({})), 400);
    }
    assert.equal(host.operations.values.size, 0);
  });

  test("with line breaks in the data: they are skipped", async () => {
    await using host = await HttpHost.start();
    assertMessage(await put(host, { data: "aG\r\nVs\nbG8=\n" }), 200);
    assert.equal(host.operations.lastPut?.value.toString(), "hello");
  });

  test("with a key that doesn't fit into metadata: it is stored without that", async () => {
    await using host = await HttpHost.start();
    for (const key of ["ключ/".repeat(100), "a\nb", " a"]) {
      assertMessage(await put(host, { key }), 200);
      assert.equal(host.operations.lastPut?.key, key);
      assert.deepEqual(host.operations.lastPut?.headers, { "x-weir-meta-extension": "jpg" });
    }
  });
});

describe("the old API's get", { timeout }, () => {
  for (const key of ["photo", "a/b//../c", "ключ 🦆/ä", "à", 'quote"\\back', "a?b#c%d", "tab\there"]) {
    test(`of ${JSON.stringify(key)}: what was put, in the same fields`, async () => {
      await using host = await HttpHost.start();
      const extension = `x-${key.replaceAll("\t", "")}`;
      assertMessage(await put(host, { key, extension }), 200);
      const answer = await host.request("GET", `/get/${encodePath(key)}`);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], "application/json");
      assert.equal(answer.body.toString(), JSON.stringify({ key, extension, data: "aGVsbG8=" }));
      const head = await host.request("HEAD", `/get/${encodePath(key)}`);
      assert.equal(head.headers["content-length"], answer.headers["content-length"]);
      assert.equal((await host.request("GET", `/kv/${encodePath(key)}`)).body.toString(), "hello");
    });
  }

  test("of a value that the new API put: extension empty, and of each length the data right", async () => {
    await using host = await HttpHost.start();
    for (const length of [0, 1, 2, 3, 10_000]) {
      const bytes = Buffer.alloc(length, 0xfb);
      await host.request("PUT", "/kv/new", ["Content-Type: image/png"], bytes);
      const answer = await host.request("GET", "/get/new");
      assert.deepEqual(JSON.parse(answer.body.toString()), {
        key: "new",
        extension: "",
        data: bytes.toString("base64"),
      });
    }
  });

  test("of an extension that is no UTF-8: each byte a character", async () => {
    await using host = await HttpHost.start();
    await host.request("PUT", "/kv/a", ["x-weir-meta-extension: caf\xe9"], "x");
    assert.equal(
      (JSON.parse((await host.request("GET", "/get/a")).body.toString()) as { extension: string }).extension,
      "café",
    );
  });

  test("of nothing: 404 with the key in the message", async () => {
    await using host = await HttpHost.start();
    const message = assertMessage(await host.request("GET", "/get/no%2Fключ".replace("ключ", encodePath("ключ"))), 404);
    assert.equal(message, "File with key no/ключ not found!");
    assert.equal((await host.request("HEAD", "/get/nothing")).status, 404);
  });

  for (const path of ["", ".weir/x", "%ff", "a?b"]) {
    test(`of /get/${path}: 400, as the new API`, async () => {
      await using host = await HttpHost.start();
      assertMessage(await host.request("GET", `/get/${path}`), 400);
    });
  }
});

describe("the old API's errors", { timeout }, () => {
  test("a store that fails or refuses is 503, never 404", async () => {
    await using host = await HttpHost.start();
    for (const code of ["store_unavailable", "store_refused", "store_throttled", "buffer_full"] as const) {
      host.operations.failure = new OperatingError(code, "what happened");
      assert.equal(assertMessage(await host.request("GET", "/get/a"), 503), "what happened");
      assert.equal(assertMessage(await put(host), 503), "what happened");
    }
  });

  test("a bug is 500 without its message", async () => {
    await using host = await HttpHost.start();
    host.operations.failure = new TypeError("secret");
    assert.doesNotMatch(assertMessage(await put(host), 500), /secret/);
    assert.equal(host.lines.length, 1);
  });

  test("other methods are 405 with what is allowed", async () => {
    await using host = await HttpHost.start();
    for (const method of ["GET", "PUT", "DELETE"]) {
      const answer = await host.request(method, "/put/", [], method === "PUT" ? "x" : undefined);
      assertMessage(answer, 405);
      assert.equal(answer.headers["allow"], "POST, OPTIONS");
    }
    const answer = await host.request("POST", "/get/a", [], "x");
    assertMessage(answer, 405);
    assert.equal(answer.headers["allow"], "GET, HEAD, OPTIONS");
  });
});

describe("conditions on the old API", { timeout }, () => {
  test("a put with one is refused, also behind an empty one", async () => {
    await using host = await HttpHost.start();
    const body = JSON.stringify({ key: "k", data: "YQ==", extension: "txt" });
    assertMessage(await host.request("POST", "/put/", ["If-Match: ", "If-None-Match: *"], body), 400);
    assert.equal(host.operations.values.size, 0);
  });

  test("a get has validators of its own, which change with the extension, too", async () => {
    await using host = await HttpHost.start();
    await put(host);
    const first = await host.request("GET", "/get/photo");
    const tag = first.headers["etag"] as string;
    assert.match(tag, /^"[0-9a-f]{32}-[0-9a-f]+"$/);
    const since = first.headers["last-modified"];
    for (const line of [`If-None-Match: ${tag}`, "If-None-Match: *", `If-Modified-Since: ${since}`]) {
      const unchanged = await host.request("GET", "/get/photo", [line]);
      assert.deepEqual([unchanged.status, unchanged.headers["etag"], unchanged.body.length], [304, tag, 0], line);
    }
    assertMessage(await host.request("GET", "/get/photo", ['If-Match: "x"']), 412);
    await put(host, { extension: "png" });
    assert.equal((await host.request("GET", "/get/photo", [`If-None-Match: ${tag}`])).status, 200);
  });

  test("a put takes none, rather than to ignore them", async () => {
    await using host = await HttpHost.start();
    for (const line of ["If-None-Match: *", 'If-Match: "x"', "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"]) {
      assert.match(assertMessage(await host.request("POST", "/put/", [line], bodyOf({})), 400), /PUT \/kv\//);
    }
    assert.equal(host.operations.values.size, 0);
  });
});
