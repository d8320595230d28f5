/**
 * The write buffer: what is visible, what is dirty, and that the room in use is exactly that of what is held, pending
 * or reserved (W1, J3).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { OperatingError } from "../../../src/base/errors.ts";
import { type Entry, footprint, noHeaders, noRequest } from "../../../src/core/entry.ts";
import { type KeyState, storeUnknown } from "../../../src/core/key-state.ts";
import type { PendingWrite } from "../../../src/core/pending-write.ts";
import type { WriteBuffer } from "../../../src/core/write-buffer.ts";
import { assign, commit, hold, inherit, roomyBuffer, spread, storeVisible } from "../../harness/key-fixtures.ts";
import { seedOf } from "../../harness/seed.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const away = new OperatingError("store_unavailable", "no answer");

/** Version (1, `seq`) of `key`; `size` undefined: a tombstone. */
function entryOf(key: string, seq: number, size?: number): Entry {
  const value = size === undefined ? undefined : Buffer.alloc(size);
  const common = { epoch: 1, seq, headers: noHeaders, md5: "", modifiedMs: 0, requestId: noRequest };
  return { ...common, key, value, size: size ?? 0 };
}

/** A write of `entry` that is assigned, and that b, too, must have; `lost` collects what it was ended with. */
function assignTo(buffer: WriteBuffer, entry: Entry, lost: Error[] = []): PendingWrite {
  const write = assign(buffer, entry, { others: ["b"] });
  write.outcome.catch((error: Error) => lost.push(error));
  return write;
}

/** The first pending write becomes visible, once all have it. */
function commitFirst(buffer: WriteBuffer, record: KeyState): PendingWrite {
  spread(record, record.pending[0] as PendingWrite);
  return buffer.commit(record);
}

