/** The server itself: routes, limits on connections and headers, what is no HTTP, upgrades, and how it ends. */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { constants } from "node:os";
import type { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { isOperatingError } from "../../src/base/errors.ts";
import { systemClock } from "../../src/system.ts";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { RawConnection, rawRequest } from "../harness/raw-http.ts";
import { putOf } from "../harness/write-operations.ts";

const timeout = hangMs;

/** How a client's connection goes on: the answer's status, or the error's code. */
function outcomeOf(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", ({ code = "" }: NodeJS.ErrnoException) => resolve(code));
    socket.once("data", (data) => resolve(data.toString().slice(9, 12)));
    socket.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  });
}

/** Makes each turn of the event loop long. Clients come in every second one: in the others nobody is let in. */
function longTurns(port: number, clients: number): { readonly outcomes: Promise<string>[]; end(): void } {
  const outcomes: Promise<string>[] = [];
  let isOver = false;
  let count = 0;
  const turn = (): void => {
    if (isOver) return;
    if (count++ % 2 === 1 && outcomes.length < clients) outcomes.push(outcomeOf(port));
    const until = performance.now() + 2;
    while (performance.now() < until);
    setImmediate(turn);
  };
  setImmediate(turn);
  return {
    outcomes,
    end: () => {
      isOver = true;
    },
  };
}

/** What Node binds addresses of IPv6 with. */
interface TcpWrap {
  readonly TCP: { readonly prototype: { bind6(address: string, port: number, flags: number): number } };
}

test("a server for all addresses listens where the system has no IPv6", async (t) => {
  const { TCP } = (process as unknown as { binding(name: string): TcpWrap }).binding("tcp_wrap");
  t.mock.method(TCP.prototype, "bind6", () => -constants.errno.EAFNOSUPPORT);
  await assert.rejects(HttpHost.start({ host: "::" }), /cannot listen on :::0: .*EAFNOSUPPORT/);
  await using host = await HttpHost.start({ host: undefined });
  assert.equal(await outcomeOf(host.port), "200");
});

describe("a server that ends while turns of the event loop are long", { timeout }, () => {
  test("lets in who comes in them, and resets none", async () => {
    for (let tries = 1; ; tries++) {
      await using host = await HttpHost.start();
      const beganAt = systemClock.now();
      const turns = longTurns(host.port, 8);
      const ended = host.server[Symbol.asyncDispose]();
      while (turns.outcomes.length < 8) await sleep(systemClock, 10);
      const cameMs = systemClock.now() - beganAt;
      await sleep(systemClock, 150);
      turns.end();
      await ended;
      const outcomes = new Set(await Promise.all(turns.outcomes));
      // The server lets in for half a second. On a loaded machine, those who come may be paused for longer.
      if (cameMs > 300 && tries < 50) continue;
      assert.deepEqual(outcomes, new Set(["200"]));
      return;
    }
  });

  test("ends all the same", async () => {
    await using host = await HttpHost.start();
    const turns = longTurns(host.port, 0);
    const beganAt = systemClock.now();
    await host.server[Symbol.asyncDispose]();
    turns.end();
    assert.ok(systemClock.now() - beganAt < 5_000);
  });
});

