/** In which order the flusher goes: what somebody waits for comes first, also after a time without a lease. */

import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { Admission } from "../../../../src/core/admission.ts";
import { type Entry, footprint, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import { DueQueue } from "../../../../src/core/flush-schedule.ts";
import { type KeyRecord, pendingWrite, WriteBuffer } from "../../../../src/core/write-buffer.ts";
import type { BlobStore } from "../../../../src/store/blob-store.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { trialFlusher } from "../../../harness/trial-flusher.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");

/** A flusher with so many keys, each with a committed value; one request at a time, each answered when `answered` is resolved, or at once. */
function trial(keys: number, isLate: (now: number) => boolean = () => false) {
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a]), a, clock);
  const admission = new Admission({ dirtyBytes: 1e9, waitMs: 500 }, clock);
  const buffer = new WriteBuffer(admission, { append: () => undefined });
  const sent: string[] = [];
  const answered: (() => void)[] = [];
  const slow = { isSlow: false };
  const store: Partial<BlobStore> = {
    write: async (name) => {
      sent.push(name);
      if (slow.isSlow) await new Promise<void>((resolve) => answered.push(resolve));
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
    observer: { onFlushed: (record) => buffer.drop(record) },
  });
  const records: KeyRecord[] = [];
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
    admission.takeForWrite(footprint(entry));
    const record = buffer.open(key, 0);
    buffer.assign(record, pendingWrite(entry, { now: 0, missing: [], needsStore: false }));
    buffer.commit(record);
    records.push(record);
  }
  const holdLease = (): void => membership.lease.confirmByStore(membership.lease.stamp());
  return { clock, membership, flusher, records, sent, holdLease, answered, slow };
}

describe("Flusher", () => {
  it("has what somebody waits for go first, also when there was no lease meanwhile", async () => {
    const { clock, flusher, records, sent, holdLease } = trial(200);
    for (const record of records) flusher.schedule(record);
    clock.advance(5_000);
    flusher.urge(records[150] as KeyRecord);
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
    const [plain, ...awaited] = records as [KeyRecord, ...KeyRecord[]];
    slow.isSlow = true;
    holdLease();
    flusher.schedule(plain);
    // Clients that always have two durable writes under way, over a store that takes one in 100 ms.
    const next = awaited[Symbol.iterator]();
    const write = (): void => flusher.urge(next.next().value as KeyRecord);
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

  it("remembers a record once, however often it is asked for while it must wait", () => {
    const { clock, membership, flusher, records, holdLease } = trial(1);
    holdLease();
    const from = clock.now() + 10_000;
    mock.method(membership, "flushFrom", () => from);
    const [record] = records as [KeyRecord];
    flusher.schedule(record);
    flusher.urge(record);
    const add = mock.method(DueQueue.prototype, "add");
    try {
      for (let times = 0; times < 100; times++) flusher.urge(record);
      assert.ok(add.mock.callCount() <= 1, `${add.mock.callCount()} places`);
    } finally {
      mock.restoreAll();
    }
  });
});
