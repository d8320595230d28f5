/** Conditional requests and ranges (RFC 9110, sections 13 and 14), on reads and on writes. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, test } from "node:test";
import type { Precondition } from "../../src/core/precondition.ts";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";

const timeout = hangMs;
const text = "0123456789";
const tag = `"${hash("md5", text, "hex")}"`;
const other = '"00000000000000000000000000000000"';
const writtenMs = Date.UTC(1994, 10, 6, 8, 49, 37, 500);
const atWrite = "Sun, 06 Nov 1994 08:49:37 GMT";
const before = "Sun, 06 Nov 1994 08:49:36 GMT";

async function hostWithValue(): Promise<HttpHost> {
  const host = await HttpHost.start();
  host.operations.nowMs = () => writtenMs;
  const headers = ["Cache-Control: no-cache", "Content-Type: text/plain"];
  assert.equal((await host.request("PUT", "/kv/a", headers, text)).status, 204);
  return host;
}

const reads: readonly (readonly [readonly string[], number])[] = [
  [[`If-None-Match: ${tag}`], 304],
  [[`If-None-Match: W/${tag}`], 304],
  [["If-None-Match: *"], 304],
  [[`If-None-Match: ${other}`], 200],
  [[`If-None-Match: ${other}, ${tag}`], 304],
  [[`If-None-Match: ${other}`, `If-None-Match: ${tag}`], 304],
  [[`If-None-Match: , ${other} ,, W/${tag},`], 304],
  [['If-None-Match: "*"'], 200],
  [['If-None-Match: "a,b", "c"'], 200],
  [["If-None-Match:"], 200],
  [[`If-Match: ${tag}`], 200],
  [["If-Match: *"], 200],
  [[`If-Match: ${other}, ${tag}`], 200],
  [[`If-Match: W/${tag}`], 412],
  [[`If-Match: ${other}`], 412],
  [["If-Match:"], 412],
  [[`If-Modified-Since: ${atWrite}`], 304],
  [[`If-Modified-Since: ${before}`], 200],
  [["If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"], 304],
  [["If-Modified-Since: Sun Nov  6 08:49:37 1994"], 304],
  [["If-Modified-Since: Sun Nov  6 08:49:36 1994"], 200],
  [["If-Modified-Since: yesterday"], 200],
  [["If-Modified-Since: 1994-11-06T08:49:37Z"], 200],
  [[`If-Unmodified-Since: ${atWrite}`], 200],
  [[`If-Unmodified-Since: ${before}`], 412],
  [["If-Unmodified-Since: nonsense"], 200],
  // Tags go before dates, and what is required before what is avoided.
  [[`If-None-Match: ${other}`, `If-Modified-Since: ${atWrite}`], 200],
  [[`If-Match: ${tag}`, `If-Unmodified-Since: ${before}`], 200],
  [[`If-Match: ${other}`, `If-None-Match: ${tag}`], 412],
  [[`If-Match: ${tag}`, `If-None-Match: ${tag}`], 304],
  [[`If-Unmodified-Since: ${before}`, `If-None-Match: ${tag}`], 412],
];

describe("a conditional read", { timeout }, () => {
  for (const [headers, status] of reads) {
    test(`${headers.join(" and ")}: ${status}, by GET and HEAD`, async () => {
      await using host = await hostWithValue();
      const get = await host.request("GET", "/kv/a", [...headers]);
      assert.equal(get.status, status);
      assert.equal((await host.request("HEAD", "/kv/a", [...headers])).status, status);
      if (status === 412) assertProblem(get, 412, "precondition_failed");
      assert.equal(get.headers["etag"], tag);
      if (status !== 304) return;
      assert.equal(get.headers["last-modified"], atWrite);
      assert.equal(get.headers["cache-control"], "no-cache");
      assert.equal(get.headers["weir-version"], "1.1");
      assert.equal(get.headers["content-length"], undefined);
    });
  }

  for (const value of [tag.slice(1, -1), `"a`, `a"b"`, `*, ${tag}`, `${tag} ${other}`, `w/${tag}`, '"a b"']) {
    test(`a malformed list ${value}: refused`, async () => {
      await using host = await hostWithValue();
      for (const name of ["If-Match", "If-None-Match"]) {
        const answer = await host.request("GET", "/kv/a", [`${name}: ${value}`]);
        assert.match(assertProblem(answer, 400, "header_invalid").detail, new RegExp(name));
        assertProblem(await host.request("PUT", "/kv/a", [`${name}: ${value}`], "x"), 400, "header_invalid");
      }
    });
  }

  test("no value: 404 whatever the condition", async () => {
    await using host = await hostWithValue();
    for (const line of ["If-Match: *", "If-None-Match: *", `If-Unmodified-Since: ${before}`]) {
      assertProblem(await host.request("GET", "/kv/missing", [line]), 404, "key_not_found");
    }
  });

  test("a date twice: refused, since two readers could take different ones", async () => {
    await using host = await hostWithValue();
    for (const name of ["If-Modified-Since", "If-Unmodified-Since"]) {
      const answer = await host.request("GET", "/kv/a", [`${name}: ${atWrite}`, `${name}: ${before}`]);
      assertProblem(answer, 400, "header_invalid");
    }
  });
});

const writes: readonly (readonly [readonly string[], Precondition | undefined])[] = [
  [[], undefined],
  [[`If-Match: ${tag}`], { match: [tag.slice(1, -1)] }],
  [["If-Match: *"], { match: ["*"] }],
  [[`If-Match: ${tag}, W/${other}, "x"`], { match: [tag.slice(1, -1), "x"] }],
  [[`If-Match: W/${tag}`], { match: [] }],
  [['If-Match: "*"'], { match: [] }],
  [["If-None-Match: *"], { noneMatch: ["*"] }],
  [[`If-None-Match: ${tag}, W/"x"`], { noneMatch: [tag.slice(1, -1), "x"] }],
  [['If-None-Match: "*"'], undefined],
  [[`If-Unmodified-Since: ${atWrite}`], { unmodifiedSince: Date.parse(atWrite) / 1000 }],
  [
    [`If-Unmodified-Since: ${before}`, 'If-None-Match: "x"'],
    { noneMatch: ["x"], unmodifiedSince: Date.parse(before) / 1000 },
  ],
  [["If-Unmodified-Since: nonsense"], undefined],
  [[`If-Match: ${tag}`, 'If-None-Match: "x"'], { match: [tag.slice(1, -1)], noneMatch: ["x"] }],
  [[`If-Modified-Since: ${atWrite}`], undefined],
  [[`If-Match: ${tag}`, `If-Unmodified-Since: ${before}`], { match: [tag.slice(1, -1)] }],
];

describe("a conditional write", { timeout }, () => {
  for (const [headers, precondition] of writes) {
    test(`${headers.join(" and ") || "no condition"}: goes with the operation`, async () => {
      await using host = await hostWithValue();
      await host.request("PUT", "/kv/a", [...headers], "new");
      assert.deepEqual(host.operations.lastPut?.precondition, precondition);
      await host.request("DELETE", "/kv/a", [...headers]);
      assert.deepEqual(host.operations.lastDelete?.precondition, precondition);
    });
  }

  test("one that fails: 412, and the value stays", async () => {
    await using host = await hostWithValue();
    assertProblem(await host.request("PUT", "/kv/a", ["If-None-Match: *"], "new"), 412, "precondition_failed");
    assertProblem(await host.request("DELETE", "/kv/a", [`If-Match: ${other}`]), 412, "precondition_failed");
    assertProblem(await host.request("PUT", "/kv/b", ["If-Match: *"], "new"), 412, "precondition_failed");
    assert.equal((await host.request("GET", "/kv/a")).body.toString(), text);
    assert.equal((await host.request("PUT", "/kv/b", ["If-None-Match: *"], "new")).status, 204);
    assert.equal((await host.request("PUT", "/kv/a", [`If-Match: ${tag}`], "new")).status, 204);
  });

  test("If-Unmodified-Since: 412 if the value was written in a later second; without a value it holds", async () => {
    await using host = await hostWithValue();
    const late = [`If-Unmodified-Since: ${before}`];
    assertProblem(await host.request("PUT", "/kv/a", late, "new"), 412, "precondition_failed");
    assertProblem(await host.request("DELETE", "/kv/a", late), 412, "precondition_failed");
    assert.equal((await host.request("PUT", "/kv/b", late, "new")).status, 204);
    assert.equal((await host.request("PUT", "/kv/a", [...late, `If-Match: ${tag}`], text)).status, 204);
    assert.equal((await host.request("DELETE", "/kv/a", [`If-Unmodified-Since: ${atWrite}`])).status, 204);
  });
});

/** Range, and the part that it means in {@link text}; a number is a status without a part. */
const ranges: readonly (readonly [string, string | number])[] = [
  ["bytes=0-4", "01234"],
  ["bytes=5-", "56789"],
  ["bytes=-3", "789"],
  ["bytes=-30", text],
  ["bytes=9-9", "9"],
  ["bytes=8-99999999999999999999", "89"],
  ["Bytes=0-0", "0"],
  ["bytes=10-", 416],
  ["bytes=10-12", 416],
  ["bytes=-0", 416],
  ["bytes=5-4", 416],
  ["bytes=-", 416],
  ["bytes=a-b", 416],
  ["bytes=", 416],
  ["bytes=0-1,3-4", 200],
  ["bytes=0-1, 20-", 200],
  ["lines=0-4", 200],
  ["0-4", 200],
];

