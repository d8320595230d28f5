/** The write buffer: what is visible, what is dirty, and that the room in use is exactly that of what is held, pending or reserved. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { Admission } from "../../../src/core/admission.ts";
import { type Entry, footprint, noHeaders, noRequest } from "../../../src/core/entry.ts";
import {
  type HoldingLog,
  type KeyRecord,
  type PendingWrite,
  pendingWrite,
  storeUnknown,
  WriteBuffer,
} from "../../../src/core/write-buffer.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { seedOf } from "../../harness/seed.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const bufferOf = (log: HoldingLog = { append: () => undefined }): WriteBuffer =>
  new WriteBuffer(new Admission({ dirtyBytes: 1e9, waitMs: 500 }, new ManualClock()), log);

/** Version (1, `seq`) of `key`; `size` undefined: a tombstone. */
function entryOf(key: string, seq: number, size?: number): Entry {
  const value = size === undefined ? undefined : Buffer.alloc(size);
  const common = { epoch: 1, seq, headers: noHeaders, md5: "", modifiedMs: 0, requestId: noRequest };
  return { ...common, key, value, size: size ?? 0 };
}

/** A write of `entry` that is assigned, its room taken; `lost` collects what it was ended with. */
function assign(buffer: WriteBuffer, record: KeyRecord, entry: Entry, lost: Error[] = []): PendingWrite {
  buffer.admission.takeForWrite(footprint(entry));
  const write = pendingWrite(entry, { now: 0, missing: ["b"], needsStore: false });
  write.outcome.catch((error: Error) => lost.push(error));
  buffer.assign(record, write);
  return write;
}

function hold(buffer: WriteBuffer, record: KeyRecord, entry: Entry): void {
  buffer.admission.take(footprint(entry));
  buffer.hold(record, entry);
}

describe("WriteBuffer, at a primary", () => {
  it("writes through the newest that needs the store and that all owners have, or a newer one that was sent already", () => {
    const buffer = bufferOf();
    const record = buffer.open("k", 5);
    const [first, second, third] = [1, 2, 3].map((seq) => assign(buffer, record, entryOf("k", seq, 10)));
    assert.ok(first && second && third);
    assert.equal(record.writeThrough, undefined);
    for (const write of [first, second, third]) write.missing = [];
    assert.equal(record.writeThrough, undefined, "none needs it");
    first.needsStore = true;
    second.needsStore = true;
    assert.equal(record.writeThrough, second);
    second.missing = ["b"];
    assert.equal(record.writeThrough, first);
    // The first needs it still, and is not sent any more: what is newer than the second has to do.
    record.lastSent = { epoch: 1, seq: 2 };
    assert.equal(record.writeThrough, third);
    third.missing = ["b"];
    assert.equal(record.writeThrough, undefined);
    second.missing = [];
    second.needsStore = false;
    assert.equal(record.writeThrough, second);
  });

  it("shows the last committed state while newer ones are pending, and commits them in order", () => {
    const buffer = bufferOf();
    const record = buffer.open("k", 5);
    const [first, second] = [assign(buffer, record, entryOf("k", 1, 10)), assign(buffer, record, entryOf("k", 2, 20))];
    assert.deepEqual([record.entry, record.newest], [undefined, second.entry]);
    assert.equal(buffer.commit(record), first);
    assert.deepEqual([record.entry, record.newest], [first.entry, second.entry]);
    assert.equal(buffer.commit(record), second);
    assert.deepEqual([record.entry, record.newest, record.pending], [second.entry, second.entry, []]);
    assert.throws(() => buffer.commit(record), AssertionError);
  });

  it("refuses a write that is not newer than all before it, pending or held", () => {
    const buffer = bufferOf();
    const record = buffer.open("k", 0);
    hold(buffer, record, entryOf("k", 3, 1));
    for (const seq of [2, 3]) assert.throws(() => assign(buffer, record, entryOf("k", seq, 1)), AssertionError);
    assign(buffer, record, entryOf("k", 5, 1));
    for (const seq of [4, 5]) assert.throws(() => assign(buffer, record, entryOf("k", seq, 1)), AssertionError);
  });

  it("that loses tenure holds the newest write, ends all of them, and forgets what it knew of the store", async () => {
    const buffer = bufferOf();
    const record = buffer.open("k", 0);
    hold(buffer, record, entryOf("k", 1, 100));
    Object.assign(record, { store: { kind: "present", tag: "t" }, flushed: true, unproven: true, flight: {} });
    Object.assign(record, { lastSent: { epoch: 1, seq: 1 }, failures: 3, notBefore: 99 });
    const lost: Error[] = [];
    for (const seq of [2, 3, 4]) assign(buffer, record, entryOf("k", seq, seq), lost);
    const error = new Error("another node owns this key now");
    buffer.endTenure(record, error);
    assert.deepEqual([record.entry?.seq, record.pending, record.dirty], [4, [], true]);
    await Promise.resolve();
    assert.deepEqual(lost, [error, error, error]);
    assert.equal(buffer.admission.usedBytes, footprint(entryOf("k", 4, 4)));
    assert.deepEqual(
      [record.store, record.lastSent, record.flight, record.failures, record.notBefore],
      [storeUnknown, undefined, undefined, 0, Number.NEGATIVE_INFINITY],
    );
  });

  it("that loses tenure without pending writes keeps the held entry, as dirty as if it had never been flushed", () => {
    const buffer = bufferOf();
    const record = buffer.open("k", 0);
    hold(buffer, record, entryOf("k", 1, 100));
    record.flushed = true;
    buffer.endTenure(record, new Error("unused"));
    assert.deepEqual([record.entry?.seq, record.dirty], [1, true]);
    assert.equal(buffer.admission.usedBytes, footprint(entryOf("k", 1, 100)));
  });
});

