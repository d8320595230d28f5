/** Requests that two parties could take for different ones are refused, and their connection ends. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";

const timeout = hangMs;

describe("a request is refused, and its connection ends, when it", { timeout }, () => {
  const body = "5\r\nhello\r\n0\r\n\r\n";
  const te = (coding: string): string => `PUT /kv/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${coding}\r\n\r\n${body}`;
  const requests: Readonly<Record<string, string>> = {
    "has a coding before chunked": te("gzip, chunked"),
    "has one coding twice": te("chunked, chunked"),
    "has codings in two lines": te("gzip\r\nTransfer-Encoding: chunked"),
    "has codings and no use for a body": te("gzip, chunked").replace("PUT", "GET"),
    "is of HTTP/0.9": "GET /kv/a HTTP/0.9\r\nHost: a\r\n\r\n",
    "is of HTTP/2.0": "GET /kv/a HTTP/2.0\r\nHost: a\r\n\r\n",
    "asks for another protocol in HTTP/2.0":
      "GET /kv/a HTTP/2.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n",
  };
  for (const [what, request] of Object.entries(requests)) {
    test(what, async () => {
      await using host = await HttpHost.start(
        {},
        { upgradeProtocol: "test", onUpgrade: (_request, socket) => void socket.end("HTTP/1.1 101 Hi\r\n\r\n") },
      );
      await using connection = await host.connect();
      // What follows may be a request that somebody else has smuggled in.
      connection.send(`${request}DELETE /kv/a HTTP/1.1\r\nHost: a\r\n\r\n`);
      const answer = await connection.answer();
      assertProblem(answer, 400, "header_invalid");
      assert.equal(answer.headers["connection"], "close");
      assert.equal(await connection.rest(), "");
      assert.equal(host.operations.calls, 0);
    });
  }

  test("of HTTP/1.0 asks for another protocol: that is not heard, and it is served", async () => {
    await using host = await HttpHost.start(
      {},
      { upgradeProtocol: "test", onUpgrade: (_request, socket) => void socket.end("HTTP/1.1 101 Hi\r\n\r\n") },
    );
    await using connection = await host.connect();
    connection.send("GET /healthz HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n");
    assert.equal((await connection.answer()).status, 200);
  });
});

test("a method that no route serves is 405, with a body or without", { timeout }, async () => {
  await using host = await HttpHost.start();
  for (const body of [undefined, "x"]) {
    for (const method of ["PATCH", "PROPFIND"]) {
      assertProblem(await host.request(method, "/kv/a", [], body), 405, "method_not_allowed");
    }
  }
});

describe("an answer", { timeout }, () => {
  test("is for pages of the same site only, whatever it is, unless CORS lets another in", async () => {
    await using host = await HttpHost.start();
    await host.request("PUT", "/kv/a", ["Content-Type: image/png"], "x");
    for (const [method, target] of [
      ["GET", "/kv/a"],
      ["HEAD", "/kv/a"],
      ["GET", "/kv/missing"],
      ["GET", "/kv/?prefix=a"],
      ["GET", "/"],
      ["GET", "/cluster"],
      ["GET", "/metrics"],
      ["GET", "/get/a"],
      ["GET", "/nothing"],
      ["PUT", "/kv/a"],
    ] as const) {
      const answer = await host.request(method, target);
      assert.equal(answer.headers["cross-origin-resource-policy"], "same-origin", `${method} ${target}`);
    }
    await using connection = await host.connect();
    const { status, headers } = await connection.send("GET /a b HTTP/1.1\r\n\r\n").answer();
    assert.deepEqual([status, headers["cross-origin-resource-policy"]], [400, "same-origin"]);
  });
});