describe("WriteBuffer, at a primary", () => {
  it("writes through the newest that needs the store and that all owners have, or a newer one that was sent already", () => {
    const buffer = roomyBuffer();
    const plain = buffer.open("plain", 5);
    for (const seq of [1, 2, 3]) spread(plain, assignTo(buffer, entryOf("plain", seq, 10)));
    assert.equal(plain.nextFlush, undefined, "none needs it");

    // The first came with the key, whose owners were forgotten. The second was found in the store.
    const record = hold(buffer, entryOf("k", 1, 10));
    const first = inherit(buffer, record, { others: ["b"] }, true);
    const second = assign(buffer, entryOf("k", 2, 10), { others: ["b"], fromStore: true });
    const third = assign(buffer, entryOf("k", 3, 10), { others: ["b"] });
    assert.deepEqual([first.needsStore, second.needsStore, third.needsStore], [true, true, false]);
    const through = (write: PendingWrite) => ({ kind: "write_through", entry: write.entry });
    assert.equal(record.nextFlush, undefined, "none is held by all");
    spread(record, first);
    assert.deepEqual(record.nextFlush, through(first));
    spread(record, second);
    spread(record, third);
    assert.deepEqual(record.nextFlush, through(second));
    // The first needs it still, and is not sent any more: what is newer than the second has to do.
    const flight = record.takeOff(second.entry, 5, true);
    record.sent(flight);
    record.land(flight);
    record.beginEpoch(["b"], false);
    for (const write of [first, third]) spread(record, write);
    assert.deepEqual([first.needsStore, second.needsStore, second.missing], [true, false, ["b"]]);
    assert.deepEqual(record.nextFlush, through(third));
    record.beginEpoch(["b"], false);
    spread(record, first);
    assert.equal(record.nextFlush, undefined);
    spread(record, second);
    assert.deepEqual(record.nextFlush, through(second));
  });

  it("shows the last committed state while newer ones are pending, and commits them in order", () => {
    const buffer = roomyBuffer();
    const record = buffer.open("k", 5);
    const [first, second] = [assignTo(buffer, entryOf("k", 1, 10)), assignTo(buffer, entryOf("k", 2, 20))];
    assert.deepEqual([record.entry, record.newest], [undefined, second.entry]);
    assert.equal(commitFirst(buffer, record), first);
    assert.deepEqual([record.entry, record.newest], [first.entry, second.entry]);
    assert.equal(commitFirst(buffer, record), second);
    assert.deepEqual([record.entry, record.newest, record.pending], [second.entry, second.entry, []]);
    assert.throws(() => buffer.commit(record), AssertionError);
  });

  it("refuses a write that is not newer than all before it, pending or held", () => {
    const buffer = roomyBuffer();
    hold(buffer, entryOf("k", 3, 1));
    for (const seq of [2, 3]) assert.throws(() => assignTo(buffer, entryOf("k", seq, 1)), AssertionError);
    assignTo(buffer, entryOf("k", 5, 1));
    for (const seq of [4, 5]) assert.throws(() => assignTo(buffer, entryOf("k", seq, 1)), AssertionError);
  });

  it("that loses tenure holds the newest write, ends all of them, and forgets what it knew of the store", async () => {
    const buffer = roomyBuffer();
    const record = commit(buffer, entryOf("k", 1, 100));
    storeVisible(record, true);
    record.takeOff(record.entry as Entry, 0, false);
    for (let failures = 0; failures < 3; failures++) record.attempted(away);
    record.holdBack(99);
    record.await();
    const version = { epoch: 1, seq: 1 };
    assert.deepEqual(
      [record.store, record.wasLastSent(version), record.flight?.entry.seq, record.failures, record.failure],
      [{ kind: "present", tag: "t" }, true, 1, 3, away],
    );
    assert.deepEqual([record.notBefore, record.isAwaited, record.nextFlush?.kind], [99, true, "prove"]);
    const lost: Error[] = [];
    for (const seq of [2, 3, 4]) assignTo(buffer, entryOf("k", seq, seq), lost);
    const error = new Error("another node owns this key now");
    buffer.endTenure(record, error);
    assert.deepEqual([record.entry?.seq, record.pending, record.dirty], [4, [], true]);
    await Promise.resolve();
    assert.deepEqual(lost, [error, error, error]);
    assert.equal(buffer.admission.usedBytes, footprint(entryOf("k", 4, 4)));
    assert.deepEqual(
      [record.store, record.wasLastSent(version), record.flight, record.failures, record.failure],
      [storeUnknown, false, undefined, 0, undefined],
    );
    assert.deepEqual([record.notBefore, record.isAwaited], [Number.NEGATIVE_INFINITY, false]);
    assert.deepEqual(record.nextFlush, { kind: "write", entry: record.entry });
  });

  it("that loses tenure without pending writes keeps the held entry, as dirty as if it had never been flushed", () => {
    for (const unproven of [false, true]) {
      const buffer = roomyBuffer();
      const record = commit(buffer, entryOf("k", 1, 100));
      storeVisible(record, unproven);
      assert.equal(record.dirty, unproven);
      buffer.endTenure(record, new Error("unused"));
      assert.deepEqual([record.entry?.seq, record.dirty, record.nextFlush?.kind], [1, true, "write"]);
      assert.equal(buffer.admission.usedBytes, footprint(entryOf("k", 1, 100)));
    }
  });
});

