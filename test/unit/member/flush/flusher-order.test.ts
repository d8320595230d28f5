/** In which order the flusher goes: what somebody waits for comes first, also after a time without a lease (F18). */

import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import { DueQueue } from "../../../../src/core/flush-schedule.ts";
import type { KeyState } from "../../../../src/core/key-state.ts";
import type { Flusher } from "../../../../src/member/flush/flusher.ts";
import type { BlobStore } from "../../../../src/store/blob-store.ts";
import { assign, commit, roomyBuffer } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { backoffMs, trialFlusher } from "../../../harness/trial-flusher.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");

/**
 * A flusher with so many keys, each with a committed value. It sends one request at a time, which is answered at once,
 * or when the test calls what is in `answered`.
 */
function trial(keys: number, isLate: (now: number) => boolean = () => false) {
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a]), a, clock);
  const buffer = roomyBuffer(clock);
  const sent: string[] = [];
  const answered: (() => void)[] = [];
  const slow = { isSlow: false, refuses: false, takes: "" };
  const store: Partial<BlobStore> = {
    write: async (name) => {
      sent.push(name);
      if (slow.isSlow) await new Promise<void>((resolve) => answered.push(resolve));
      if (slow.refuses && name !== slow.takes) throw new OperatingError("store_refused", "no");
      return { kind: "written", tag: "t" };
    },
  };
  const flusher = trialFlusher({
    clock,
    membership,
    buffer,
    store,
    delayMs: 1_000,
    isLate: () => isLate(clock.now()),
    observer: { flushed: (record) => buffer.remove(record) },
  });
  const records: KeyState[] = [];
  for (let seq = 1; seq <= keys; seq++) {
    const key = `k${seq}`;
    const value = Buffer.from("v");
    const entry: Entry = {
      epoch: 4,
      seq,
      key,
      value,
      headers: noHeaders,
      md5: "",
      modifiedMs: 7,
      size: 1,
      requestId: noRequest,
    };
    records.push(commit(buffer, entry));
  }
  const holdLease = (): void => membership.lease.confirmByStore(membership.lease.stamp());
  return { clock, membership, buffer, flusher, records, sent, holdLease, answered, slow };
}

/** The store has refused 4,000 keys once. */
async function manyRefused() {
  const keys = 4_000;
  const parts = trial(keys);
  const { clock, flusher, records, sent, holdLease, answered, slow } = parts;
  slow.refuses = true;
  for (const record of records) flusher.queue.schedule(record);
  for (const record of records) flusher.queue.expediteAwaited(record);
  holdLease();
  clock.advance(100);
  while (sent.length < keys) {
    clock.advance(0);
    await turn();
  }
  await turn();
  /** Lets time pass, and the store answer one request in each millisecond. */
  const passTo = async (isThere: (flusher: Flusher) => boolean): Promise<void> => {
    for (let passed = 0; passed < 4 * backoffMs && !isThere(flusher); passed++) {
      holdLease();
      clock.advance(1);
      answered.shift()?.();
      await turn();
    }
    assert.ok(isThere(flusher));
  };
  return { ...parts, first: records[0] as KeyState, last: records.at(-1) as KeyState, passTo };
}

