/** A server that finishes: connections end with what they have asked for, and others may come. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { rawRequest } from "../harness/raw-http.ts";

/** A little longer than a client that has just come is waited for. */
const freshMs = 300;

describe("a server that finishes", { timeout: hangMs }, () => {
  test("ends a connection with a request under way with its answer, and leaves the others until their next", async () => {
    await using host = await HttpHost.start();
    await using kept = await host.connect();
    assert.equal((await kept.send(rawRequest("GET", "/healthz")).answer()).status, 200);
    await using busy = await host.connect();
    busy.send("PUT /kv/busy HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nva");
    await using fresh = await host.connect();
    await sleep(systemClock, 50);
    let isFinished = false;
    const finished = host.server.finish().then(() => {
      isFinished = true;
    });
    await sleep(systemClock, freshMs);
    assert.equal(isFinished, false);
    const last = await busy.send("l!").answer();
    assert.deepEqual([last.status, last.headers["connection"]], [204, "close"]);
    await finished;
    assert.equal(host.operations.values.get("busy")?.value?.toString(), "val!");
    for (const connection of [kept, fresh]) {
      const answer = await connection.send(rawRequest("GET", "/healthz")).answer();
      assert.deepEqual([answer.status, answer.headers["connection"]], [200, "close"]);
    }
  });

  test("at its end closes a kept connection at once, and lets one that is new ask for something", async () => {
    const host = await HttpHost.start();
    await using kept = await host.connect();
    assert.equal((await kept.send(rawRequest("GET", "/healthz")).answer()).status, 200);
    await using fresh = await host.connect();
    await using silent = await host.connect();
    await sleep(systemClock, 50);
    const ended = host[Symbol.asyncDispose]();
    assert.equal(await kept.rest(), "");
    const first = await fresh.send(rawRequest("GET", "/healthz")).answer();
    assert.deepEqual([first.status, first.headers["connection"]], [200, "close"]);
    assert.equal(await silent.rest(), "");
    await ended;
  });

  test("sends clients away with their next answer, and serves who comes", async () => {
    await using host = await HttpHost.start();
    await using kept = await host.connect();
    const ask = async (connection = kept) => await connection.send(rawRequest("GET", "/healthz")).answer();
    assert.notEqual((await ask()).headers["connection"], "close");
    host.server.sendAway();
    for (const connection of [kept, await host.connect()]) {
      const answer = await ask(connection);
      assert.deepEqual([answer.status, answer.headers["connection"]], [200, "close"]);
      assert.equal(await connection.rest(), "");
    }
  });

  test("still serves who comes meanwhile, and does not wait for that", async () => {
    await using host = await HttpHost.start();
    await using busy = await host.connect();
    busy.send("PUT /kv/busy HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nva");
    await sleep(systemClock, 50);
    const finished = host.server.finish();
    await using late = await host.connect();
    late.send("PUT /kv/late HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nva");
    assert.equal((await busy.send("l!").answer()).status, 204);
    await finished;
    assert.equal((await late.send("l!").answer()).status, 204);
  });

  test("cuts what takes too long, and says how many", async () => {
    await using host = await HttpHost.start({ finishMs: 400 });
    await using busy = await host.connect();
    busy.send("PUT /kv/busy HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nva");
    await sleep(systemClock, 50);
    await host.server.finish();
    assert.equal(await busy.rest(), "");
    assert.deepEqual(host.lines.at(-1)?.fields, { connections: 1 });
  });

  test("at its end lets in who waits for that, and answers", async () => {
    const host = await HttpHost.start();
    // The runtime takes one in each turn of its loop: the others are in the system's queue, which ends with the server.
    const waiting = Array.from({ length: 30 }, () => {
      const socket = connect(host.port, "127.0.0.1");
      socket.end(rawRequest("GET", "/healthz"));
      return once(socket, "data") as Promise<[Buffer]>;
    });
    const answers = Promise.all(waiting);
    await host[Symbol.asyncDispose]();
    for (const [answer] of await answers) assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
  });

  test("at its end leaves a connection alone that is taken over for another protocol", async () => {
    const { promise: upgraded, resolve } = Promise.withResolvers<void>();
    const host = await HttpHost.start(
      {},
      {
        upgradeProtocol: "peer",
        onUpgrade: (_request, socket) => {
          socket.write("taken");
          socket.on("data", (data) => socket.write(data));
          resolve();
        },
      },
    );
    await using peer = await host.connect();
    peer.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: peer\r\n\r\n");
    await upgraded;
    await host[Symbol.asyncDispose]();
    await sleep(systemClock, freshMs);
    peer.socket.removeAllListeners("data");
    peer.send("echo");
    const [echo] = (await once(peer.socket, "data")) as [Buffer];
    assert.equal(echo.toString(), "echo");
  });
});
