/**
 * Links between members over real sockets: what is asked is answered, whatever else is under way and whatever breaks.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isOperatingError, OperatingError } from "../../src/base/errors.ts";
import type { PeerAnswer, PeerRequest } from "../../src/core/message.ts";
import { LinkPeer, linkedPair, writeOf } from "../harness/link-peer.ts";
import { hangMs } from "../harness/patience.ts";
import { handedOff } from "../harness/view-fixtures.ts";

const timeout = hangMs;
const mebi = 1024 * 1024;

const state = handedOff(5, { settled: true });

/** Answers a write with its counter, so that answers can be told apart. */
function echo(request: PeerRequest): PeerAnswer {
  assert.equal(request.kind, "write");
  return { kind: "written", version: { epoch: 1, seq: request.requestId.counter }, tag: "", durability: "replicated" };
}

function seqOf(answer: PeerAnswer): number {
  assert.equal(answer.kind, "written");
  return answer.version.seq;
}

test("link: a thousand requests at once each get their own answer, in both directions", { timeout }, async () => {
  const onRequest = async (_from: unknown, request: PeerRequest): Promise<PeerAnswer> => {
    // Some answers come later than those of requests behind them.
    if (request.kind === "write" && request.requestId.counter % 3 === 0) await new Promise(setImmediate);
    return echo(request);
  };
  const [a, b] = await linkedPair({ onRequest }, { onRequest });
  await using _a = a;
  await using _b = b;
  const ask = (from: LinkPeer, to: string, seq: number) =>
    from.network.request(to, writeOf(seq, (seq * 37) % 5000), 5000).then((answer) => assert.equal(seqOf(answer), seq));
  await Promise.all(Array.from({ length: 1000 }, (_, seq) => [ask(a, "b", seq), ask(b, "a", seq)]).flat());
});

test("link: small requests arrive in the order of the calls, with their values", { timeout }, async () => {
  const arrived: number[] = [];
  const [a, b] = await linkedPair(
    {},
    {
      onRequest: (_from, request) => {
        assert.equal(request.kind, "write");
        assert.ok(request.value?.every((byte) => byte === request.requestId.counter % 256));
        arrived.push(request.requestId.counter);
        return echo(request);
      },
    },
  );
  await using _a = a;
  await using _b = b;
  const sizes = [0, 1, 1000, 8192, 8193, 30_000, 65_536];
  await Promise.all(
    Array.from({ length: 700 }, (_, seq) =>
      a.network.request("b", writeOf(seq, sizes[seq % sizes.length] as number), 5000),
    ),
  );
  assert.deepEqual(
    arrived,
    Array.from({ length: 700 }, (_, seq) => seq),
  );
});

test("link: small requests overtake a value of 4 MiB, which arrives unharmed", { timeout }, async () => {
  const arrived: number[] = [];
  const [a, b] = await linkedPair(
    {},
    {
      onRequest: (_from, request) => {
        assert.equal(request.kind, "write");
        arrived.push(request.requestId.counter);
        if (request.requestId.counter === 1) assert.deepEqual(request.value, Buffer.alloc(4 * mebi, 1));
        return echo(request);
      },
    },
  );
  await using _a = a;
  await using _b = b;
  const large = a.network.request("b", writeOf(1, 4 * mebi), 5000);
  const small = [2, 3, 4].map((seq) => a.network.request("b", writeOf(seq, 100), 5000));
  await Promise.all([large, ...small]);
  assert.deepEqual(arrived, [2, 3, 4, 1]);
});

test("link: large values come back in answers too, many at once", { timeout }, async () => {
  const value = Buffer.alloc(3 * mebi, 7);
  const info = { epoch: 1, seq: 1, headers: {}, md5: "", modifiedMs: 0, size: value.length };
  const [a, b] = await linkedPair({}, { onRequest: () => ({ kind: "value", info, value }) });
  await using _a = a;
  await using _b = b;
  const read = { kind: "read", epoch: 1, key: "k", wantValue: true, changed: "", deadlineMs: 1000 } as const;
  const answers = await Promise.all(Array.from({ length: 9 }, () => a.network.request("b", read, 10_000)));
  for (const answer of answers) assert.ok(answer.kind === "value" && answer.value?.equals(value));
});

