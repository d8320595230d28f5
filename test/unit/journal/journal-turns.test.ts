/**
 * How much of what a journal writes once more falls into one turn of the event loop: while that lasts no ping is
 * answered.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../../src/core/entry.ts";
import type { RequestOutcome } from "../../../src/core/message.ts";
import { openJournal } from "../../../src/journal/file-journal.ts";
import { immediateScheduler } from "../../harness/immediate-scheduler.ts";
import { JournalOwner } from "../../harness/journal-owner.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { RecordedLog } from "../../harness/recorded-log.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { SimDisk } from "../../simulation/sim-disk.ts";

const segmentBytes = 500_000;
const value = Buffer.alloc(10);

/** Counts what the journal asks for: entries that it writes forward, and outcomes that a segment repeats. */
class CountingOwner extends JournalOwner {
  asked = 0;
  most = 0;
  repeated = 0;
  mostRepeated = 0;
  /** Keys that it lets go without a word. */
  readonly gone = new Set<string>();

  override newest(key: string): Entry | undefined {
    this.asked++;
    return this.gone.has(key) ? undefined : super.newest(key);
  }

  override *outcomes(): Iterable<RequestOutcome> {
    for (const outcome of super.outcomes()) {
      this.repeated++;
      yield outcome;
    }
  }

  async turn(): Promise<void> {
    await new Promise(setImmediate);
    this.most = Math.max(this.most, this.asked);
    this.asked = 0;
    this.mostRepeated = Math.max(this.mostRepeated, this.repeated);
    this.repeated = 0;
  }
}

async function begin(disk = new SimDisk(new SimRandom(1))) {
  const journal = await openJournal({
    disk: disk.open(immediateScheduler),
    clock: new ManualClock(),
    log: new RecordedLog(),
    settings: { segmentBytes, liveLimitBytes: 100_000_000 },
    onFailed: (error) => {
      throw error;
    },
  });
  const owner = new CountingOwner();
  owner.begin(journal);
  return { owner, journal };
}

/** Puts many small values in one turn, and waits until they are durable. */
async function putMany(owner: CountingOwner, name: string, count: number): Promise<void> {
  for (let key = 0; key < count; key++) owner.put(`${name}${key}`, value);
  let isDurable = false;
  void owner.confirm().then(() => {
    isDurable = true;
  });
  while (!isDurable) await owner.turn();
}

test("entries are written forward in short turns, however many small ones a group has, and the disk is freed", async () => {
  const { owner, journal } = await begin();
  await putMany(owner, "kept", 10_000);
  for (let round = 0; round < 6; round++) await putMany(owner, "often", 10_000);
  assert.ok(owner.most > 100, `${owner.most}: it was written forward`);
  assert.ok(owner.most <= 1_000, `${owner.most} in one turn`);
  for (let turns = 0; turns < 500; turns++) await owner.turn();
  const { diskBytes, liveBytes } = journal.metrics;
  assert.ok(diskBytes <= 1.5 * liveBytes + 2 * segmentBytes, `${diskBytes} bytes for ${liveBytes}`);
});

test("very many entries that the owner let go are noticed in short turns, too", async () => {
  const { owner, journal } = await begin();
  await putMany(owner, "gone", 20_000);
  for (let key = 0; key < 20_000; key++) owner.gone.add(`gone${key}`);
  for (let round = 0; round < 3; round++) await putMany(owner, "often", 10_000);
  for (let turns = 0; turns < 500; turns++) await owner.turn();
  assert.ok(owner.most > 100 && owner.most <= 1_000, `${owner.most} in one turn`);
  const { diskBytes, liveBytes } = journal.metrics;
  assert.ok(diskBytes <= 1.5 * liveBytes + 2 * segmentBytes, `${diskBytes} bytes for ${liveBytes}`);
});

test("a segment repeats very many outcomes in short turns, and all of them", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const { owner, journal } = await begin(disk);
  await putMany(owner, "key", 50_000);
  assert.ok(owner.mostRepeated <= 1, `${owner.mostRepeated}: there was nothing to repeat`);
  await putMany(owner, "next", 1);
  assert.ok(owner.mostRepeated > 1_000 && owner.mostRepeated <= 20_000, `${owner.mostRepeated} in one turn`);
  await journal[Symbol.asyncDispose]();
  const again = await begin(disk);
  assert.equal(again.journal.recovered.outcomes.length, 50_001);
});

test("a journal that ends while a segment repeats outcomes has all of them", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const { owner, journal } = await begin(disk);
  await putMany(owner, "key", 50_000);
  owner.put("next", value);
  await owner.turn();
  await journal[Symbol.asyncDispose]();
  const again = await begin(disk);
  assert.equal(again.journal.recovered.outcomes.length, 50_001);
});
