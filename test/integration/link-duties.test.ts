/**
 * What a link owes to both ends, over real sockets: an answer is the handler's, given when the handler gives it, and
 * what the cluster's life depends on overtakes all else.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { isOperatingError } from "../../src/base/errors.ts";
import type { PeerAnswer, PeerRequest } from "../../src/core/message.ts";
import { systemClock } from "../../src/system.ts";
import { makeEntry } from "../harness/journal-owner.ts";
import { LinkPeer, linkedPair, writeOf } from "../harness/link-peer.ts";
import { hangMs } from "../harness/patience.ts";
import { handedOff } from "../harness/view-fixtures.ts";
import { within } from "../harness/within.ts";

const timeout = hangMs;
const state = handedOff(5, { settled: true });
const entry = makeEntry("k", { epoch: 1, seq: 1 }, Buffer.from("value"));
const version = { epoch: 1, seq: 1 };
const requestId = entry.requestId;

/** A request of each kind whose answer says that something is held, done or forgotten. */
const promising: readonly PeerRequest[] = [
  { kind: "replicate", epoch: 1, entry },
  { kind: "hand_off", epoch: 1, entry },
  { kind: "hand_off_list", epoch: 1, items: [{ key: "k", version }] },
  { kind: "hand_off_outcomes", epoch: 1, outcomes: [{ requestId, key: "k", version }] },
  { kind: "clean", epoch: 1, items: [{ key: "k", version }] },
  { kind: "leave", epoch: 1 },
  { kind: "ping", state },
  writeOf(1, 10),
];

test("link: nothing is acknowledged before the handler has done it, whatever is asked", { timeout }, async () => {
  const asked: string[] = [];
  const told: string[] = [];
  const done = new Map(promising.map(({ kind }) => [kind, Promise.withResolvers<PeerAnswer>()]));
  const [a, b] = await linkedPair(
    {},
    {
      onAsked: ({ kind }) => told.push(kind),
      onRequest: (_from, request) => {
        asked.push(request.kind);
        // A read is answered at once: by its answer all that was sent before has been handled.
        return request.kind === "read" ? { kind: "missing" } : (done.get(request.kind)?.promise as Promise<PeerAnswer>);
      },
    },
  );
  await using _a = a;
  await using _b = b;
  const answered: string[] = [];
  const answers = promising.map(async (request) => {
    const answer = await a.network.request("b", request, 10_000);
    answered.push(request.kind);
    return answer;
  });
  const read = { kind: "read", epoch: 1, key: "k", wantValue: true, changed: "", deadlineMs: 1_000 } as const;
  await a.network.request("b", read, 5_000);
  await sleep(systemClock, 20);
  assert.deepEqual(asked.toSorted(), [...promising.map(({ kind }) => kind), "read"].toSorted());
  assert.deepEqual(told, asked, "the network's owner hears of each request");
  assert.deepEqual(answered, [], "acknowledged before it was done");
  for (const [index, { kind }] of promising.entries()) done.get(kind)?.resolve({ kind: "ack", epoch: 100 + index });
  // Each answer is the one that was given to this very request.
  assert.deepEqual(
    await Promise.all(answers),
    promising.map((_, index) => ({ kind: "ack", epoch: 100 + index })),
  );
});

test("link: pings and notices overtake whatever else waits to be sent", { timeout }, async () => {
  const arrived: string[] = [];
  const settings = { silenceMs: 60_000 };
  const [a, b] = await linkedPair(
    { settings },
    {
      settings,
      onRequest: (_from, request): PeerAnswer => {
        arrived.push(request.kind);
        return request.kind === "ping" ? { kind: "pong", state } : { kind: "missing" };
      },
    },
  );
  await using _a = a;
  await using _b = b;
  b.sockets[0]?.pause();
  // More than the operating systems' buffers take.
  const writes = Array.from({ length: 300 }, (_, seq) => a.network.request("b", writeOf(seq, 60_000), 15_000));
  await sleep(systemClock, 50);
  const ping = a.network.request("b", { kind: "ping", state }, 15_000);
  assert.equal(a.network.notify("b", { kind: "state", state }), true);
  const isNoticed = b.until(() => b.events.includes("notice a 5")).then(() => arrived.length);
  b.sockets[0]?.resume();
  await Promise.all([...writes, ping]);
  assert.ok(arrived.indexOf("ping") < writes.length, "a ping has waited for all that was asked before it");
  assert.ok((await isNoticed) <= writes.length, "a notice has waited for all that was asked before it");
});

