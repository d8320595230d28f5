/**
 * What a request to Azure says, when it may still be sent, and until when it is valid: seen by a server that only
 * records what comes (F1, F4).
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import { type Clock, sleep } from "../../../../src/base/clock.ts";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import { AzureStore } from "../../../../src/store/azure/azure-store.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";

const deadlineMs = 9_000;
const content = { body: Buffer.from("hello"), headers: {}, version: "c.k.1.1" };
const absent = { kind: "absent" } as const;

const upload = { headers: {}, token: "t", id: "u", parts: ["cA=="], size: 1 };
const statuses: Readonly<Record<string, number>> = { PUT: 201, DELETE: 202 };

/** A store on a server that takes everything, under a clock that can be moved on. */
async function recorded(onRequest: (method: string) => void = () => undefined) {
  const requests: { readonly method: string; readonly url: URL; readonly headers: IncomingHttpHeaders }[] = [];
  const server = createServer((request, response) => {
    const { method = "", headers } = request;
    requests.push({ method, url: new URL(request.url as string, "http://test"), headers });
    onRequest(method);
    request.resume().on("end", () => response.writeHead(statuses[method] ?? 200, { ETag: '"0x8D1"' }).end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  let skippedMs = 0;
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + skippedMs,
    wallMs: () => systemClock.wallMs() + skippedMs,
  };
  const location = { endpoint: `http://127.0.0.1:${port}/acc`, account: "acc", accountKey: "c2VjcmV0" };
  const settings = { ...location, container: "photos", prefix: "", connections: 4 };
  const store = new AzureStore(settings, { clock, random: systemRandom });
  return {
    store,
    requests,
    clock,
    skip: (ms: number) => {
      skippedMs += ms;
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}

test("AzureStore sends the body's MD5 and the condition with a write, signed for writing alone", async () => {
  await using host = await recorded();
  assert.deepEqual(await host.store.write("a b", content, absent, { deadlineMs }), { kind: "written", tag: "0x8D1" });
  const { url, headers } = host.requests[0] as (typeof host.requests)[0];
  assert.equal(url.pathname, "/acc/photos/a%20b");
  assert.equal(headers["content-md5"], "XUFAKrxLKna5cZ2REBfFkg==");
  assert.equal(headers["if-none-match"], "*");
  assert.deepEqual([url.searchParams.get("sp"), url.searchParams.get("sr")], ["w", "c"]);
});

test("AzureStore sends nothing when the caller withdraws at the last moment, or once its time is over", async () => {
  await using host = await recorded();
  const refusal = new OperatingError("not_ready", "the lease is gone");
  const authorize = (): never => {
    throw refusal;
  };
  const refused = host.store.write("k", content, absent, { deadlineMs, authorize });
  await assert.rejects(refused, (error) => error === refusal);
  const late = host.store.write("k", content, absent, { deadlineMs, authorize: () => host.skip(deadlineMs) });
  await assert.rejects(late, (error) => isOperatingError(error, "store_unavailable"));
  assert.equal(host.requests.length, 0);
  // The same over a connection that is there already, by which it would be sent at once.
  await host.store.write("first", content, absent, { deadlineMs });
  await sleep(systemClock, 20);
  const later = host.store.write("k", content, absent, { deadlineMs, authorize: () => host.skip(deadlineMs) });
  await assert.rejects(later, (error) => isOperatingError(error, "store_unavailable"));
  await host.store.write("last", content, absent, { deadlineMs });
  assert.deepEqual(
    host.requests.map(({ url }) => url.pathname),
    ["/acc/photos/first", "/acc/photos/last"],
  );
});

test("AzureStore that is closed stays closed, also when it was never open", async () => {
  await using host = await recorded();
  await host.store[Symbol.asyncDispose]();
  const late = host.store.write("k", content, absent, { deadlineMs });
  await assert.rejects(late, (error) => isOperatingError(error, "store_unavailable"));
  assert.equal(host.requests.length, 0);
});

test("AzureStore signs whatever changes something for no longer than its deadline: a late removal, too, must not take effect", async () => {
  await using host = await recorded();
  const options = { deadlineMs };
  const body = Buffer.from("x");
  const open = await host.store.beginUpload("k", { headers: {}, token: "t" }, options);
  const seen = new Set<string>();
  for (const change of [
    () => host.store.write("k", content, absent, options),
    () => host.store.remove("k", { kind: "unchanged", tag: "t" }, options),
    () => host.store.beginUpload("k", { headers: {}, token: "t" }, options),
    () => open.sendPart({ number: 1, offset: 0, body }, options),
    () => host.store.completeUpload("k", upload, absent, options),
    () => host.store.abortUpload("k", "u", options),
  ]) {
    host.requests.length = 0;
    const latestEndMs = host.clock.wallMs() + deadlineMs;
    await change();
    for (const { method, url } of host.requests) {
      const permission = url.searchParams.get("sp");
      if (permission === "r") continue;
      seen.add(`${method} ${permission}`);
      const lateMs = Date.parse(url.searchParams.get("se") ?? "") - latestEndMs;
      assert(lateMs <= 200, `${method} ${url.pathname} ends ${lateMs} ms late`);
    }
  }
  assert.deepEqual([...seen].sort(), ["DELETE d", "PUT w"]);
});

test("AzureStore completes an upload within one deadline, however long the look at it takes", async () => {
  let pauseMs = 3_500;
  const skip = (method: string): void => {
    if (method === "HEAD") host.skip(pauseMs);
  };
  await using host = await recorded(skip);
  const latestEndMs = host.clock.wallMs() + deadlineMs;
  assert.equal((await host.store.completeUpload("k", upload, absent, { deadlineMs })).kind, "written");
  const put = host.requests.find(({ method }) => method === "PUT");
  const lateMs = Date.parse(put?.url.searchParams.get("se") ?? "") - latestEndMs;
  assert(lateMs <= 200, `it ends ${lateMs} ms late`);
  pauseMs = deadlineMs;
  host.requests.length = 0;
  const late = host.store.completeUpload("k", upload, absent, { deadlineMs });
  await assert.rejects(late, (error) => isOperatingError(error, "store_unavailable"));
  assert.deepEqual(
    host.requests.map(({ method }) => method),
    ["HEAD"],
  );
});

test("AzureStore signs until the deadline after the call, however long it is paused before the caller consents", async () => {
  await using host = await recorded();
  // The first is signed for the host's own time, the second for that of an answer.
  for (const pauseMs of [0, 3_500]) {
    const latestEndMs = host.clock.wallMs() + deadlineMs;
    await host.store.write("k", content, absent, { deadlineMs, authorize: () => host.skip(pauseMs) });
    const endMs = Date.parse(host.requests.at(-1)?.url.searchParams.get("se") ?? "");
    // Some milliseconds pass between the test's look at the clock and the call's.
    assert(endMs <= latestEndMs + 200, `it ends ${endMs - latestEndMs} ms late`);
    assert(endMs > latestEndMs - 3_000, `it ends ${latestEndMs - endMs} ms early`);
  }
});
