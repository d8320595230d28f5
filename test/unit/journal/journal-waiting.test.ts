/** What the journal lets wait, and what it lets go. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "../../../src/journal/disk.ts";
import { openJournal } from "../../../src/journal/file-journal.ts";
import type { Journal } from "../../../src/journal/journal.ts";
import { CountingDisk } from "../../harness/counting-disk.ts";
import { immediateScheduler } from "../../harness/immediate-scheduler.ts";
import { JournalOwner } from "../../harness/journal-owner.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { RecordedLog } from "../../harness/recorded-log.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { SimDisk } from "../../simulation/sim-disk.ts";

function open(disk: SimDisk, clock: ManualClock, segmentBytes = 1_000_000): Promise<Journal> {
  return openOn(disk.open(immediateScheduler), clock, segmentBytes);
}

function openOn(disk: Disk, clock: ManualClock, segmentBytes: number): Promise<Journal> {
  return openJournal({
    disk,
    clock,
    log: new RecordedLog(),
    settings: { segmentBytes, liveLimitBytes: 1_000_000 },
    onFailed: (error) => {
      throw error;
    },
  });
}

const someTurns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
};

test("a record of what is not held any more is written a second later, if nothing else is", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const clock = new ManualClock();
  const owner = new JournalOwner();
  owner.take(await open(disk, clock));
  owner.put("a", Buffer.alloc(10));
  await owner.confirm();
  const before = disk.syncs;
  owner.clean("a");
  await someTurns();
  clock.advance(999);
  await someTurns();
  assert.equal(disk.syncs, before);
  clock.advance(1);
  await someTurns();
  assert.equal(disk.syncs, before + 1);
  assert.ok(clock.idle);
  disk.crash("power");
  assert.equal((await open(disk, clock)).recovered.entries.length, 0);
});

test("what comes after the journal's end is confirmed never", async () => {
  const owner = new JournalOwner();
  const journal = await open(new SimDisk(new SimRandom(1)), new ManualClock());
  owner.take(journal);
  await journal[Symbol.asyncDispose]();
  owner.put("a", Buffer.alloc(10));
  let isConfirmed = false;
  const note = (): void => {
    isConfirmed = true;
  };
  Promise.resolve(journal.durable()).then(note, note);
  await someTurns();
  assert.equal(isConfirmed, false);
});

test("what was appended in the turn of the journal's end is there in the next life", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const owner = new JournalOwner();
  const journal = await open(disk, new ManualClock());
  owner.take(journal);
  owner.put("a", Buffer.alloc(10));
  await journal[Symbol.asyncDispose]();
  disk.crash("power");
  assert.deepEqual(
    [...(await open(disk, new ManualClock())).recovered.entries].map(({ key }) => key),
    ["a"],
  );
});

test("many records of what is not held any more do not wait", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const owner = new JournalOwner();
  owner.take(await open(disk, new ManualClock(), 64_000_000));
  for (let index = 0; index < 3_000; index += 1) owner.put(`key-${index}`, undefined);
  await owner.confirm();
  const before = disk.syncs;
  for (const key of owner.heldKeys) owner.clean(key);
  await someTurns();
  assert.equal(disk.syncs, before + 1);
});

test("what has got large is a group of its own, so that those who came first do not wait for those who come later", async () => {
  const disk = new CountingDisk(new SimDisk(new SimRandom(1)).open(immediateScheduler));
  const owner = new JournalOwner();
  const journal = await openOn(disk, new ManualClock(), 80_000);
  owner.take(journal);
  const release = disk.hold();
  owner.put("first", Buffer.alloc(10));
  await someTurns();
  const groups = new Set([journal.durable()]);
  for (let index = 0; index < 4; index += 1) {
    owner.put(`small-${index}`, Buffer.alloc(10));
    await someTurns();
    groups.add(journal.durable());
  }
  assert.equal(groups.size, 2);
  for (let index = 0; index < 4; index += 1) {
    owner.put(`large-${index}`, Buffer.alloc(10_000));
    await someTurns();
    groups.add(journal.durable());
  }
  assert.equal(groups.size, 5);
  release();
  await owner.confirm();
  assert.equal(disk.writes, 5);
});

test("what was found at the start is let go with the first append, when its owner holds it", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const clock = new ManualClock();
  const owner = new JournalOwner();
  const first = await open(disk, clock);
  owner.take(first);
  owner.put("a", Buffer.alloc(10));
  await first[Symbol.asyncDispose]();
  const second = await open(disk, clock);
  owner.take(second);
  assert.equal(second.recovered.entries.length, 1);
  owner.put("b", Buffer.alloc(10));
  assert.equal(second.recovered.entries.length, 0);
  await owner.confirm();
  assert.deepEqual(owner.heldKeys, ["a", "b"]);
});