describe("WriteBuffer, what is inherited", () => {
  /** The held entry `entry`, inherited, which b must have; with the record that has it. */
  function gain(buffer: WriteBuffer, entry: Entry): { readonly record: KeyState; readonly write: PendingWrite } {
    const record = hold(buffer, entry);
    return { record, write: inherit(buffer, record, { others: ["b"] }) };
  }

  it("is seen by nobody until it commits, takes its room once, and is then as any state", () => {
    const buffer = roomyBuffer();
    const { record, write } = gain(buffer, entryOf("k", 1, 100));
    assert.deepEqual([record.entry, record.newest, record.dirty], [undefined, write.entry, false]);
    assert.equal(buffer.admission.usedBytes, footprint(write.entry));
    assert.equal(commitFirst(buffer, record), write);
    assert.deepEqual([record.entry, record.dirty], [write.entry, true]);
    assert.equal(buffer.admission.usedBytes, footprint(write.entry));
  });

  it("is held again when the tenure ends before that", async () => {
    const buffer = roomyBuffer();
    const { record, write } = gain(buffer, entryOf("k", 1, 100));
    const error = new Error("another node owns this key now");
    buffer.endTenure(record, error);
    await assert.rejects(write.outcome, error);
    assert.deepEqual([record.entry, record.pending], [write.entry, []]);
    assert.equal(buffer.admission.usedBytes, footprint(write.entry));
  });

  it("is what was held, with nothing pending before it", () => {
    const buffer = roomyBuffer();
    assert.throws(() => inherit(buffer, buffer.open("nothing", 0)), AssertionError);
    const entry = entryOf("k", 1, 100);
    const { record, write } = gain(buffer, entry);
    assert.equal(write.entry, entry);
    assert.throws(() => inherit(buffer, record), AssertionError, "it is inherited already");
    commitFirst(buffer, record);
    assignTo(buffer, entryOf("k", 2, 1));
    assert.throws(() => inherit(buffer, record), AssertionError, "a write is pending");
  });
});

describe("WriteBuffer, its log", () => {
  /** A buffer, and what its log was told. */
  function logged(): { readonly buffer: WriteBuffer; readonly lines: string[] } {
    const lines: string[] = [];
    const buffer = roomyBuffer(undefined, {
      append: (record) =>
        lines.push(record.kind === "entry" ? `entry ${record.entry.seq}` : `clean ${record.key} ${record.version.seq}`),
    });
    return { buffer, lines };
  }

  it("is told of each entry when it is assigned or held, not again when it commits or is inherited, and when it is removed", () => {
    const { buffer, lines } = logged();
    const record = hold(buffer, entryOf("k", 1, 1));
    inherit(buffer, record);
    buffer.commit(record);
    assignTo(buffer, entryOf("k", 2, 1));
    buffer.endTenure(record, new Error("another node owns this key now"));
    buffer.remove(record);
    assert.deepEqual(lines, ["entry 1", "entry 2", "clean k 2"]);
  });

  it("is not told of what it tells itself at the start, nor of a key of which nothing was held", () => {
    const { buffer, lines } = logged();
    buffer.recover(entryOf("k", 4, 100), 7);
    const record = buffer.get("k");
    assert.deepEqual([record?.entry?.seq, record?.dirty, record?.dirtySince], [4, true, 7]);
    assert.equal(buffer.admission.usedBytes, footprint(entryOf("k", 4, 100)));
    assert.throws(() => buffer.recover(entryOf("k", 5, 1), 7), AssertionError);
    buffer.remove(buffer.open("nothing", 0));
    assert.deepEqual(lines, []);
  });
});