test("link: a peer that does not read gets no more than the queue's limit, then all that was taken", {
  timeout,
}, async () => {
  const settings = { maxQueueBytes: 4 * mebi, silenceMs: 60_000 };
  const [a, b] = await linkedPair({ settings }, { onRequest: (_from, request) => echo(request) });
  await using _a = a;
  await using _b = b;
  b.sockets[0]?.pause();
  const outcomes: Promise<string>[] = [];
  let overloaded = 0;
  // The operating systems' own buffers take some MiB before anything waits here.
  for (let seq = 0; overloaded < 10; seq += 1) {
    assert.ok(seq < 4000, "the queue has no limit");
    const request = a.network.request("b", writeOf(seq, 50_000), 15_000);
    outcomes.push(
      request.then(
        () => "written",
        (error: unknown) => {
          overloaded += 1;
          return isOperatingError(error) ? error.code : "other";
        },
      ),
    );
    if (seq % 20 === 0) await new Promise(setImmediate);
  }
  // What is left is not enough for anything else, however small.
  for (let seq = 5000, isTaken = true; isTaken; seq += 1) {
    assert.ok(seq < 9000, "the queue has no limit");
    const outcome = a.network.request("b", writeOf(seq, 1), 15_000).then(
      () => "written",
      () => "overloaded",
    );
    outcomes.push(outcome);
    isTaken =
      (await Promise.race([outcome, new Promise<string>((resolve) => setImmediate(resolve, "taken"))])) === "taken";
  }
  assert.equal(a.network.notify("b", { kind: "state", state }), true, "what is small and urgent still passes");
  b.sockets[0]?.resume();
  assert.deepEqual([...new Set(await Promise.all(outcomes))].toSorted(), ["overloaded", "written"]);
  await b.until(() => b.events.includes("notice a 5"));
});

test("link: a request without an answer fails at its deadline, and the late answer harms nobody", {
  timeout,
}, async () => {
  const late = Promise.withResolvers<PeerAnswer>();
  const [a, b] = await linkedPair(
    {},
    {
      onRequest: (_from, request) =>
        request.kind === "write" && request.requestId.counter === 1 ? late.promise : echo(request),
    },
  );
  await using _a = a;
  await using _b = b;
  const began = performance.now();
  await assert.rejects(a.network.request("b", writeOf(1, 10), 50), { code: "deadline_exceeded" });
  const tookMs = performance.now() - began;
  assert.ok(tookMs >= 50 && tookMs < 2_000, `it took ${tookMs} ms`);
  late.resolve({ kind: "missing" });
  assert.equal(seqOf(await a.network.request("b", writeOf(2, 10), 1000)), 2);
});

test("link: what fails at its deadline while it waits is never delivered", { timeout }, async () => {
  const arrived: number[] = [];
  const [a, b] = await linkedPair(
    { settings: { silenceMs: 60_000, maxQueueBytes: 64 * mebi } },
    {
      onRequest: (_from, request) => {
        assert.equal(request.kind, "write");
        arrived.push(request.requestId.counter);
        return echo(request);
      },
    },
  );
  await using _a = a;
  await using _b = b;
  b.sockets[0]?.pause();
  const fillers = Array.from({ length: 300 }, (_, seq) => a.network.request("b", writeOf(seq, 65_000), 15_000));
  const given = [1000, 1001].map((seq) => a.network.request("b", writeOf(seq, seq === 1000 ? 100 : 4 * mebi), 30));
  for (const request of given) await assert.rejects(request, { code: "deadline_exceeded" });
  b.sockets[0]?.resume();
  await Promise.all(fillers);
  await a.network.request("b", writeOf(1002, 10), 5000);
  assert.deepEqual(
    arrived.filter((seq) => seq >= 300),
    [1002],
  );
});

test("link: one that breaks fails what is under way with peer_unreachable, and is made again", {
  timeout,
}, async () => {
  const asked = Promise.withResolvers<void>();
  const [a, b] = await linkedPair(
    {},
    {
      onRequest: (_from, request) => {
        if (request.kind !== "write" || request.requestId.counter !== 1) return { kind: "missing" };
        asked.resolve();
        return new Promise<PeerAnswer>(() => {});
      },
    },
  );
  await using _a = a;
  await using _b = b;
  const request = a.network.request("b", writeOf(1, 10), 3_000);
  await asked.promise;
  b.sockets[0]?.destroy();
  await assert.rejects(request, { code: "peer_unreachable" });
  assert.equal(a.events.at(-1)?.startsWith("down b"), true);
  await a.until(() => a.ups("b") === 2);
  assert.equal((await a.network.request("b", writeOf(2, 10), 1000)).kind, "missing");
});

test("link: without one, a request fails and a notice is not sent", { timeout }, async () => {
  await using a = await LinkPeer.start("a");
  await assert.rejects(a.network.request("b", writeOf(1, 10), 1000), { code: "peer_unreachable" });
  assert.equal(a.network.notify("b", { kind: "state", state }), false);
  assert.equal(a.network.linked("b"), undefined);
});

test("link: a notice arrives, and says whether it was sent", { timeout }, async () => {
  const [a, b] = await linkedPair();
  await using _a = a;
  await using _b = b;
  assert.equal(a.network.notify("b", { kind: "state", state }), true);
  await b.until(() => b.events.includes("notice a 5"));
});