describe("routes", { timeout }, () => {
  test("health, readiness and the cluster are told in JSON, by GET and HEAD", async () => {
    await using host = await HttpHost.start();
    for (const path of ["/healthz", "/readyz", "/cluster", "/healthz?probe=1"]) {
      const get = await host.request("GET", path);
      assert.equal(get.status, 200);
      assert.equal(get.headers["content-type"], "application/json");
      assert.equal(get.headers["cache-control"], "no-store");
      assert.equal((await host.request("HEAD", path)).headers["content-length"], String(get.body.length));
    }
    const cluster: unknown = JSON.parse((await host.request("GET", "/cluster")).body.toString());
    assert.deepEqual(cluster, JSON.parse(JSON.stringify(host.node.status())));
  });

  test("a node that is not ready says why, and is alive", async () => {
    await using host = await HttpHost.start();
    host.node.ready = false;
    assert.equal(assertProblem(await host.request("GET", "/readyz"), 503, "not_ready").detail, "joining");
    assert.equal((await host.request("HEAD", "/readyz")).status, 503);
    assert.equal((await host.request("GET", "/healthz")).status, 200);
  });

  test("a node that pauses because members change is ready, unless that takes long", async () => {
    await using host = await HttpHost.start();
    host.node.ready = false;
    host.node.pausedMs = 2_900;
    assert.equal((await host.request("GET", "/readyz")).status, 200);
    host.node.pausedMs = 3_000;
    assertProblem(await host.request("GET", "/readyz"), 503, "not_ready");
  });

  test("each request is a line in the log at debug level, with who sent it and nothing of its headers", async () => {
    await using host = await HttpHost.start();
    await host.request("PUT", "/kv/a%20b", ["Authorization: Bearer weir_secret"], "x");
    await host.request("GET", "/nowhere");
    const lines = host.debugLines.map(({ message, fields }) => ({ message, ...fields, ms: 0 }));
    assert.deepEqual(lines, [
      { message: "request", method: "PUT", target: "/kv/a%20b", status: 204, ms: 0, by: "everybody" },
      { message: "request", method: "GET", target: "/nowhere", status: 404, ms: 0, by: "a caller who is not known" },
    ]);
    assert.deepEqual(host.lines, []);
  });

  test("a path that is none: 404, whatever the method", async () => {
    await using host = await HttpHost.start();
    for (const path of ["/nowhere", "/KV/a", "/kv", "/put/x", "/putt", "/get", "//kv/a", "/./kv/a", "/healthz/"]) {
      const answer = await host.request("GET", path);
      assertProblem(answer, 404, "route_not_found");
      // Caches may keep a 404 by their own judgement.
      assert.equal(answer.headers["cache-control"], "no-store");
      assertProblem(await host.request("POST", path, [], "x"), 404, "route_not_found");
      assertProblem(await host.request("OPTIONS", path), 404, "route_not_found");
    }
  });

  test("what is counted of a request is of few kinds: its key, its path and its method are its client's choice", async () => {
    await using host = await HttpHost.start();
    await host.request("PROPFIND", "/kv/a");
    await host.request("GET", "/nowhere");
    const counted = [...host.server.metrics.routes()].map(({ route, method, metrics }) => [
      route,
      method,
      ...metrics.statuses,
    ]);
    assert.deepEqual(counted, [
      ["/kv/{key}", "other", [405, 1]],
      ["other", "GET", [404, 1]],
    ]);
  });

  const allowed = [
    ["/kv/a", "GET, HEAD, PUT, DELETE, OPTIONS", ["POST", "PATCH", "TRACE", "PROPFIND"]],
    ["/healthz", "GET, HEAD, OPTIONS", ["PUT", "DELETE"]],
    ["/cluster", "GET, HEAD, OPTIONS", ["POST"]],
    ["/cluster/leave", "POST, OPTIONS", ["GET", "PUT", "DELETE"]],
  ] as const;
  for (const [path, allow, others] of allowed) {
    test(`${path}: other methods get 405 with what is allowed, OPTIONS too`, async () => {
      await using host = await HttpHost.start();
      for (const method of others) {
        const answer = await host.request(method, path, [], method === "PUT" || method === "POST" ? "x" : undefined);
        assertProblem(answer, 405, "method_not_allowed");
        assert.equal(answer.headers["allow"], allow);
      }
      const options = await host.request("OPTIONS", path);
      assert.equal(options.status, 204);
      assert.equal(options.headers["allow"], allow);
    });
  }

  test("OPTIONS * tells every method, CONNECT is refused", async () => {
    await using host = await HttpHost.start();
    const options = await host.request("OPTIONS", "*");
    assert.equal(options.status, 204);
    assert.match(options.headers["allow"] ?? "", /PUT, POST, DELETE/);
    assertProblem(await host.request("CONNECT", "test:80"), 405, "method_not_allowed");
  });
});

