/** One request to a store whose server misbehaves in every way that a socket allows. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Pool } from "undici";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { type ExchangeRequest, exchange } from "../../../../src/store/http/exchange.ts";
import { systemClock } from "../../../../src/system.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const get: ExchangeRequest = { method: "GET", path: "/", headers: {}, deadlineMs: 5_000, maxBodyBytes: 100 };

/**
 * A pool with one connection to a server that answers each request with `answer`, and `/last` by itself.
 *
 * @param counts - what begins a request
 */
async function serve(answer: (socket: Socket, count: number) => void, counts = /^(GET|HEAD|PUT) /) {
  let requests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (data) => {
      const text = data.toString("latin1");
      if (!counts.test(text)) return;
      requests++;
      if (text.startsWith("GET /last ")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      else answer(socket, requests);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert(address !== null && typeof address === "object");
  const origin = `http://127.0.0.1:${address.port}`;
  const pool = new Pool(origin, { connections: 1, headersTimeout: 0, bodyTimeout: 0 });
  return {
    pool,
    origin,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      await pool.destroy();
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function unavailable(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert(isOperatingError(error, "store_unavailable"), String(error));
    assert.match(error.message, message);
    return true;
  };
}

test("exchange gives status, headers as bytes, and body, with and without an announced length", async () => {
  await using plain = await serve((socket) =>
    socket.write("HTTP/1.1 200 OK\r\nX-Odd: \u00e9\u00ff\r\nContent-Length: 5\r\n\r\nhello", "latin1"),
  );
  const answer = await exchange(plain.pool, systemClock, get);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["x-odd"], "\u00e9\u00ff");
  assert.equal(answer.body?.toString(), "hello");
  assert.equal(answer.body?.buffer.byteLength, 5);
  await using chunked = await serve((socket) =>
    socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
  );
  assert.equal((await exchange(chunked.pool, systemClock, get)).body?.toString(), "hello");
});

test("exchange does not read a body above the limit, whether its length was announced or not", async () => {
  for (const head of ["Content-Length: 101", "Transfer-Encoding: chunked"]) {
    await using server = await serve((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n65\r\n${"x".repeat(101)}`),
    );
    const answer = await exchange(server.pool, systemClock, get);
    assert.equal(answer.status, 200);
    assert.equal(answer.body, undefined);
  }
});

test("exchange, when the server never answers, is unavailable at the deadline, and so is what waits behind it", async () => {
  await using server = await serve(() => {});
  const first = exchange(server.pool, systemClock, { ...get, deadlineMs: 100 });
  const second = exchange(server.pool, systemClock, { ...get, deadlineMs: 50 });
  await assert.rejects(second, unavailable(/within 50 ms/));
  await assert.rejects(first, unavailable(/within 100 ms/));
  assert.equal((await exchange(server.pool, systemClock, { ...get, path: "/last" })).status, 200);
  assert.equal(server.requests(), 2, "what was given up in the queue is not sent, and holds up nothing behind it");
});

test("exchange, when the body stops half-way, is unavailable at the deadline", async () => {
  await using server = await serve((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
  await assert.rejects(exchange(server.pool, systemClock, { ...get, deadlineMs: 100 }), unavailable(/within 100 ms/));
});

test("exchange, when the connection breaks before or within the answer, is unavailable", async () => {
  await using before = await serve((socket) => socket.destroy());
  await assert.rejects(exchange(before.pool, systemClock, get), unavailable(/no answer/));
  await using within = await serve((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
  await assert.rejects(exchange(within.pool, systemClock, get), unavailable(/no answer/));
});

test("exchange, when the server closes a kept connection on the second request, does not repeat a write by itself", async () => {
  await using server = await serve((socket, count) => {
    if (count === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    else socket.destroy();
  });
  const put: ExchangeRequest = { ...get, method: "PUT", body: Buffer.from("x") };
  assert.equal((await exchange(server.pool, systemClock, put)).status, 200);
  await assert.rejects(exchange(server.pool, systemClock, put), unavailable(/no answer/));
  assert.equal(server.requests(), 2);
});

test("exchange does not take a body for whole that ends with its connection: it may have been cut", async () => {
  await using host = await serve((socket) =>
    socket.end('HTTP/1.1 200 OK\r\nETag: "x"\r\nConnection: close\r\n\r\nhalf of'),
  );
  await assert.rejects(exchange(host.pool, systemClock, get), unavailable(/does not say how long it is/));
});

test("exchange cuts a failure's body at 64 KiB", async () => {
  await using server = await serve((socket) =>
    socket.write(`HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`),
  );
  const answer = await exchange(server.pool, systemClock, get);
  assert.equal(answer.status, 500);
  assert((answer.body?.length ?? 0) <= 65_536);
});

test("exchange refuses, unsent, a header that HTTP can't carry", async () => {
  await using server = await serve(() => {});
  await assert.rejects(exchange(server.pool, systemClock, { ...get, headers: { "x-a": "a\nb" } }), (error) =>
    isOperatingError(error, "store_refused"),
  );
});

test("exchange leaves no timer behind, whether it ends well or not", async () => {
  const clock = new ManualClock();
  await using well = await serve((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  await exchange(well.pool, clock, get);
  assert(clock.idle);
  await using ill = await serve((socket) => socket.destroy());
  await assert.rejects(exchange(ill.pool, clock, get), unavailable(/no answer/));
  assert(clock.idle);
});

test("exchange passes over what comes before the answer", async () => {
  await using server = await serve((socket) =>
    socket.write("HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
  );
  const { status, headers, body } = await exchange(server.pool, systemClock, get);
  assert.deepEqual([status, headers["x-a"], body?.toString()], [200, undefined, "hello"]);
});

const put: ExchangeRequest = { ...get, method: "PUT", body: Buffer.from("x") };

/** Whether the change's failure says that it was never sent. */
async function isNeverSentOver(pool: Pool, request: ExchangeRequest = put): Promise<boolean> {
  const error: unknown = await exchange(pool, systemClock, request).catch((failure: unknown) => failure);
  assert(isOperatingError(error, "store_unavailable"), String(error));
  return error.neverSent;
}

function poolTo(t: TestContext, origin: string): Pool {
  const pool = new Pool(origin, { connections: 1 });
  t.after(() => pool.destroy());
  return pool;
}

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("exchange says that a change was never sent when no connection comes about", async (t) => {
  for (const origin of [`http://127.0.0.1:${await closedPort()}`, "http://store.invalid"]) {
    const pool = poolTo(t, origin);
    assert.equal(await isNeverSentOver(pool), true, origin);
    assert.equal(await isNeverSentOver(pool, get), false, "nobody asks it of a read");
  }
});

test("exchange says that a change was never sent when TLS is never agreed on", async (t) => {
  await using silent = await serve(() => {});
  const late = poolTo(t, silent.origin.replace("http:", "https:"));
  assert.equal(await isNeverSentOver(late, { ...put, deadlineMs: 100 }), true);
  await using server = await serve((socket) => socket.destroy(), /^/);
  const broken = poolTo(t, server.origin.replace("http:", "https:"));
  assert.equal(await isNeverSentOver(broken), true);
});

test("exchange says that a change was never sent when it gets no connection in time, and does not send it later", async () => {
  await using server = await serve(() => {});
  const first = isNeverSentOver(server.pool, { ...put, deadlineMs: 1_000 });
  assert.equal(await isNeverSentOver(server.pool, { ...put, deadlineMs: 50 }), true);
  assert.equal(await first, false, "this one had the connection");
  assert.equal((await exchange(server.pool, systemClock, { ...get, path: "/last" })).status, 200);
  assert.equal(server.requests(), 2);
});

test("exchange does not say that a change was never sent once it has a connection, new or kept, however that ends", async () => {
  await using reset = await serve((socket) => socket.resetAndDestroy(), /^/);
  assert.equal(await isNeverSentOver(reset.pool), false);
  await using kept = await serve((socket, count) => {
    if (count === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    else socket.resetAndDestroy();
  });
  await exchange(kept.pool, systemClock, put);
  assert.equal(await isNeverSentOver(kept.pool), false);
});
