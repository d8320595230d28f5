/** Bodies of requests: whole or not at all, within limits, and refused before they are sent where that can be. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { assertMessage, assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { rawRequest } from "../harness/raw-http.ts";

const timeout = hangMs;
const small = { maxValueBytes: 1000, inFlightBytes: 20_000 };

function head(target: string, ...lines: string[]): string {
  return `PUT ${target} HTTP/1.1\r\nHost: test\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

describe("a body with a length", { timeout }, () => {
  test("in pieces: the value is all of them", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    connection.socket.setNoDelay(true);
    connection.send(head("/kv/a", "Content-Length: 10"));
    for (const digit of "0123456789") {
      await new Promise((resolve) => connection.socket.write(digit, resolve));
    }
    assert.equal((await connection.answer()).status, 204);
    assert.equal(host.operations.lastPut?.value.toString(), "0123456789");
    assert.equal(host.operations.lastPut?.value.buffer.byteLength, 10);
  });

  test("at the limit it is taken, a byte beyond it is refused and the connection ends", async () => {
    await using host = await HttpHost.start(small);
    assert.equal((await host.request("PUT", "/kv/a", [], "x".repeat(1000))).status, 204);
    await using connection = await host.connect();
    connection.send(rawRequest("PUT", "/kv/b", [], "x".repeat(100_000)));
    const answer = await connection.answer();
    assert.match(assertProblem(answer, 413, "value_too_large").detail, /1000/);
    assert.equal(answer.headers["connection"], "close");
    assert.equal(await connection.rest(), "");
    assert.equal(host.operations.values.has("b"), false);
  });

  test("too large, from a client that reads only when all is sent: it still sees the refusal", async () => {
    await using host = await HttpHost.start({ ...small, inFlightBytes: 32 * 1024 * 1024 });
    await using connection = await host.connect();
    connection.socket.pause();
    const request = rawRequest("PUT", "/kv/a", [], Buffer.alloc(16 * 1024 * 1024));
    const error = await new Promise((resolve) => connection.socket.write(request, resolve));
    assert.equal(error ?? undefined, undefined);
    connection.socket.resume();
    assertProblem(await connection.answer(), 413, "value_too_large");
  });

  test("beyond the limit of streams: the refusal names that limit", async () => {
    await using host = await HttpHost.start({ ...small, maxStreamBytes: 5000 });
    const answer = await host.request("PUT", "/kv/a", [], "x".repeat(10_000));
    assert.match(assertProblem(answer, 413, "value_too_large").detail, /5000 bytes/);
  });

  test("that has become a stream counts no longer than its beginning is in memory", async () => {
    await using host = await HttpHost.start({ maxValueBytes: 1000, inFlightBytes: 2400, maxStreamBytes: 1e9 });
    await using connection = await host.connect();
    connection.send(head("/kv/large", "Transfer-Encoding: chunked"));
    connection.send(`${(1500).toString(16)}\r\n${"x".repeat(1500)}\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal((await host.request("PUT", "/kv/a", [], "x".repeat(1000))).status, 204);
    connection.send("0\r\n\r\n");
    assert.equal((await connection.answer()).status, 204);
  });

  test("of a stream that is not wanted, from a client that reads only when all is sent: it still sees the refusal", async () => {
    await using host = await HttpHost.start({ ...small, maxStreamBytes: 1e9, inFlightBytes: 32 * 1024 * 1024 });
    assert.equal((await host.request("PUT", "/kv/a", [], "x")).status, 204);
    await using connection = await host.connect();
    connection.socket.pause();
    const request = rawRequest("PUT", "/kv/a", ["If-None-Match: *"], Buffer.alloc(30_000_000));
    await new Promise((resolve) => connection.socket.write(request, resolve));
    connection.socket.resume();
    assertProblem(await connection.answer(), 412, "precondition_failed");
  });

  test("too large and never sent: the refusal comes at once, the connection ends after the linger", async () => {
    await using host = await HttpHost.start({ ...small, lingerMs: 50 });
    await using connection = await host.connect();
    connection.send(head("/kv/a", "Content-Length: 99999999999"));
    assertProblem(await connection.answer(), 413, "value_too_large");
    assert.equal(await connection.rest(), "");
  });

  test("cut off by a reset: nothing is stored, and its room is given back", async () => {
    await using host = await HttpHost.start({ ...small, inFlightBytes: 1000 });
    await using connection = await host.connect();
    connection.send(head("/kv/a", "Content-Length: 1000", "Expect: 100-continue"));
    assert.equal((await connection.answer()).status, 100);
    // All the room is taken.
    const refused = await host.request("PUT", "/kv/b", [], "y".repeat(10));
    assertProblem(refused, 503, "overloaded");
    connection.send("x".repeat(999)).socket.resetAndDestroy();
    await once(connection.socket, "close");
    let answer = refused;
    while (answer.status === 503) answer = await host.request("PUT", "/kv/b", [], "y".repeat(1000));
    assert.equal(answer.status, 204);
    assert.deepEqual([...host.operations.values.keys()], ["b"]);
  });

  test("cut off by half a close: nothing is stored, and the client is told", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    connection.send(`${head("/kv/a", "Content-Length: 10")}123456789`).socket.end();
    assertProblem(await connection.answer(), 400, "body_truncated");
    assert.equal(await connection.rest(), "");
    assert.equal(host.operations.values.size, 0);
  });

  test("whole, then half a close: it is stored and answered", async () => {
    await using host = await HttpHost.start();
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using connection = await host.connect();
    connection.send(rawRequest("PUT", "/kv/a", [], "hello")).socket.end();
    // By the time this is answered, the server has seen the end of the other.
    assert.equal((await host.request("GET", "/healthz")).status, 200);
    open();
    assert.equal((await connection.answer()).status, 204);
    assert.equal(await connection.rest(), "");
    assert.equal(host.operations.values.size, 1);
  });

  test("too slow: 408, nothing stored, its room given back", async () => {
    await using host = await HttpHost.start({ ...small, inFlightBytes: 1000, bodyTimeoutMs: 50, lingerMs: 20 });
    await using connection = await host.connect();
    connection.send(`${head("/kv/a", "Content-Length: 1000")}123`);
    const answer = await connection.answer();
    assertProblem(answer, 408, "body_timeout");
    assert.equal(answer.headers["connection"], "close");
    assert.equal(await connection.rest(), "");
    assert.equal(host.operations.values.size, 0);
    assert.equal((await host.request("PUT", "/kv/b", [], "y".repeat(1000))).status, 204);
  });

  test("counts as under way until it is answered", async () => {
    await using host = await HttpHost.start({ ...small, inFlightBytes: 1000 });
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using first = await host.connect();
    first.send(rawRequest("PUT", "/kv/a", [], "x".repeat(600)));
    const refused = await host.request("PUT", "/kv/b", [], "x".repeat(600));
    assertProblem(refused, 503, "overloaded");
    open();
    assert.equal((await first.answer()).status, 204);
    host.operations.gate = undefined;
    assert.equal((await host.request("PUT", "/kv/b", [], "x".repeat(600))).status, 204);
  });

  test("given back also when the operation fails", async () => {
    await using host = await HttpHost.start({ ...small, inFlightBytes: 1000 });
    host.operations.failure = new Error("bug");
    for (let i = 0; i < 3; i++) {
      assertProblem(await host.request("PUT", "/kv/a", [], "x".repeat(900)), 500, "internal");
    }
  });
});

describe("Expect: 100-continue", { timeout }, () => {
  test("a body that may come: the client is told to go on, then answered", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    connection.send(head("/kv/a", "Content-Length: 5", "Expect: 100-continue"));
    assert.equal((await connection.answer()).status, 100);
    assert.equal((await connection.send("hello").answer()).status, 204);
    assert.equal((await connection.send(rawRequest("GET", "/kv/a")).answer()).body.toString(), "hello");
  });

  const refusals: readonly (readonly [string, number, readonly string[]])[] = [
    ["/kv/a", 413, ["Content-Length: 1001"]],
    ["/kv/.weir/a", 400, ["Content-Length: 5"]],
    ["/kv/a", 400, ["Content-Length: 5", "If-Match: x"]],
    ["/kv/a", 400, ["Content-Length: 5", "x-weir-meta-a!b: 1"]],
    ["/kv/a", 400, ["Content-Length: 5", "Weir-Durability: hopeful"]],
    ["/nowhere", 404, ["Content-Length: 5"]],
    ["/cluster", 405, ["Content-Length: 5"]],
    ["/get/a", 405, ["Content-Length: 5"]],
  ];
  for (const [target, status, lines] of refusals) {
    test(`${target} with ${lines.join(", ")}: ${status} instead, and the connection ends`, async () => {
      await using host = await HttpHost.start(small);
      await using connection = await host.connect();
      connection.send(head(target, ...lines, "Expect: 100-continue"));
      const answer = await connection.answer();
      assert.equal(answer.status, status);
      assert.equal(answer.headers["connection"], "close");
      assert.equal(await connection.rest(), "");
    });
  }

  test("a condition that does not hold: 412 instead, large or small, and nothing is written", async () => {
    await using host = await HttpHost.start({ maxValueBytes: 100, maxStreamBytes: 1_000 });
    await host.request("PUT", "/kv/a", [], "x");
    const before = host.operations.lastPut;
    for (const line of ["If-None-Match: *", 'If-Match: "0"', "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"]) {
      for (const size of ["Content-Length: 5", "Content-Length: 500", "Transfer-Encoding: chunked"]) {
        await using connection = await host.connect();
        connection.send(head("/kv/a", size, line, "Expect: 100-continue"));
        const answer = await connection.answer();
        assertProblem(answer, 412, "precondition_failed");
        assert.equal(answer.headers["connection"], "close");
        assert.equal(await connection.rest(), "");
      }
    }
    assert.equal(host.operations.lastPut, before);
  });

  test("a condition that holds, or would fail by the time of the body: the client is told to go on", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    connection.send(head("/kv/a", "Content-Length: 5", "If-None-Match: *", "Expect: 100-continue"));
    assert.equal((await connection.answer()).status, 100);
    // Another writer is faster. The condition counts where the key's writes are ordered.
    await host.request("PUT", "/kv/a", [], "x");
    assertProblem(await connection.send("hello").answer(), 412, "precondition_failed");
  });

  test("a condition whose key cannot be looked at: the failure instead", async () => {
    await using host = await HttpHost.start();
    host.operations.failure = new OperatingError("not_ready", "the hand-off of this key is under way");
    await using connection = await host.connect();
    connection.send(head("/kv/a", "Content-Length: 5", "If-None-Match: *", "Expect: 100-continue"));
    assertProblem(await connection.answer(), 503, "not_ready");
  });

  test("no room: 503 instead", async () => {
    await using host = await HttpHost.start({ ...small, inFlightBytes: 1000 });
    await using holder = await host.connect();
    holder.send(head("/kv/a", "Content-Length: 600", "Expect: 100-continue"));
    assert.equal((await holder.answer()).status, 100);
    await using connection = await host.connect();
    connection.send(head("/kv/b", "Content-Length: 600", "Expect: 100-continue"));
    assertProblem(await connection.answer(), 503, "overloaded");
  });

  test("something else expected: refused", async () => {
    await using host = await HttpHost.start();
    assertProblem(await host.request("PUT", "/kv/a", ["Expect: miracles"], "x"), 400, "header_invalid");
    assert.equal(host.operations.values.size, 0);
  });
});

describe("a chunked body", { timeout }, () => {
  const chunked = head("/kv/a", "Transfer-Encoding: chunked");

  test("in chunks, with extensions and trailers: the value is all of them", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    connection.send(`${chunked}5\r\nhello\r\n1;x=y\r\n,\r\n006\r\n world\r\n0\r\nx-weir-meta-late: 1\r\n\r\n`);
    assert.equal((await connection.answer()).status, 204);
    assert.equal(host.operations.lastPut?.value.toString(), "hello, world");
    assert.deepEqual(host.operations.lastPut?.headers, {});
    assert.equal((await connection.send(rawRequest("GET", "/kv/a")).answer()).status, 200);
  });

  test("of one chunk, and of none", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    assert.equal((await connection.send(`${chunked}5\r\nhello\r\n0\r\n\r\n`).answer()).status, 204);
    assert.equal(host.operations.lastPut?.value.toString(), "hello");
    assert.equal(host.operations.lastPut?.value.buffer.byteLength, 5);
    assert.equal((await connection.send(`${chunked}0\r\n\r\n`).answer()).status, 204);
    assert.equal(host.operations.lastPut?.value.length, 0);
  });

  test("beyond the limit: 413 as soon as that is known", async () => {
    await using host = await HttpHost.start({ ...small, lingerMs: 50 });
    await using connection = await host.connect();
    connection.send(`${chunked}3e8\r\n${"x".repeat(1000)}\r\n1\r\ny`);
    assertProblem(await connection.answer(), 413, "value_too_large");
    assert.equal(await connection.rest(), "");
    assert.equal(host.operations.values.size, 0);
  });

  test("beyond the room of the node: 503", async () => {
    await using host = await HttpHost.start({ ...small, inFlightBytes: 1000, lingerMs: 50 });
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using holder = await host.connect();
    holder.send(rawRequest("PUT", "/kv/b", [], "x".repeat(600)));
    await using connection = await host.connect();
    connection.send(`${chunked}258\r\n${"x".repeat(600)}\r\n`);
    assertProblem(await connection.answer(), 503, "overloaded");
    open();
    assert.equal((await holder.answer()).status, 204);
  });

  const broken: readonly (readonly [string, string])[] = [
    ["a size that is no number", "zz\r\nhello\r\n0\r\n\r\n"],
    ["a chunk longer than it says", "3\r\nhello\r\n0\r\n\r\n"],
    ["a size with a sign", "+5\r\nhello\r\n0\r\n\r\n"],
    ["a size too large for anything", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"],
    ["lines ended by LF alone", "5\nhello\n0\n\n"],
  ];
  for (const [what, body] of broken) {
    test(`${what}: refused, nothing stored`, async () => {
      await using host = await HttpHost.start();
      await using connection = await host.connect();
      const answer = await connection.send(chunked + body).answer();
      assertProblem(answer, 400, "body_invalid");
      assert.equal(await connection.rest(), "");
      assert.equal(host.operations.values.size, 0);
    });
  }

  test("cut off: nothing is stored", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    connection.send(`${chunked}5\r\nhello\r\n`).socket.end();
    assertProblem(await connection.answer(), 400, "body_truncated");
    assert.equal(host.operations.values.size, 0);
  });
});

describe("framing that two readers could understand differently", { timeout }, () => {
  const requests: readonly (readonly [string, readonly string[]])[] = [
    ["a length and chunks", ["Content-Length: 5", "Transfer-Encoding: chunked"]],
    ["two lengths", ["Content-Length: 5", "Content-Length: 6"]],
    ["the same length twice", ["Content-Length: 5", "Content-Length: 5"]],
    ["a list of lengths", ["Content-Length: 5, 5"]],
    ["a negative length", ["Content-Length: -5"]],
    ["a length with a sign", ["Content-Length: +5"]],
    ["chunked not last", ["Transfer-Encoding: chunked, gzip"]],
    ["chunked twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
    ["an obscured coding", ["Transfer-Encoding: xchunked"]],
    ["a space before the colon", ["Content-Length : 5"]],
    ["a folded line", ["X-A: b", " Content-Length: 5"]],
    ["two hosts", ["Host: other", "Content-Length: 5"]],
    ["a bare CR", ["X-A: b\rContent-Length: 5"]],
    ["a NUL", ["X-A: \0", "Content-Length: 5"]],
  ];
  for (const [what, lines] of requests) {
    test(`${what}: refused, nothing stored, nothing behind it served`, async () => {
      await using host = await HttpHost.start({ lingerMs: 50 });
      await using connection = await host.connect();
      connection.send(`${head("/kv/a", ...lines)}5\r\nhello\r\n0\r\n\r\n`);
      const answer = await connection.answer();
      assert.equal(answer.status, 400);
      assert.match(answer.headers["content-type"] ?? "", /problem/);
      connection.socket.end();
      await connection.rest();
      assert.equal(host.operations.values.size, 0);
    });
  }

  test("HTTP/1.0 with chunks: refused", async () => {
    await using host = await HttpHost.start({ lingerMs: 50 });
    await using connection = await host.connect();
    connection.send("PUT /kv/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    assertProblem(await connection.answer(), 400, "header_invalid");
    assert.equal(host.operations.values.size, 0);
  });

  for (const method of ["GET", "HEAD", "DELETE", "OPTIONS"]) {
    test(`a body with ${method}: refused`, async () => {
      await using host = await HttpHost.start();
      await host.request("PUT", "/kv/a", [], "hello");
      const answer = await host.request(method, "/kv/a", [], "GET /kv/b HTTP/1.1\r\n\r\n");
      assert.equal(answer.status, 400);
      assert.equal(answer.headers["connection"], "close");
      assert.equal(host.operations.values.size, 1);
      // An announced empty one is none.
      assert.ok((await host.request(method, "/kv/a", [], "")).status < 300);
    });
  }
});

describe("pipelined requests", { timeout }, () => {
  test("are answered in order, whole bodies and all", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    const requests = [
      rawRequest("PUT", "/kv/a", [], "1"),
      rawRequest("GET", "/kv/a"),
      rawRequest("PUT", "/kv/a", [], "22"),
      rawRequest("GET", "/kv/a"),
      rawRequest("GET", "/kv/none"),
      rawRequest("GET", "/get/a"),
    ];
    connection.send(Buffer.concat(requests));
    const answers = [];
    for (const _ of requests) answers.push(await connection.answer());
    assert.deepEqual(
      answers.map(({ status }) => status),
      [204, 200, 204, 200, 404, 200],
    );
    assert.equal(answers[1]?.body.toString(), "1");
    assert.equal(answers[3]?.body.toString(), "22");
  });

  test("garbage behind a request: that one is answered first, then the garbage", async () => {
    await using host = await HttpHost.start();
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using connection = await host.connect();
    connection.send(Buffer.concat([rawRequest("PUT", "/kv/a", [], "1"), Buffer.from("\0garbage\r\n\r\n")]));
    setImmediate(open);
    assert.equal((await connection.answer()).status, 204);
    assertProblem(await connection.answer(), 400, "header_invalid");
    assert.equal(await connection.rest(), "");
  });

  test("a refused body is not taken for the next request", async () => {
    await using host = await HttpHost.start(small);
    await using connection = await host.connect();
    const inner = rawRequest("PUT", "/kv/smuggled", [], "x");
    connection.send(rawRequest("PUT", "/kv/.weir/x", [], inner));
    assertProblem(await connection.answer(), 400, "key_invalid");
    connection.send(rawRequest("GET", "/kv/smuggled"));
    const next = await connection.rest();
    assert.equal(host.operations.values.size, 0);
    assert.match(next, /^$|^HTTP\/1\.1 404 /);
  });

  test("the old API's limit lets the largest value through in Base64 with line breaks", async () => {
    await using host = await HttpHost.start(small);
    const lines = Buffer.alloc(1000, 1)
      .toString("base64")
      .replaceAll(/(.{64})/g, "$1\r\n");
    const put = (data: string): string => JSON.stringify({ key: "k".repeat(1024), extension: "txt", data });
    assert.equal((await host.request("POST", "/put/", [], put(lines))).status, 200);
    assert.match(
      assertMessage(await host.request("POST", "/put/", [], put(Buffer.alloc(1001).toString("base64"))), 413),
      /1001/,
    );
    assertMessage(await host.request("POST", "/put/", [], put("A".repeat(20_000))), 413);
  });
});
