/** `POST /cluster/flush` as a stream of lines. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { OperatingError } from "../../src/base/errors.ts";
import type { FlushProgress } from "../../src/core/administration.ts";
import { systemClock } from "../../src/system.ts";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { rawRequest } from "../harness/raw-http.ts";

const timeout = hangMs;
const post = { method: "POST" };
const urlOf = (host: HttpHost): string => `http://127.0.0.1:${host.port}/cluster/flush`;
const started: FlushProgress = { keys: 3, bytes: 30, refusedKeys: 0, failing: [], waitingFor: [] };

describe("POST /cluster/flush", { timeout }, () => {
  test("is answered line by line until all is in the store", async () => {
    await using host = await HttpHost.start();
    const end: FlushProgress = { ...started, keys: 0, bytes: 0, outcome: "stored" };
    host.administration.flushTells = [started, end];
    const answer = await fetch(urlOf(host), post);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "application/x-ndjson");
    const lines = (await answer.text()).trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [started, end],
    );
  });

  test("that fails before its first line is a problem like any other, and afterwards a line", async () => {
    await using host = await HttpHost.start();
    host.administration.flushFailure = new OperatingError("overloaded", "too many");
    assertProblem(await host.request("POST", "/cluster/flush"), 503, "overloaded");
    host.administration.flushTells = [started];
    const lines = (await (await fetch(urlOf(host), post)).text()).trimEnd().split("\n");
    assert.deepEqual(JSON.parse(lines[1] ?? ""), { outcome: "failed", code: "overloaded", detail: "too many" });
  });

  test("ends when its client goes away", async () => {
    await using host = await HttpHost.start();
    host.administration.flushTells = [started];
    const client = new AbortController();
    await fetch(urlOf(host), { ...post, signal: client.signal });
    assert.equal(host.administration.flushes, 1);
    client.abort();
    while (host.administration.flushes > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test("ends when its client goes away that has not read what it was told", async () => {
    await using host = await HttpHost.start();
    // More than the system's buffers take.
    host.administration.flushTells = Array(32).fill({ ...started, waitingFor: ["x".repeat(1024 ** 2)] });
    await using client = await host.connect();
    client.socket.pause();
    client.send(rawRequest("POST", "/cluster/flush"));
    while (host.administration.flushes === 0) await sleep(systemClock, 5);
    await sleep(systemClock, 100);
    client.socket.resetAndDestroy();
    while (host.administration.flushes > 0) await sleep(systemClock, 5);
  });

  test("is refused when it comes with a body", async () => {
    await using host = await HttpHost.start();
    assertProblem(await host.request("POST", "/cluster/flush", ["Content-Type: text/plain"], "x"), 400, "body_invalid");
  });
});
