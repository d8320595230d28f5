/**
 * Clients that do not read what they have asked for, or ask for more than they read: they hold memory for a bounded
 * time, and all together a bounded amount.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { rawRequest } from "../harness/raw-http.ts";

const timeout = hangMs;
const mebibyte = 1024 ** 2;
/** More than the system's buffers between two ends of loopback take. */
const size = 16 * mebibyte;

async function hostWithLarge(settings: Parameters<typeof HttpHost.start>[0]): Promise<HttpHost> {
  const host = await HttpHost.start({ maxValueBytes: size, ...settings });
  assert.equal((await host.request("PUT", "/kv/large", [], Buffer.alloc(size, 1))).status, 204);
  return host;
}

/** A connection that has asked for the large value and reads nothing. */
async function silentReader(host: HttpHost): Promise<Socket> {
  const socket = connect(host.port, "127.0.0.1");
  await once(socket, "connect");
  socket.pause();
  socket.on("error", () => {});
  socket.write(rawRequest("GET", "/kv/large"));
  return socket;
}

/** Reads until the end; the number of bytes. */
async function readAll(socket: Socket, pauseMs = 0): Promise<number> {
  let bytes = 0;
  socket.resume();
  const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > size) socket.end();
    if (pauseMs === 0) return;
    socket.pause();
    systemClock.after(pauseMs, () => socket.resume());
  });
  await closed;
  return bytes;
}

describe("a client that does not read its answer", { timeout }, () => {
  test("is cut when its time is over", async () => {
    await using host = await hostWithLarge({ answerTimeoutMs: 300 });
    const socket = await silentReader(host);
    const since = systemClock.now();
    while (host.server.connections > 0) await sleep(systemClock, 20);
    assert.ok(systemClock.now() - since >= 250);
    assert.ok((await readAll(socket)) < size, "the rest never came");
  });

  test("is served in full if it is slow, but in time", async () => {
    await using host = await hostWithLarge({ answerTimeoutMs: 10_000 });
    assert.ok((await readAll(await silentReader(host), 2)) > size);
  });

  test("is cut when there are too many like it, the one that waits longest first; others are served", async () => {
    await using host = await hostWithLarge({ unreadBytes: 2.5 * size });
    const sockets: Socket[] = [];
    for (let n = 0; n < 5; n++) {
      sockets.push(await silentReader(host));
      await sleep(systemClock, 100);
    }
    assert.equal((await host.request("GET", "/kv/large")).body.length, size);
    const read = await Promise.all(sockets.map((socket) => readAll(socket)));
    const whole = read.map((bytes) => bytes > size);
    assert.equal(whole.at(0), false, "the first is cut");
    assert.equal(whole.at(-1), true, "the last is not");
    assert.deepEqual(
      whole,
      whole.toSorted((a, b) => Number(a) - Number(b)),
    );
  });
});

describe("a body in chunks of one byte", { timeout }, () => {
  test("takes about as much memory as it has bytes", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    await using host = await HttpHost.start({ finishMs: 1_000 });
    const socket = connect(host.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("PUT /kv/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    collect();
    const before = process.memoryUsage().heapUsed;
    const bytes = mebibyte / 4;
    const block = "1\r\nx\r\n".repeat(bytes / 64);
    for (let n = 0; n < 64; n++) if (!socket.write(block)) await once(socket, "drain");
    await sleep(systemClock, 500);
    collect();
    assert.ok(process.memoryUsage().heapUsed - before < 16 * bytes);
    socket.write("0\r\n\r\n");
    assert.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 204 /);
    assert.equal(host.operations.lastPut?.value.toString(), "x".repeat(bytes));
    socket.destroy();
  });

  test("and others between them, is put together as it was sent", async () => {
    await using host = await HttpHost.start();
    const sizes = [1, 4095, 4096, 2, 4094, 4097, 1, 1, 10_000, 3];
    const pieces = sizes.map((length, index) => String.fromCharCode(97 + index).repeat(length));
    const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("");
    await using connection = await host.connect();
    connection.send(`PUT /kv/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
    assert.equal((await connection.answer()).status, 204);
    assert.equal(host.operations.lastPut?.value.toString(), pieces.join(""));
  });
});

describe("a client that pipelines", { timeout }, () => {
  for (const [count, isServed] of [
    [100, true],
    [200, false],
  ] as const) {
    test(`${count} requests without an answer to the first: ${isServed ? "all are answered" : "the connection is cut"}`, async () => {
      await using host = await HttpHost.start();
      await host.request("PUT", "/kv/a", [], "value");
      const gate = Promise.withResolvers<void>();
      host.operations.gate = gate.promise;
      const socket = connect(host.port, "127.0.0.1");
      await once(socket, "connect");
      socket.on("error", () => {});
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
      });
      const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
      const request = rawRequest("GET", "/kv/a").toString("latin1");
      socket.write(request.repeat(count));
      if (isServed) {
        await sleep(systemClock, 100);
        gate.resolve();
        while (text.split("HTTP/1.1 200").length <= count) await sleep(systemClock, 10);
        // What has been answered does not count any more.
        socket.write(request.repeat(count));
        while (text.split("HTTP/1.1 200").length <= 2 * count && !socket.closed) await sleep(systemClock, 10);
        assert.equal(text.split("HTTP/1.1 200").length - 1, 2 * count);
        socket.destroy();
      } else {
        await closed;
        assert.equal(text, "");
        gate.resolve();
      }
    });
  }

  test("2,000 requests in one go that are answered at once: the others have their turn, and the connection is cut", async () => {
    await using host = await HttpHost.start();
    const socket = connect(host.port, "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => {});
    let answers = 0;
    socket.on("data", (chunk: Buffer) => {
      answers += chunk.toString("latin1").split("HTTP/1.1 200").length - 1;
    });
    socket.write(rawRequest("GET", "/healthz").toString("latin1").repeat(2_000));
    while (!socket.closed && answers < 2_000) await sleep(systemClock, 5);
    assert.ok(answers <= 101, `${answers} answers`);
    assert.equal((await host.request("GET", "/healthz")).status, 200);
  });
});