test("link: a handler that fails is answered with its code, and with internal for a bug, which is logged", {
  timeout,
}, async () => {
  const [a, b] = await linkedPair(
    {},
    {
      onRequest: (_from, request) => {
        const seq = request.kind === "write" ? request.requestId.counter : 0;
        if (seq === 1) throw new OperatingError("buffer_full", "no room");
        if (seq === 2) return Promise.reject(new OperatingError("not_ready", "wait"));
        if (seq === 3) throw new Error("a bug");
        return Promise.reject(new Error("another bug"));
      },
    },
  );
  await using _a = a;
  await using _b = b;
  const codes = await Promise.all(
    [1, 2, 3, 4].map(async (seq) => {
      const answer = await a.network.request("b", writeOf(seq, 10), 1000);
      assert.doesNotMatch(JSON.stringify(answer), /bug/, "what nobody foresaw is for the log alone");
      return answer.kind === "refused" ? answer.code : answer.kind;
    }),
  );
  assert.deepEqual(codes, ["buffer_full", "not_ready", "internal", "internal"]);
  assert.equal(b.logged.filter(({ level }) => level === "error").length, 2);
});

test("link: more requests than may be under way are refused, at either end", { timeout }, async () => {
  const release = Promise.withResolvers<PeerAnswer>();
  const [a, b] = await linkedPair(
    { settings: { maxInFlight: 5 } },
    { settings: { maxIncoming: 3 }, onRequest: () => release.promise },
  );
  await using _a = a;
  await using _b = b;
  const requests = [1, 2, 3, 4, 5].map((seq) => a.network.request("b", writeOf(seq, 10), 5000));
  await assert.rejects(a.network.request("b", writeOf(6, 10), 5000), { code: "overloaded" });
  const refused = await Promise.race(requests);
  assert.ok(refused.kind === "refused" && refused.code === "overloaded");
  release.resolve({ kind: "missing" });
  const kinds = (await Promise.all(requests)).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["missing", "missing", "missing", "refused", "refused"]);
});

test("link: requests that fail make room for others", { timeout }, async () => {
  const [a, b] = await linkedPair(
    {},
    { settings: { maxIncoming: 1 }, onRequest: () => Promise.reject(new OperatingError("not_ready", "wait")) },
  );
  await using _a = a;
  await using _b = b;
  for (let seq = 1; seq <= 3; seq++) {
    const answer = await a.network.request("b", writeOf(seq, 10), 5000);
    assert.equal(answer.kind === "refused" && answer.code, "not_ready");
  }
});

test("link: a peer that asks and does not read its answers loses it", { timeout }, async () => {
  const settings = { maxQueueBytes: 1, queueReserveBytes: 100_000 };
  const detail = "x".repeat(2000);
  const refuse = (): never => {
    throw new OperatingError("not_ready", detail);
  };
  const [a, b] = await linkedPair({ settings, onRequest: refuse });
  await using _a = a;
  await using _b = b;
  b.sockets[0]?.pause();
  const asked = Array.from({ length: 2000 }, (_, seq) => b.network.request("a", writeOf(seq, 1), 15_000));
  const outcomes = Promise.allSettled(asked);
  await a.until(() => a.events.some((event) => event.startsWith("down b")));
  assert.match(JSON.stringify(a.logged), /the peer does not read its answers/);
  b.sockets[0]?.resume();
  assert.ok((await outcomes).some(({ status }) => status === "rejected"));
});

test("link: a value that the peer does not take fails alone, asked or answered", { timeout }, async () => {
  const value = Buffer.alloc(100_001);
  const info = { epoch: 1, seq: 1, headers: {}, md5: "", modifiedMs: 0, size: value.length };
  const receive = {
    frameBytes: 50_000,
    headBytes: 1000,
    payloadBytes: 100_000,
    reassemblyBytes: 100_000,
    interleaved: 1,
  };
  const onRequest = (_from: unknown, request: PeerRequest): PeerAnswer =>
    request.kind === "read" ? { kind: "value", info, value } : echo(request);
  const [a, b] = await linkedPair({ settings: { receive }, onRequest }, { onRequest });
  await using _a = a;
  await using _b = b;
  await assert.rejects(b.network.request("a", writeOf(1, 100_001), 1000), { code: "value_too_large" });
  await assert.rejects(b.network.request("a", { ...writeOf(2, 1), key: "k".repeat(1000) }, 1000), { code: "internal" });
  const read = { kind: "read", epoch: 1, key: "k", wantValue: true, changed: "", deadlineMs: 1000 } as const;
  const answer = await a.network.request("b", read, 1000);
  assert.ok(answer.kind === "refused" && answer.code === "value_too_large");
  const both = [3, 4].map((seq) => b.network.request("a", writeOf(seq, 100_000), 5000));
  assert.deepEqual((await Promise.all(both)).map(seqOf), [3, 4]);
});

test("link: a network that is disposed of fails what is under way and dials no more", { timeout }, async () => {
  const [a, b] = await linkedPair({}, { onRequest: () => new Promise<PeerAnswer>(() => {}) });
  await using _b = b;
  const request = assert.rejects(a.network.request("b", writeOf(1, 10), 5000), { code: "peer_unreachable" });
  await a[Symbol.asyncDispose]();
  await request;
  await b.until(() => b.events.at(-1)?.startsWith("down a") === true);
  assert.equal(a.ups("b"), 1);
  await assert.rejects(a.network.request("b", writeOf(1, 10), 5000), { code: "peer_unreachable" });
});