describe("WriteBuffer, what is inherited", () => {
  /** The held entry `entry`, inherited; with the record that has it. */
  function inherit(buffer: WriteBuffer, entry: Entry): { readonly record: KeyRecord; readonly write: PendingWrite } {
    const record = buffer.open(entry.key, 0);
    hold(buffer, record, entry);
    const write = pendingWrite(entry, { now: 0, missing: ["b"], needsStore: false, inherited: true });
    buffer.inherit(record, write);
    return { record, write };
  }

  it("is seen by nobody until it commits, takes its room once, and is then as any state", () => {
    const buffer = bufferOf();
    const { record, write } = inherit(buffer, entryOf("k", 1, 100));
    assert.deepEqual([record.entry, record.newest, record.dirty], [undefined, write.entry, false]);
    assert.equal(buffer.admission.usedBytes, footprint(write.entry));
    assert.equal(buffer.commit(record), write);
    assert.deepEqual([record.entry, record.dirty], [write.entry, true]);
    assert.equal(buffer.admission.usedBytes, footprint(write.entry));
  });

  it("is held again when the tenure ends before that", async () => {
    const buffer = bufferOf();
    const { record, write } = inherit(buffer, entryOf("k", 1, 100));
    const error = new Error("another node owns this key now");
    buffer.endTenure(record, error);
    await assert.rejects(write.outcome, error);
    assert.deepEqual([record.entry, record.pending], [write.entry, []]);
    assert.equal(buffer.admission.usedBytes, footprint(write.entry));
  });

  it("is what was held, with nothing pending before it", () => {
    const buffer = bufferOf();
    const record = buffer.open("k", 0);
    hold(buffer, record, entryOf("k", 1, 100));
    const other = pendingWrite(entryOf("k", 1, 100), { now: 0, missing: [], needsStore: false, inherited: true });
    assert.throws(() => buffer.inherit(record, other), AssertionError);
    assign(buffer, record, entryOf("k", 2, 1));
    const late = pendingWrite(record.entry as Entry, { now: 0, missing: [], needsStore: false, inherited: true });
    assert.throws(() => buffer.inherit(record, late), AssertionError);
  });
});

describe("WriteBuffer, its log", () => {
  /** A buffer, and what its log was told. */
  function logged(): { readonly buffer: WriteBuffer; readonly lines: string[] } {
    const lines: string[] = [];
    const buffer = bufferOf({
      append: (record) =>
        lines.push(record.kind === "entry" ? `entry ${record.entry.seq}` : `clean ${record.key} ${record.version.seq}`),
    });
    return { buffer, lines };
  }

  it("is told of each entry when it is assigned or held, not again when it commits or is inherited, and when it is dropped", () => {
    const { buffer, lines } = logged();
    const record = buffer.open("k", 0);
    hold(buffer, record, entryOf("k", 1, 1));
    const inherited = pendingWrite(record.entry as Entry, { now: 0, missing: [], needsStore: false, inherited: true });
    buffer.inherit(record, inherited);
    buffer.commit(record);
    assign(buffer, record, entryOf("k", 2, 1));
    buffer.endTenure(record, new Error("another node owns this key now"));
    buffer.drop(record);
    assert.deepEqual(lines, ["entry 1", "entry 2", "clean k 2"]);
  });

  it("is not told of what it tells itself at the start, nor of a key of which nothing was held", () => {
    const { buffer, lines } = logged();
    buffer.recover(entryOf("k", 4, 100), 7);
    const record = buffer.get("k");
    assert.deepEqual([record?.entry?.seq, record?.dirty, record?.dirtySince], [4, true, 7]);
    assert.equal(buffer.admission.usedBytes, footprint(entryOf("k", 4, 100)));
    assert.throws(() => buffer.recover(entryOf("k", 5, 1), 7), AssertionError);
    buffer.drop(buffer.open("nothing", 0));
    assert.deepEqual(lines, []);
  });
});

