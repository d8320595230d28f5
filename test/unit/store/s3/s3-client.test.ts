/**
 * When a request to S3 may still be sent, and until when it is valid: seen by a server that only records what comes
 * (F1, F4).
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { type Clock, sleep } from "../../../../src/base/clock.ts";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import { S3Client } from "../../../../src/store/s3/s3-client.ts";
import type { S3Location } from "../../../../src/store/s3/s3-target.ts";
import { systemClock } from "../../../../src/system.ts";

const deadlineMs = 9_000;
const put = { method: "PUT", key: "k", body: Buffer.from("x") } as const;

/** A client of a server that answers everything with 200, under a clock that can be moved on. */
async function recorded() {
  const urls: URL[] = [];
  const server = createServer((request, response) => {
    urls.push(new URL(request.url as string, "http://test"));
    request.resume().on("end", () => response.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  let skippedMs = 0;
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + skippedMs,
    wallMs: () => systemClock.wallMs() + skippedMs,
  };
  const location: { -readonly [Name in keyof S3Location]: S3Location[Name] } = {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: "photos",
    region: "us-east-1",
    accessKeyId: "id",
    secretAccessKey: "key",
  };
  const client = new S3Client(location, 4, clock);
  return {
    client,
    location,
    urls,
    clock,
    skip: (ms: number) => {
      skippedMs += ms;
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** When the signature of a request ends, milliseconds since 1970. */
function endOf(url: URL): number {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(url.searchParams.get("X-Amz-Date") ?? "") ?? [];
  const [year, month, day, hour, minute, second] = parts.map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return Date.UTC(year, month - 1, day, hour, minute, second) + Number(url.searchParams.get("X-Amz-Expires")) * 1_000;
}

test("S3Client sends nothing when the caller withdraws at the last moment, and rejects with the caller's own error", async () => {
  await using host = await recorded();
  await host.client.send(put, { deadlineMs });
  const refusal = new OperatingError("not_ready", "the lease is gone");
  const authorize = (): never => {
    throw refusal;
  };
  await assert.rejects(host.client.send(put, { deadlineMs, authorize }), (error) => error === refusal);
  // What was sent before is at the server before what is sent now.
  await host.client.send({ ...put, key: "later" }, { deadlineMs });
  assert.deepEqual(
    host.urls.map((url) => url.pathname),
    ["/photos/k", "/photos/later"],
  );
});

test("S3Client signs until the deadline after the call, however long it is paused before the caller consents", async () => {
  await using host = await recorded();
  // Connected, and without the time of an answer: the signature is for the host's own.
  for (const pauseMs of [0, 3_500]) {
    const latestEndMs = host.clock.wallMs() + deadlineMs;
    let asked = 0;
    const authorize = (): void => {
      asked += 1;
      host.skip(pauseMs);
    };
    await host.client.send(put, { deadlineMs, authorize });
    assert.equal(asked, 1);
    const endMs = endOf(host.urls.at(-1) as URL);
    // Some milliseconds pass between the test's look at the clock and the call's.
    assert(endMs <= latestEndMs + 200, `it ends ${endMs - latestEndMs} ms late`);
    assert(endMs > latestEndMs - 3_000, `it ends ${latestEndMs - endMs} ms early`);
  }
});

test("S3Client sends nothing once its time is over", async () => {
  await using host = await recorded();
  const authorize = (): void => host.skip(deadlineMs);
  // Whether there is a connection already, over which it would be there at once, or not.
  for (const sent of [[], ["/photos/first"], ["/photos/first", "/photos/second"]]) {
    await assert.rejects(host.client.send(put, { deadlineMs, authorize }), (error) =>
      isOperatingError(error, "store_unavailable"),
    );
    assert.deepEqual(
      host.urls.map((url) => url.pathname),
      sent,
    );
    await host.client.send({ ...put, key: sent.length === 0 ? "first" : "second" }, { deadlineMs });
    // Until the connection is idle: on one that is not, the request would wait, and be given up unsent.
    await sleep(systemClock, 20);
  }
});

test("S3Client signs whatever changes something for no longer than its deadline", async () => {
  await using host = await recorded();
  for (const method of ["PUT", "POST", "DELETE"] as const) {
    const latestEndMs = host.clock.wallMs() + deadlineMs;
    await host.client.send({ method, key: "k" }, { deadlineMs });
    const lateMs = endOf(host.urls.at(-1) as URL) - latestEndMs;
    assert(lateMs <= 200, `${method} ends ${lateMs} ms late`);
  }
});

test("S3Client finds its way when it could not at first: the next request looks again", async () => {
  await using host = await recorded();
  const { location } = host;
  const { secretAccessKey } = location;
  location.secretAccessKey = undefined;
  await assert.rejects(host.client.send(put, { deadlineMs }), (error) => isOperatingError(error, "store_refused"));
  location.secretAccessKey = secretAccessKey;
  assert.equal((await host.client.send(put, { deadlineMs })).status, 200);
});

test("S3Client that is closed stays closed, also when it was never open", async () => {
  for (const wasOpen of [false, true]) {
    await using host = await recorded();
    if (wasOpen) await host.client.send(put, { deadlineMs });
    await host.client.close();
    await assert.rejects(host.client.send({ ...put, key: "late" }, { deadlineMs }), (error) =>
      isOperatingError(error, "store_unavailable"),
    );
    assert.equal(host.urls.length, wasOpen ? 1 : 0);
  }
});
