/**
 * Requests that come before the one ahead of them is answered: which of them are served, when, and what the client can
 * know of it.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { rawRequest } from "../harness/raw-http.ts";
import { putOf } from "../harness/write-operations.ts";

const timeout = hangMs;
/** So that one that fails ends soon. */
const brief = { finishMs: 1_000 };

/** Makes the host's operations wait; returns what lets them go on. */
function hold(host: HttpHost): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  host.operations.gate = promise;
  return resolve;
}

async function keysAfterAWhile(host: HttpHost): Promise<string[]> {
  await sleep(systemClock, 100);
  return [...host.operations.values.keys()].sort();
}

describe("behind an answer that ends the connection", { timeout }, () => {
  test("nothing is done: a refused body", async () => {
    await using host = await HttpHost.start({ ...brief, maxValueBytes: 4 });
    await host.request("PUT", "/kv/a", [], "old");
    await using connection = await host.connect();
    connection.send(Buffer.concat([rawRequest("PUT", "/kv/b", [], "large"), rawRequest("DELETE", "/kv/a")]));
    const refusal = await connection.answer();
    assertProblem(refusal, 413, "value_too_large");
    assert.equal(refusal.headers["connection"], "close");
    assert.equal(await connection.rest(), "");
    assert.deepEqual(await keysAfterAWhile(host), ["a"]);
  });

  test("nothing is done: a server that finishes, also of what is ready at once", async () => {
    await using host = await HttpHost.start(brief);
    void host.server.finish();
    await using connection = await host.connect();
    connection.send(Buffer.concat([rawRequest("GET", "/healthz"), rawRequest("PUT", "/kv/a", [], "1")]));
    assert.equal((await connection.answer()).headers["connection"], "close");
    assert.equal(await connection.rest(), "");
    assert.deepEqual(await keysAfterAWhile(host), []);
  });
});

describe("a server that ends while a request is under way", { timeout }, () => {
  test("says with its answer that it is the last, and does nothing of what came behind it", async () => {
    await using host = await HttpHost.start(brief);
    const goOn = hold(host);
    await using connection = await host.connect();
    connection.send(rawRequest("PUT", "/kv/a", [], "1"));
    await sleep(systemClock, 50);
    const ended = host.server[Symbol.asyncDispose]();
    connection.send(rawRequest("PUT", "/kv/b", [], "1"));
    await sleep(systemClock, 50);
    goOn();
    const answer = await connection.answer();
    assert.deepEqual([answer.status, answer.headers["connection"]], [204, "close"]);
    assert.equal(await connection.rest(), "");
    await ended;
    assert.deepEqual(await keysAfterAWhile(host), ["a"]);
  });

  test("answers what comes while the answer before it still goes out", async () => {
    await using host = await HttpHost.start();
    const value = Buffer.alloc(8 * 1024 * 1024, "x");
    await host.operations.write(putOf("large", value));
    await using connection = await host.connect();
    connection.send(rawRequest("GET", "/kv/large"));
    await once(connection.socket, "data");
    connection.socket.pause();
    const ended = host.server[Symbol.asyncDispose]();
    const goOn = hold(host);
    connection.send(rawRequest("PUT", "/kv/a", [], "1"));
    await sleep(systemClock, 50);
    connection.socket.resume();
    assert.ok((await connection.answer()).body.equals(value));
    goOn();
    const answer = await connection.answer();
    assert.deepEqual([answer.status, answer.headers["connection"]], [204, "close"]);
    await ended;
  });

  test("says so with the lines of a flush too", async () => {
    await using host = await HttpHost.start(brief);
    host.administration.flushTells = [
      { keys: 0, bytes: 0, refusedKeys: 0, failing: [], waitingFor: [], outcome: "stored" },
    ];
    void host.server.finish();
    const ended = (async () => {
      await using connection = await host.connect();
      return await connection.send(rawRequest("POST", "/cluster/flush")).rest();
    })();
    assert.match((await Promise.race([ended, sleep(systemClock, 3_000)])) ?? "it goes on", /\r\nConnection: close\r\n/);
  });
});

describe("behind a write under way", { timeout }, () => {
  test("a request with an expectation that is not met does not let the next one by", async () => {
    await using host = await HttpHost.start(brief);
    await host.request("PUT", "/kv/a", [], "old");
    const goOn = hold(host);
    const read = host.operations.read.bind(host.operations);
    // Reads are ready at once.
    host.operations.read = async (key, wantValue) => {
      host.operations.gate = undefined;
      return await read(key, wantValue);
    };
    await using connection = await host.connect();
    const requests = [
      rawRequest("PUT", "/kv/a", [], "new"),
      rawRequest("GET", "/healthz", ["Expect: miracles"]),
      rawRequest("GET", "/kv/a"),
    ];
    connection.send(Buffer.concat(requests));
    await sleep(systemClock, 100);
    goOn();
    assert.equal((await connection.answer()).status, 204);
    assertProblem(await connection.answer(), 400, "header_invalid");
    assert.equal((await connection.answer()).body.toString(), "new");
  });

  test("CONNECT is refused after its answer, not in place of it", async () => {
    await using host = await HttpHost.start(brief);
    const goOn = hold(host);
    await using connection = await host.connect();
    connection.send(Buffer.concat([rawRequest("PUT", "/kv/a", [], "1"), rawRequest("CONNECT", "a:1")]));
    await sleep(systemClock, 100);
    goOn();
    assert.equal((await connection.answer()).status, 204);
    assertProblem(await connection.answer(), 405, "method_not_allowed");
    assert.equal(await connection.rest(), "");
  });

  test("a client that asks for a tunnel and is gone before its answer does no harm", async () => {
    await using host = await HttpHost.start(brief);
    const goOn = hold(host);
    {
      await using connection = await host.connect();
      connection.send(Buffer.concat([rawRequest("PUT", "/kv/a", [], "1"), rawRequest("CONNECT", "a:1")]));
      await sleep(systemClock, 50);
      connection.socket.resetAndDestroy();
    }
    await sleep(systemClock, 50);
    goOn();
    assert.deepEqual(await keysAfterAWhile(host), ["a"]);
    assert.equal(host.server.connections, 0);
  });

  test("the connection is not handed over to the peers' protocol", async () => {
    let upgrades = 0;
    const onUpgrade = (_request: unknown, socket: Duplex): void => {
      upgrades++;
      socket.destroy();
    };
    await using host = await HttpHost.start(brief, { upgradeProtocol: "weir-peer/1", onUpgrade });
    const goOn = hold(host);
    await using connection = await host.connect();
    const upgrade = rawRequest("GET", "/peer", ["Connection: Upgrade", "Upgrade: weir-peer/1"]);
    connection.send(Buffer.concat([rawRequest("PUT", "/kv/a", [], "1"), upgrade]));
    await sleep(systemClock, 100);
    goOn();
    assert.equal((await connection.answer()).status, 204);
    assertProblem(await connection.answer(), 404, "route_not_found");
    assert.equal(upgrades, 0);
  });
});