describe("WriteBuffer, what is held", () => {
  it("is dirty until the store is known to hold it for good, and again once it is replaced", () => {
    const buffer = bufferOf();
    const record = buffer.open("k", 0);
    assert.equal(record.dirty, false, "nothing is held");
    assign(buffer, record, entryOf("k", 1, 1));
    assert.equal(record.dirty, false, "a pending write is no visible state");
    buffer.commit(record);
    assert.equal(record.dirty, true);
    Object.assign(record, { flushed: true, unproven: true });
    assert.equal(record.dirty, true);
    record.unproven = false;
    assert.equal(record.dirty, false);
    Object.assign(record, { unproven: true });
    hold(buffer, record, entryOf("k", 2));
    assert.deepEqual([record.dirty, record.flushed, record.unproven], [true, false, false]);
  });

  it("is replaced by newer entries only, and their room takes the place of the older one's", () => {
    const buffer = bufferOf();
    const record = buffer.open("k", 0);
    hold(buffer, record, entryOf("k", 2, 1000));
    for (const seq of [1, 2]) assert.throws(() => buffer.hold(record, entryOf("k", seq, 1)), AssertionError);
    hold(buffer, record, entryOf("k", 3));
    assert.equal(buffer.admission.usedBytes, footprint(entryOf("k", 3)));
  });

  it("gives its room back when it is dropped, which nothing pending ever is", () => {
    const buffer = bufferOf();
    const record = buffer.open("k", 0);
    hold(buffer, record, entryOf("k", 1, 1));
    assign(buffer, record, entryOf("k", 2, 1));
    assert.throws(() => buffer.drop(record), AssertionError);
    buffer.commit(record);
    buffer.drop(record);
    assert.deepEqual([buffer.size, buffer.get("k"), buffer.admission.usedBytes], [0, undefined, 0]);
  });

  it("is found under its key, one record a key, in the order in which they became dirty, also while some are dropped", () => {
    const buffer = bufferOf();
    for (const [now, key] of ["x", "a", "m"].entries()) hold(buffer, buffer.open(key, now), entryOf(key, 1, 1));
    assert.equal(buffer.open("a", 9), buffer.get("a"));
    assert.equal(buffer.get("a")?.dirtySince, 1);
    buffer.drop(buffer.get("x") as KeyRecord);
    hold(buffer, buffer.open("x", 10), entryOf("x", 2, 1));
    const seen: string[] = [];
    for (const record of buffer.records()) {
      seen.push(record.key);
      if (record.key !== "m") buffer.drop(record);
    }
    assert.deepEqual([seen, buffer.size], [["a", "m", "x"], 1]);
  });

  it("that was flushed and is written again is dirty since the new write", () => {
    const buffer = bufferOf();
    hold(buffer, buffer.open("k", 0), entryOf("k", 1, 1));
    const record = buffer.get("k") as KeyRecord;
    record.flushed = true;
    hold(buffer, buffer.open("k", 60_000), entryOf("k", 2, 1));
    assert.equal(record.dirtySince, 60_000);
  });
});

describe("WriteBuffer, under random operations", () => {
  it("uses exactly the footprints of what is held, pending and reserved", (test) => {
    const seed = seedOf(test);
    const random = new SimRandom(seed);
    const buffer = bufferOf();
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
      else if (roll < 0.55) assign(buffer, record, entry);
      else if (roll < 0.75 && record.pending.length > 0) buffer.commit(record);
      else if (roll < 0.85 && record.pending.length === 0) hold(buffer, record, entry);
      else if (roll < 0.92) buffer.endTenure(record, new Error("lost"));
      else if (roll < 0.96 && record.entry && record.pending.length === 0) {
        const write = pendingWrite(record.entry, { now: step, missing: [], needsStore: false, inherited: true });
        write.outcome.catch(() => undefined);
        buffer.inherit(record, write);
      } else if (record.pending.length === 0) buffer.drop(record);
      let expected = reserved.reduce((sum, bytes) => sum + bytes, 0);
      for (const each of buffer.records()) {
        if (each.entry) expected += footprint(each.entry);
        for (const write of each.pending) expected += footprint(write.entry);
      }
      assert.equal(buffer.admission.usedBytes, expected, `seed ${seed}, step ${step}`);
    }
  });
});
