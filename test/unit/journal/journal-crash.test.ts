/**
 * Single crashes whose order matters, each by itself: what an earlier process left half done must not become a loss
 * later (J6, J8).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type JournalSettings, openJournal } from "../../../src/journal/file-journal.ts";
import type { Journal } from "../../../src/journal/journal.ts";
import { immediateScheduler } from "../../harness/immediate-scheduler.ts";
import { JournalOwner, makeEntry } from "../../harness/journal-owner.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { RecordedLog } from "../../harness/recorded-log.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { healthyDisk, SimDisk } from "../../simulation/sim-disk.ts";

const rounds = 40;

interface Opened {
  readonly journal: Journal;
  /** What the journal has reported, in order. */
  readonly failures: Error[];
}

async function open(disk: SimDisk, changes: Partial<JournalSettings> = {}): Promise<Opened> {
  const failures: Error[] = [];
  const journal = await openJournal({
    disk: disk.open(immediateScheduler),
    clock: new ManualClock(),
    log: new RecordedLog(),
    settings: { segmentBytes: 1_000_000, liveLimitBytes: 1_000_000, ...changes },
    onFailed: (error) => failures.push(error),
  });
  return { journal, failures };
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
};

function keysOf(journal: Journal): string[] {
  return [...journal.recovered.entries].map(({ key }) => key).toSorted();
}

test("a segment whose process ended before its name was synced keeps what the next process confirms in it", async () => {
  for (let round = 0; round < rounds; round += 1) {
    const disk = new SimDisk(new SimRandom(round));
    await disk.open(immediateScheduler).create("journal-0000000000000001.wal");
    disk.crash("process");
    const { journal } = await open(disk);
    const owner = new JournalOwner();
    owner.take(journal);
    owner.put("kept", Buffer.from("value"));
    await owner.confirm();
    disk.crash("power");
    owner.take((await open(disk)).journal);
    assert.deepEqual(owner.heldKeys, ["kept"]);
  }
});

test("what a process wrote and could not sync is durable before the next process tells of it", async () => {
  for (let round = 0; round < rounds; round += 1) {
    const disk = new SimDisk(new SimRandom(round));
    const { journal, failures } = await open(disk);
    journal.attach(new JournalOwner());
    disk.setFaults({ ...healthyDisk, failSyncChance: 1 });
    journal.append({ kind: "entry", entry: makeEntry("written", { epoch: 1, seq: 1 }, Buffer.alloc(2_000, 1)) });
    while (failures.length === 0) await turns(1);
    disk.setFaults(healthyDisk);
    disk.crash("process");
    // The system takes the bytes for written, and a sync alone would change nothing.
    assert.deepEqual(keysOf((await open(disk)).journal), ["written"]);
    disk.crash("power");
    assert.deepEqual(keysOf((await open(disk)).journal), ["written"]);
  }
});

test("after a failed sync nothing is confirmed, and its owner is told once", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const { journal, failures } = await open(disk);
  journal.attach(new JournalOwner());
  disk.setFaults({ ...healthyDisk, failSyncChance: 1 });
  const confirmed: number[] = [];
  const put = (seq: number): void => {
    journal.append({ kind: "entry", entry: makeEntry("key", { epoch: 1, seq }, Buffer.from("value")) });
    void journal.durable()?.then(() => confirmed.push(seq));
  };
  put(1);
  await turns(1);
  put(2);
  while (failures.length === 0) await turns(1);
  disk.setFaults(healthyDisk);
  put(3);
  await turns(50);
  assert.deepEqual(confirmed, []);
  assert.equal(failures.length, 1);
  assert.match(failures[0]?.message ?? "", /^the disk of the data folder sim failed .*: check the disk/);
  assert.ok(journal.durable() !== undefined, "nothing is said to be durable");
  await journal[Symbol.asyncDispose]();
  assert.equal(failures.length, 1);
});

test("a full disk ends the journal, and what was confirmed before is there with the next start", async () => {
  const disk = new SimDisk(new SimRandom(1), { ...healthyDisk, capacityBytes: 20_000 });
  const { journal, failures } = await open(disk);
  const owner = new JournalOwner();
  owner.take(journal);
  for (let index = 0; failures.length === 0; index += 1) {
    owner.put(`key-${index}`, Buffer.alloc(1_000));
    void owner.confirm();
    await turns(5);
  }
  assert.match(failures[0]?.message ?? "", /^the disk of the data folder sim is full .*: make room there$/);
  assert.ok(owner.heldKeys.length > 15);
  disk.crash("power");
  disk.setFaults(healthyDisk);
  owner.take((await open(disk)).journal);
  assert.ok(owner.heldKeys.length >= 15);
});

test("a segment is not deleted before what replaces its records is durable", async () => {
  for (let round = 0; round < rounds; round += 1) {
    const random = new SimRandom(round);
    const disk = new SimDisk(random);
    const settings = { segmentBytes: 500 };
    const owner = new JournalOwner();
    owner.take((await open(disk, settings)).journal);
    owner.put("a", Buffer.alloc(600, 1));
    await owner.confirm();
    owner.put("b", Buffer.alloc(600, 1));
    await owner.confirm();
    owner.put("a", Buffer.alloc(600, 2));
    owner.put("b", Buffer.alloc(600, 2));
    await turns(random.whole(0, 12));
    disk.crash("power");
    owner.take((await open(disk, settings)).journal);
    assert.deepEqual(owner.heldKeys.toSorted(), ["a", "b"]);
  }
});

test("a crash between the announcement that a segment is not needed and its deletion leaves it to the next start", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const settings = { segmentBytes: 500 };
  const owner = new JournalOwner();
  const { journal } = await open(disk, settings);
  owner.take(journal);
  owner.put("a", Buffer.alloc(600));
  await owner.confirm();
  owner.put("a", Buffer.alloc(600));
  // The group is written, and being synced.
  while (disk.syncs < 2) await turns(1);
  const before = disk.names;
  disk.crash("process");
  assert.ok(before.includes("journal-0000000000000001.wal"));
  const next = await open(disk, settings);
  owner.take(next.journal);
  assert.deepEqual(owner.heldKeys, ["a"]);
  owner.put("b", Buffer.alloc(10));
  await owner.confirm();
  await next.journal[Symbol.asyncDispose]();
  assert.ok(!disk.names.includes("journal-0000000000000001.wal"), disk.names.join());
});