describe("WriteBuffer, what is held", () => {
  it("is dirty until the store is known to hold it for good, and again once it is replaced", () => {
    const buffer = roomyBuffer();
    const record = buffer.open("k", 0);
    assert.equal(record.dirty, false, "nothing is held");
    assignTo(buffer, entryOf("k", 1, 1));
    assert.equal(record.dirty, false, "a pending write is no visible state");
    commitFirst(buffer, record);
    assert.equal(record.dirty, true);
    storeVisible(record, true);
    assert.deepEqual([record.dirty, record.stored, record.nextFlush?.kind], [true, false, "prove"]);
    record.proved(true);
    assert.deepEqual([record.dirty, record.stored, record.nextFlush], [false, true, undefined]);
    storeVisible(record, true);
    assert.equal(record.nextFlush?.kind, "prove");
    const entry = entryOf("k", 2);
    hold(buffer, entry);
    assert.deepEqual([record.dirty, record.stored, record.nextFlush], [true, false, { kind: "write", entry }]);
  });

  it("is replaced by newer entries only, and their room takes the place of the older one's", () => {
    for (const seq of [1, 2]) {
      const buffer = roomyBuffer();
      const record = hold(buffer, entryOf("k", 2, 1000));
      assert.throws(
        () => buffer.hold(record, entryOf("k", seq, 1), 0),
        (error) => error instanceof AssertionError && /only a newer entry/.test(error.message),
      );
      assert.equal(record.entry?.seq, 2);
    }
    const buffer = roomyBuffer();
    hold(buffer, entryOf("k", 2, 1000));
    hold(buffer, entryOf("k", 3));
    assert.equal(buffer.admission.usedBytes, footprint(entryOf("k", 3)));
  });

  it("gives its room back when it is removed, which nothing pending ever is", () => {
    const buffer = roomyBuffer();
    const record = hold(buffer, entryOf("k", 1, 1));
    assignTo(buffer, entryOf("k", 2, 1));
    assert.throws(() => buffer.remove(record), AssertionError);
    commitFirst(buffer, record);
    buffer.remove(record);
    assert.deepEqual([buffer.size, buffer.get("k"), buffer.admission.usedBytes], [0, undefined, 0]);
  });

  it("is found under its key, one record a key, also while some are removed", () => {
    const buffer = roomyBuffer();
    for (const [now, key] of ["x", "a", "m"].entries()) hold(buffer, entryOf(key, 1, 1), now);
    assert.equal(buffer.open("a", 9), buffer.get("a"));
    assert.equal(buffer.get("a")?.dirtySince, 1);
    buffer.remove(buffer.get("x") as KeyState);
    hold(buffer, entryOf("x", 2, 1), 10);
    const seen: string[] = [];
    for (const record of buffer.records()) {
      seen.push(record.key);
      if (record.key !== "m") buffer.remove(record);
    }
    assert.deepEqual([seen.toSorted(), buffer.size], [["a", "m", "x"], 1]);
  });

  it("that was flushed and is written again is dirty since the new write", () => {
    const buffer = roomyBuffer();
    const record = commit(buffer, entryOf("k", 1, 1));
    assert.equal(record.dirtySince, 0);
    storeVisible(record);
    assign(buffer, entryOf("k", 2, 1), { now: 60_000 });
    assert.equal(record.dirtySince, 60_000);
  });
});

describe("WriteBuffer, under random operations", () => {
  it("uses exactly the footprints of what is held, pending and reserved", (test) => {
    const seed = seedOf(test);
    const random = new SimRandom(seed);
    const buffer = roomyBuffer();
    const reserved: number[] = [];
    for (let step = 1; step <= 4000; step++) {
      const key = random.pick(["a", "bb", "ccc", "ключ"]);
      const entry = entryOf(key, step, random.chance(0.2) ? undefined : random.whole(0, 500));
      const record = buffer.open(key, step);
      const roll = random.next();
      if (roll < 0.15) {
        reserved.push(random.whole(1, 5000));
        buffer.admission.take(reserved.at(-1) as number);
      } else if (roll < 0.3 && reserved.length > 0) buffer.admission.give(reserved.pop() as number);
      else if (roll < 0.55) assignTo(buffer, entry);
      else if (roll < 0.75 && record.pending.length > 0) commitFirst(buffer, record);
      else if (roll < 0.85 && record.pending.length === 0) hold(buffer, entry);
      else if (roll < 0.92) buffer.endTenure(record, new Error("lost"));
      else if (roll < 0.96 && record.entry && record.pending.length === 0) {
        inherit(buffer, record).outcome.catch(() => undefined);
      } else if (record.pending.length === 0) buffer.remove(record);
      let expected = reserved.reduce((sum, bytes) => sum + bytes, 0);
      for (const each of buffer.records()) {
        if (each.entry) expected += footprint(each.entry);
        for (const write of each.pending) expected += footprint(write.entry);
      }
      assert.equal(buffer.admission.usedBytes, expected, `seed ${seed}, step ${step}`);
    }
  });
});