const malformedRanges: readonly string[] = ["bytes=5-4", "bytes=-", "bytes=a-b", "bytes="];

describe("a range", { timeout }, () => {
  for (const [range, expected] of ranges) {
    test(`${range}: ${expected}`, async () => {
      await using host = await hostWithValue();
      const answer = await host.request("GET", "/kv/a", [`Range: ${range}`]);
      if (expected === 416) {
        const { detail } = assertProblem(answer, 416, "range_not_satisfiable");
        assert.match(detail, malformedRanges.includes(range) ? /^Range is malformed/ : /^the value has 10 bytes$/);
        assert.equal(answer.headers["content-range"], "bytes */10");
      } else if (expected === 200) {
        assert.equal(answer.status, 200);
        assert.equal(answer.body.toString(), text);
      } else {
        const part = expected as string;
        const start = text.indexOf(part);
        assert.equal(answer.status, 206);
        assert.equal(answer.body.toString(), part);
        assert.equal(answer.headers["content-range"], `bytes ${start}-${start + part.length - 1}/10`);
        assert.equal(answer.headers["etag"], tag);
        assert.equal(answer.headers["content-type"], "text/plain");
      }
    });
  }

  test("of an empty value: 416, but for its last bytes, which it has: the whole", async () => {
    await using host = await HttpHost.start();
    await host.request("PUT", "/kv/a", [], "");
    for (const range of ["bytes=0-", "bytes=-0"]) {
      assertProblem(await host.request("GET", "/kv/a", [`Range: ${range}`]), 416, "range_not_satisfiable");
    }
    const last = await host.request("GET", "/kv/a", ["Range: bytes=-5"]);
    assert.deepEqual([last.status, last.headers["content-length"]], [200, "0"]);
  });

  const ifRanges: readonly (readonly [string, number])[] = [
    [tag, 206],
    [other, 200],
    [`W/${tag}`, 200],
    [`${tag}, ${other}`, 200],
    ["*", 200],
    [atWrite, 200],
  ];
  for (const [value, status] of ifRanges) {
    test(`with If-Range ${value}: ${status}`, async () => {
      await using host = await hostWithValue();
      const answer = await host.request("GET", "/kv/a", ["Range: bytes=0-0", `If-Range: ${value}`]);
      assert.equal(answer.status, status);
    });
  }

  test("conditions come first, HEAD and a missing key have no ranges", async () => {
    await using host = await hostWithValue();
    const range = "Range: bytes=0-0";
    assert.equal((await host.request("GET", "/kv/a", [range, `If-None-Match: ${tag}`])).status, 304);
    assert.equal((await host.request("GET", "/kv/a", [range, `If-Match: ${other}`])).status, 412);
    assert.equal((await host.request("GET", "/kv/a", ["Range: bytes=99-", `If-Match: ${tag}`])).status, 416);
    assert.equal((await host.request("HEAD", "/kv/a", [range])).status, 200);
    assert.equal((await host.request("GET", "/kv/missing", [range])).status, 404);
  });
});

test("Last-Modified is never later than the Date of the answer, whatever clock dated the value", async () => {
  await using host = await HttpHost.start();
  host.operations.nowMs = () => Date.now() + 3_600_000;
  await host.request("PUT", "/kv/a", [], text);
  const { headers } = await host.request("GET", "/kv/a");
  assert.ok(Date.parse(headers["last-modified"] as string) <= Date.parse(headers["date"] as string));
});

test("what is no HTTP is refused with a Date, too", async () => {
  await using host = await HttpHost.start();
  await using connection = await host.connect();
  const answer = await connection.send("nonsense\r\n\r\n").answer();
  assertProblem(answer, 400, "header_invalid");
  assert.ok(Math.abs(Date.parse(answer.headers["date"] as string) - Date.now()) < 60_000);
});