describe("what is not acceptable as HTTP", { timeout }, () => {
  const bad: readonly (readonly [string, string, number, string])[] = [
    ["no host", "GET /kv/a HTTP/1.1\r\n\r\n", 400, "header_invalid"],
    ["two hosts", "GET /kv/a HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400, "header_invalid"],
    ["garbage", "\0\0\0\0\r\n\r\n", 400, "header_invalid"],
    ["a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400, "header_invalid"],
    ["an unknown method", "BREW /kv/a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "header_invalid"],
    ["another version", "GET /kv/a HTTP/3.7\r\nHost: a\r\n\r\n", 400, "header_invalid"],
    ["a long header", `GET /kv/a HTTP/1.1\r\nHost: a\r\nX-A: ${"b".repeat(17_000)}\r\n\r\n`, 431, "headers_too_large"],
    ["a long target", `GET /kv/${"b".repeat(17_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431, "headers_too_large"],
    ["many headers", `GET /kv/a HTTP/1.1\r\nHost: a\r\n${"a:\r\n".repeat(17_000)}\r\n`, 431, "headers_too_large"],
  ];
  for (const [what, text, status, code] of bad) {
    test(`${what}: ${status}`, async () => {
      await using host = await HttpHost.start();
      await using connection = await host.connect();
      const answer = await connection.send(text).answer();
      assertProblem(answer, status, code as "header_invalid");
      assert.equal(answer.headers["cache-control"], "no-store");
    });
  }

  test("a space in a key, and a line that is none of HTTP, are told as a request line that is malformed", async () => {
    for (const line of ["GET /kv/a b HTTP/1.1", "GET /kv/a HTP/1.1", "BREW /kv/a HTTP/1.1", "GET /kv/a HTTP/3.7"]) {
      await using host = await HttpHost.start();
      await using connection = await host.connect();
      const answer = await connection.send(`${line}\r\nHost: a\r\n\r\n`).answer();
      const { detail } = assertProblem(answer, 400, "header_invalid");
      assert.match(detail, /request line is malformed.*keys.* percent-encoded/);
      assert.doesNotMatch(detail, /RTSP|Parse Error/);
    }
  });

  test("a condition behind two thousand other headers is not lost", async () => {
    await using host = await HttpHost.start();
    await host.request("PUT", "/kv/a", [], "x");
    await using connection = await host.connect();
    connection.send(`PUT /kv/a HTTP/1.1\r\nHost: a\r\n${"a:\r\n".repeat(2500)}If-None-Match: *\r\n\r\n`);
    assertProblem(await connection.answer(), 412, "precondition_failed");
  });

  test("the pieces of a body are freed, and the requests that came in one piece with its end are whole", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    const head = (key: string, length: number) =>
      `PUT /kv/${key} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
    const values = ["x", "y", "z"].map((letter) => letter.repeat(30_000));
    const [first = "", second = "", third = ""] = values;
    connection.send(`${head("a", 60_000)}${first}`);
    await sleep(systemClock, 50);
    connection.send(`${first}${head("b", 30_000)}${second}${head("c", 30_000)}${third}`);
    for (const _ of values) assert.equal((await connection.answer()).status, 204);
    for (const [key, value] of Object.entries({ a: first + first, b: second, c: third })) {
      const { body } = await host.request("GET", `/kv/${key}`);
      assert.ok(body.toString() === value, `${key}: ${body.length} bytes`);
    }
  });

  test("HTTP/1.0 without a host is served, and the connection closed", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    assert.equal((await connection.send("GET /healthz HTTP/1.0\r\n\r\n").answer()).status, 200);
    assert.equal(await connection.rest(), "");
  });

  test("a PUT by HTTP/1.0 without a length: refused, since its body might end with the connection", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    connection.send("PUT /kv/a HTTP/1.0\r\n\r\nhello");
    assert.match(assertProblem(await connection.answer(), 400, "header_invalid").detail, /length.*Content-Length/);
    assert.equal(host.operations.values.size, 0);
  });

  test("a PUT by HTTP/1.1 without a length: an empty value", async () => {
    await using host = await HttpHost.start();
    await using connection = await host.connect();
    assert.equal((await connection.send("PUT /kv/a HTTP/1.1\r\nHost: a\r\n\r\n").answer()).status, 204);
    assert.equal(host.operations.lastPut?.value.length, 0);
  });

  test("headers that do not come in time: 408", async () => {
    await using host = await HttpHost.start({ headersTimeoutMs: 100 });
    await using connection = await host.connect();
    const answer = await connection.send("GET /kv/a HTTP/1.1\r\nHo").answer();
    assert.match(assertProblem(answer, 408, "body_timeout").detail, /headers/);
    assert.equal(await connection.rest(), "");
  });
});

describe("connections", { timeout }, () => {
  test("an idle one is closed after its time", async () => {
    await using host = await HttpHost.start({ keepAliveMs: 1000 });
    await using connection = await host.connect();
    const answer = await connection.send(rawRequest("GET", "/healthz")).answer();
    assert.match(answer.headers["keep-alive"] ?? "", /timeout=1/);
    assert.equal(await connection.rest(), "");
  });

  test("an idle one is kept for longer than one on which an answer is stuck", async () => {
    await using host = await HttpHost.start({ stallMs: 100, keepAliveMs: 60_000 });
    await using connection = await host.connect();
    assert.equal((await connection.send(rawRequest("GET", "/healthz")).answer()).status, 200);
    await sleep(systemClock, 500);
    const answer = await connection.send(rawRequest("GET", "/healthz")).answer();
    assert.equal(answer.headers["keep-alive"], "timeout=60");
    const value = Buffer.alloc(4 * 1024 * 1024);
    await host.request("PUT", "/kv/a", [], value);
    connection.socket.pause();
    // More than the buffers of both sides hold.
    connection.send(Buffer.concat(Array.from({ length: 8 }, () => rawRequest("GET", "/kv/a"))));
    while (host.server.connections > 0) await sleep(systemClock, 20);
  });

  test("one that is about to close says nothing of how long it is kept", async () => {
    await using host = await HttpHost.start();
    for (const request of ["GET /healthz HTTP/1.0\r\n\r\n", rawRequest("GET", "/healthz", ["Connection: close"])]) {
      await using connection = await host.connect();
      const answer = await connection.send(request).answer();
      assert.equal(answer.headers["keep-alive"], undefined);
      assert.equal(await connection.rest(), "");
    }
  });

  test("one whose client takes nothing is cut after a while", async () => {
    await using host = await HttpHost.start({ stallMs: 200 });
    const value = Buffer.alloc(4 * 1024 * 1024);
    await host.request("PUT", "/kv/a", [], value);
    const socket = connect(host.port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    // More than the buffers of both sides hold.
    socket.write(Buffer.concat(Array.from({ length: 8 }, () => rawRequest("GET", "/kv/a"))));
    await once(socket, "data");
    socket.pause();
    // The server's end waits for its connections; it would be given up only much later.
    await host.server[Symbol.asyncDispose]();
    assert.deepEqual(host.lines, []);
    socket.destroy();
  });

  test("those beyond the limit are told to come again, and closed", async () => {
    await using host = await HttpHost.start({ connections: 2 });
    await using first = await host.connect();
    await using second = await host.connect();
    for (const each of [first, second]) {
      assert.equal((await each.send(rawRequest("GET", "/healthz")).answer()).status, 200);
    }
    await using third = await host.connect();
    const answer = await third.send(rawRequest("GET", "/kv/a")).answer();
    assertProblem(answer, 503, "overloaded");
    assert.equal(answer.headers["connection"], "close");
    assert.equal(await third.rest(), "");
    // What runs the process would start it anew, and that helps nobody.
    for (const path of ["/healthz", "/readyz"]) {
      await using probe = await host.connect();
      assert.equal((await probe.send(rawRequest("GET", path)).answer()).status, 200, path);
    }
    await first[Symbol.asyncDispose]();
    let status = 503;
    while (status === 503) ({ status } = await host.request("GET", "/kv/a"));
    assert.equal(status, 404);
  });

  test("a client that asks for a tunnel and is gone before it is refused does no harm", async () => {
    await using host = await HttpHost.start();
    for (let round = 0; round < 20; round++) {
      const connection = await host.connect();
      connection.send(rawRequest("CONNECT", "test:80")).socket.resetAndDestroy();
      await once(connection.socket, "close");
    }
    assert.equal((await host.request("GET", "/healthz")).status, 200);
  });

  test("a client that goes away while its request is under way does no harm", async () => {
    await using host = await HttpHost.start();
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    const connection = await host.connect();
    connection.send(Buffer.concat([rawRequest("PUT", "/kv/a", [], "1"), rawRequest("DELETE", "/kv/a")]));
    await using other = await host.connect();
    assert.equal((await other.send(rawRequest("GET", "/healthz")).answer()).status, 200);
    const closed = once(connection.socket, "close");
    // An end alone would be half a close, behind which a client may still read.
    connection.socket.resetAndDestroy();
    await closed;
    while (host.server.connections > 1) await sleep(systemClock, 5);
    open();
    host.operations.gate = undefined;
    assert.equal((await other.send(rawRequest("GET", "/healthz")).answer()).status, 200);
    assert.deepEqual(host.lines, []);
    const put = [...host.server.metrics.routes()].find(({ method }) => method === "PUT");
    assert.deepEqual([...(put?.metrics.statuses ?? [])], [[499, 1]], "it is no success");
  });
});

describe("an upgrade", { timeout }, () => {
  const request = (protocol: string, ...lines: string[]): Buffer =>
    rawRequest("GET", "/peer", ["Connection: Upgrade", `Upgrade: ${protocol}`, ...lines]);

  test("to the peers' protocol: the connection is handed over, with what came behind the request", async () => {
    const taken = Promise.withResolvers<[IncomingMessage, Duplex, Buffer]>();
    const onUpgrade = (...all: [IncomingMessage, Duplex, Buffer]): void => taken.resolve(all);
    await using host = await HttpHost.start({ connections: 1 }, { onUpgrade, upgradeProtocol: "weir-test/1" });
    await using connection = await host.connect();
    connection.send(Buffer.concat([request("WEIR-test/1"), Buffer.from("head")]));
    const [message, socket, head] = await taken.promise;
    assert.equal(message.url, "/peer");
    assert.equal(head.toString(), "head");
    socket.end("bye");
    assert.equal(await connection.rest(), "bye");
    // It counts as no client's.
    assert.equal((await host.request("GET", "/healthz")).status, 200);
  });

  test("beyond the limit on clients' connections: handed over still", async () => {
    const onUpgrade = (_request: IncomingMessage, socket: Duplex): void => void socket.end("bye");
    await using host = await HttpHost.start({ connections: 1 }, { onUpgrade, upgradeProtocol: "weir-test/1" });
    await using client = await host.connect();
    assert.equal((await client.send(rawRequest("GET", "/healthz")).answer()).status, 200);
    await using peer = await host.connect();
    assert.equal(await peer.send(request("weir-test/1")).rest(), "bye");
  });

  test("to another protocol: served as if it had not been asked for", async () => {
    const onUpgrade = (): void => assert.fail("not for peers");
    await using host = await HttpHost.start({}, { onUpgrade, upgradeProtocol: "weir-test/1" });
    const headers = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"];
    assert.equal((await host.request("PUT", "/kv/a", headers, "hello")).status, 204);
    await using connection = await host.connect();
    for (let i = 0; i < 2; i++) {
      const answer = await connection.send(rawRequest("GET", "/kv/a", headers)).answer();
      assert.equal(answer.body.toString(), "hello");
    }
    assertProblem(await connection.send(request("websocket")).answer(), 404, "route_not_found");
  });
});

describe("the server's end", { timeout }, () => {
  test("idle connections are closed, requests under way are answered, new ones refused", async () => {
    const host = await HttpHost.start();
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using idle = await host.connect();
    assert.equal((await idle.send(rawRequest("GET", "/healthz")).answer()).status, 200);
    await using busy = await host.connect();
    busy.send(rawRequest("PUT", "/kv/a", [], "1"));
    await using half = await host.connect();
    half.send("PUT /kv/b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert.equal((await half.answer()).status, 100);
    half.send("12");
    const closed = host.server[Symbol.asyncDispose]();
    assert.equal(await idle.rest(), "");
    await assert.rejects(RawConnection.open(host.port));
    half.send("34");
    open();
    assert.equal((await busy.answer()).status, 204);
    assert.equal(await busy.rest(), "");
    assert.equal((await half.answer()).status, 204);
    assert.equal(await half.rest(), "");
    await closed;
    assert.deepEqual([...host.operations.values.keys()].sort(), ["a", "b"]);
  });

  test("an answer that is still going out is not cut", async () => {
    const host = await HttpHost.start();
    const value = Buffer.alloc(4 * 1024 * 1024, "x");
    await host.operations.write(putOf("a", value));
    await using connection = await host.connect();
    connection.send(rawRequest("GET", "/kv/a"));
    await once(connection.socket, "data");
    connection.socket.pause();
    const closed = host.server[Symbol.asyncDispose]();
    setImmediate(() => connection.socket.resume());
    assert.ok((await connection.answer()).body.equals(value));
    assert.equal(await connection.rest(), "");
    await closed;
  });

  test("what takes too long is cut, with a word in the log", async () => {
    const host = await HttpHost.start({ finishMs: 50 });
    host.operations.gate = new Promise(() => {});
    await using connection = await host.connect();
    connection.send(rawRequest("PUT", "/kv/a", [], "1"));
    await using half = await host.connect();
    half.send(
      rawRequest("PUT", "/kv/b", ["Expect: 100-continue"])
        .toString()
        .replace("\r\n\r\n", "\r\nContent-Length: 9\r\n\r\n"),
    );
    assert.equal((await half.answer()).status, 100);
    await host.server[Symbol.asyncDispose]();
    assert.equal(await connection.rest(), "");
    assert.deepEqual(
      host.lines.map(({ level, fields }) => [level, fields]),
      [["warn", { connections: 2 }]],
    );
  });

  test("a port that is taken: an error that names it", async () => {
    await using host = await HttpHost.start();
    await assert.rejects(HttpHost.start({ port: host.port }), (error) => {
      return isOperatingError(error, "config_invalid") && error.message.includes(String(host.port));
    });
  });

  test("ending it twice is no error", async () => {
    const host = await HttpHost.start({ finishMs: 50 });
    await host.server[Symbol.asyncDispose]();
    await host.server[Symbol.asyncDispose]();
    // Nothing was cut: no timer is left that would say so.
    await sleep(systemClock, 100);
    assert.deepEqual(host.lines, []);
  });
});