test("link: pongs overtake the answers that wait to be sent", { timeout }, async () => {
  const settings = { silenceMs: 60_000 };
  const info = { epoch: 1, seq: 1, headers: {}, md5: "", modifiedMs: 0, size: 60_000 };
  const value = Buffer.alloc(60_000);
  let asked = 0;
  const [a, b] = await linkedPair(
    {
      settings,
      onRequest: (_from, request): PeerAnswer => {
        asked += 1;
        return request.kind === "ping" ? { kind: "pong", state } : { kind: "value", info, value };
      },
    },
    { settings },
  );
  await using _a = a;
  await using _b = b;
  b.sockets[0]?.pause();
  const answered: string[] = [];
  const ask = async (request: PeerRequest): Promise<void> => {
    await b.network.request("a", request, 15_000);
    answered.push(request.kind);
  };
  const read = { kind: "read", epoch: 1, key: "k", wantValue: true, changed: "", deadlineMs: 1_000 } as const;
  const reads = Array.from({ length: 300 }, () => ask(read));
  while (asked < reads.length) await sleep(systemClock, 10);
  const ping = ask({ kind: "ping", state });
  while (asked <= reads.length) await sleep(systemClock, 10);
  b.sockets[0]?.resume();
  await Promise.all([...reads, ping]);
  assert.ok(answered.indexOf("ping") < reads.length, "a pong has waited for all answers before it");
});

test("link: a member does not call itself, though it is in everyone's list", { timeout }, async () => {
  await using a = await LinkPeer.start("a");
  await using b = await LinkPeer.start("b");
  a.network.setPeers([a.address, b.address]);
  await a.untilLinked(b);
  await sleep(systemClock, 50);
  assert.deepEqual([a.sockets.length, a.warnings(), a.network.peers.length], [0, [], 1]);
});

test("link: one that is closed on purpose fails what is under way, and its peer is dialled again", {
  timeout,
}, async () => {
  const [a, b] = await linkedPair({}, { onRequest: () => new Promise<PeerAnswer>(() => {}) });
  await using _a = a;
  await using _b = b;
  const outcome = a.network.request("b", writeOf(1, 10), 3_000).then(
    () => "an answer",
    (error: unknown) => (isOperatingError(error) ? error.code : String(error)),
  );
  assert.deepEqual(a.network.peers, [
    { id: "b", linked: true, queuedBytes: a.network.peers[0]?.queuedBytes, inFlight: 1 },
  ]);
  a.network.disconnect("b", "on purpose");
  assert.equal(a.network.linked("b"), undefined);
  assert.equal(await within(outcome, 1_000), "peer_unreachable");
  await a.until(() => a.ups("b") === 2, 3_000);
});

test("link: nothing of an older link is delivered once a newer one is up", { timeout }, async () => {
  const from: string[] = [];
  const [a, old] = await linkedPair({
    onRequest: (peer) => {
      from.push(peer.incarnation);
      return { kind: "ack", epoch: 1 };
    },
  });
  await using _a = a;
  await using _old = old;
  await using next = await LinkPeer.start("b");
  const late = old.network.request("a", writeOf(1, 10), 3_000).catch(() => undefined);
  next.network.setPeers([a.address]);
  await Promise.all([a.untilLinked(next), next.untilLinked(a), late]);
  const before = from.length;
  await assert.rejects(old.network.request("a", writeOf(2, 10), 1_000), { code: "peer_unreachable" });
  assert.equal((await next.network.request("a", writeOf(3, 10), 3_000)).kind, "ack");
  assert.deepEqual(from.slice(before), [next.identity.incarnation]);
  const order = a.events.map((event) => event.split(" ")[0]);
  assert.deepEqual(order, ["up", "down", "up"]);
});