describe("Flusher", () => {
  it("has what somebody waits for go first, also when there was no lease meanwhile", async () => {
    const { clock, flusher, records, sent, holdLease } = trial(200);
    for (const record of records) flusher.queue.schedule(record);
    clock.advance(5_000);
    flusher.queue.expediteAwaited(records[150] as KeyState);
    clock.advance(1_000);
    assert.deepEqual(sent, []);
    holdLease();
    clock.advance(100);
    await turn();
    assert.equal(sent[0], "k151");
  });

  it("does not let what somebody waits for keep the rest from the store until writers have to wait", async () => {
    const maxAgeMs = 10_000;
    const { clock, flusher, records, sent, holdLease, answered, slow } = trial(300, (now) => now > maxAgeMs / 2);
    const [plain, ...awaited] = records as [KeyState, ...KeyState[]];
    slow.isSlow = true;
    holdLease();
    flusher.queue.schedule(plain);
    // Clients that always have two durable writes under way, over a store that takes one in 100 ms.
    const next = awaited[Symbol.iterator]();
    const write = (): void => flusher.queue.expediteAwaited(next.next().value as KeyState);
    write();
    write();
    while (clock.now() < maxAgeMs) {
      holdLease();
      clock.advance(100);
      answered.shift()?.();
      write();
      await turn();
    }
    assert.ok(sent.length > 50);
    assert.ok(sent.includes(plain.key), "sent in time");
  });

  it("takes a refusal to be as old as the attempt that it answers (F21)", async () => {
    const { clock, flusher, records, holdLease, answered, slow } = trial(1);
    const [record] = records as [KeyState];
    slow.isSlow = true;
    slow.refuses = true;
    holdLease();
    flusher.queue.expediteAwaited(record);
    await turn();
    const began = clock.now();
    clock.advance(100);
    answered.shift()?.();
    await turn();
    assert.equal(flusher.backlog.isRefusedSince(record, began), true);
    assert.equal(flusher.backlog.isRefusedSince(record, began + 1), false);
  });

  it("tries very many refused keys so seldom that others have their turns (F22)", async () => {
    const { clock, flusher, first, last } = await manyRefused();
    assert.ok(first.notBefore <= clock.now() + backoffMs, "one of few waits as ever");
    assert.ok(last.notBefore >= clock.now() + (4 * backoffMs) / 2, "one of many waits longer");
    // A newer state waits as ever, too.
    last.schedule(last.notBefore + 1_000_000);
    flusher.queue.schedule(last);
    assert.ok((last.scheduledAt as number) <= clock.now() + 1_000);
  });

  it("tries all of them soon, one after the other, when one is taken as it is, however many are left (F22)", async () => {
    for (const left of [4_000, 500]) {
      const { clock, buffer, flusher, records, last, slow, passTo } = await manyRefused();
      for (const record of records.slice(left - 1, -1)) {
        flusher.backlog.remove(record);
        buffer.remove(record);
      }
      // What is refused from now on is not stretched.
      last.schedule(last.notBefore + 1_000_000);
      slow.refuses = false;
      slow.isSlow = true;
      await passTo(({ backlog }) => backlog.refusedCount < left);
      const now = clock.now();
      const soon = records.filter(({ scheduledAt = Number.POSITIVE_INFINITY }) => scheduledAt <= now);
      const within = records.filter(({ scheduledAt = Number.POSITIVE_INFINITY }) => scheduledAt <= now + backoffMs);
      assert.ok((last.scheduledAt as number) <= now + backoffMs);
      assert.ok(within.length >= left - 3, `${within.length} of ${left} are tried soon`);
      assert.ok(soon.length <= left / 2, `${soon.length} of ${left} are tried at once`);
    }
  });

  it("tries no other refused key because a newer value of one is taken (F22)", async () => {
    const { buffer, last, sent, slow, passTo } = await manyRefused();
    const { key, entry } = last;
    const lastAt = last.scheduledAt;
    slow.takes = "k1";
    commit(buffer, { ...(entry as Entry), key: "k1", seq: 1_000_000 });
    const before = sent.length;
    await passTo(({ backlog }) => sent.length > before && backlog.refusedCount < 4_000);
    assert.equal(buffer.get(key)?.scheduledAt, lastAt);
  });

  it("has a new write-through of a key that waits among very many wait no longer than others that fail (F22)", async () => {
    const { clock, buffer, flusher, last } = await manyRefused();
    assert.ok((last.scheduledAt as number) > clock.now() + backoffMs);
    assign(buffer, { ...(last.entry as Entry), seq: 1_000_000 }, { isShort: true });
    flusher.queue.expedite(last);
    assert.ok((last.scheduledAt as number) <= clock.now() + backoffMs);
  });

  it("tells for how long the store has answered nothing, from the last answer on", async () => {
    const { clock, flusher, records, holdLease, answered, slow } = trial(2);
    const [first, second] = records as [KeyState, KeyState];
    slow.isSlow = true;
    holdLease();
    assert.equal(flusher.silentMs(clock.now()), 0);
    flusher.queue.expediteAwaited(first);
    flusher.queue.expediteAwaited(second);
    clock.advance(1);
    await turn();
    assert.equal(answered.length, 1);
    clock.advance(4_000);
    assert.equal(flusher.silentMs(clock.now()), 4_001);
    holdLease();
    answered.shift()?.();
    await turn();
    clock.advance(1_000);
    await turn();
    assert.equal(answered.length, 1, "the second is under way");
    assert.equal(flusher.silentMs(clock.now()), 1_000);
    answered.shift()?.();
    await turn();
    assert.equal(flusher.silentMs(clock.now()), 0);
  });

  it("remembers a record once, however often it is asked for while it must wait", () => {
    const { clock, membership, flusher, records, holdLease } = trial(1);
    holdLease();
    const from = clock.now() + 10_000;
    mock.method(membership, "flushFrom", () => from);
    const [record] = records as [KeyState];
    flusher.queue.schedule(record);
    flusher.queue.expediteAwaited(record);
    const add = mock.method(DueQueue.prototype, "add");
    try {
      for (let times = 0; times < 100; times++) flusher.queue.expediteAwaited(record);
      assert.ok(add.mock.callCount() <= 1, `${add.mock.callCount()} places`);
    } finally {
      mock.restoreAll();
    }
  });
});
