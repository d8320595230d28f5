/**
 * How much of what a journal writes once more falls into one turn of the event loop: while that lasts no ping is
 * answered.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../../src/core/entry.ts";
import type { LateRecord } from "../../../src/core/late-effects.ts";
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

/** Counts what the journal asks for: entries that it writes forward, and what a segment repeats. */
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

  override *late(): Iterable<LateRecord> {
    for (const record of super.late()) {
      this.repeated++;
      yield record;
    }
  }

  /** A request for the key got no answer. */
  learn(key: string, tags: readonly string[]): void {
    const conditions = tags.map((tag) => ({ condition: { kind: "present", tag } as const, version: undefined }));
    this.append({ kind: "late", key, conditions });
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

/** Puts many small values in one turn, and waits until they are durable. Finished requests are not repeated. */
async function putMany(owner: CountingOwner, name: string, count: number, requests?: "finished"): Promise<void> {
  for (let key = 0; key < count; key++) owner.put(`${name}${key}`, value);
  if (requests === "finished") owner.finishAllBut(0);
  let isDurable = false;
  void owner.confirm().then(() => {
    isDurable = true;
  });
  while (!isDurable) await owner.turn();
}

test("entries are written forward in short turns, however many small ones a group has, and the disk is freed", async () => {
  const { owner, journal } = await begin();
  await putMany(owner, "kept", 10_000);
  for (let round = 0; round < 6; round++) await putMany(owner, "often", 10_000, "finished");
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
  for (let round = 0; round < 3; round++) await putMany(owner, "often", 10_000, "finished");
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

test("heads that are longer than a segment leave the disk within twice what is held and two segments", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const { owner, journal } = await begin(disk);
  // Their requests have not been told, so that each segment repeats 2.7 MB.
  await putMany(owner, "key", 50_000);
  for (let key = 0; key < 50_000; key++) owner.clean(`key${key}`);
  for (let key = 0; key < 200; key++) {
    owner.put(`held${key}`, Buffer.alloc(50_000));
    await owner.confirm();
  }
  const longSegment = 5 * 2_700_000;
  let segments = 0;
  for (let round = 0; round < 400; round++) {
    owner.put(`held${round % 20}`, Buffer.alloc(50_000));
    await owner.confirm();
    const { diskBytes, liveBytes } = journal.metrics;
    const bound = 2 * liveBytes + 2 * longSegment;
    assert.ok(disk.bytes <= bound, `${disk.bytes} bytes on disk, ${liveBytes} held, bound ${bound}`);
    // What is not needed any more may be about to go.
    assert.ok(diskBytes <= disk.bytes, `${diskBytes} counted, ${disk.bytes} on disk`);
    if (journal.position.segment > segments) segments = journal.position.segment;
  }
  assert.ok(segments > 2, `${segments} segments`);
  await journal[Symbol.asyncDispose]();
  const again = await begin(disk);
  assert.equal(again.journal.metrics.diskBytes, disk.bytes, "all that is on the disk is counted");
});

/** A journal whose next segment has to repeat very many conditions, of late0 and so on. */
async function beginWithLate(count: number, tags = ["a"]) {
  const disk = new SimDisk(new SimRandom(1));
  const { owner, journal } = await begin(disk);
  for (let key = 0; key < count; key++) owner.learn(`late${key}`, tags);
  await putMany(owner, "first", 1);
  owner.mostRepeated = 0;
  /** What the next life finds, by key. */
  const found = async (): Promise<Map<string, unknown>> => {
    await journal[Symbol.asyncDispose]();
    const { recovered } = (await begin(disk)).journal;
    return new Map([...recovered.late].map(({ key, conditions }) => [key, conditions]));
  };
  return { owner, journal, found };
}

test("a segment repeats very many conditions in short turns, and all of them", async () => {
  const { owner, found } = await beginWithLate(50_000);
  await putMany(owner, "next", 1);
  assert.ok(owner.mostRepeated > 1_000 && owner.mostRepeated <= 20_000, `${owner.mostRepeated} in one turn`);
  assert.equal((await found()).size, 50_000);
});

test("keys with many conditions each are fewer in one turn", async () => {
  const { owner, found } = await beginWithLate(20_000, ["a", "b", "c", "d", "e", "f", "g", "h"]);
  await putMany(owner, "next", 1);
  assert.ok(owner.mostRepeated > 100 && owner.mostRepeated <= 2_500, `${owner.mostRepeated} in one turn`);
  assert.equal((await found()).size, 20_000);
});

test("a journal that ends while a segment repeats conditions has all of them", async () => {
  const { owner, found } = await beginWithLate(50_000);
  owner.put("next", value);
  await owner.turn();
  assert.ok(owner.mostRepeated < 50_000, "it is under way");
  assert.equal((await found()).size, 50_000);
});

test("what is learnt and forgotten while a segment repeats conditions is as it was last", async () => {
  const { owner, found } = await beginWithLate(50_000);
  owner.put("next", value);
  await owner.turn();
  assert.ok(owner.mostRepeated < 40_000, "it is under way");
  // Both of what was repeated, and of what is yet to be.
  for (const key of ["late0", "late49990"]) owner.learn(key, []);
  for (const key of ["late1", "late49991", "new"]) owner.learn(key, ["b"]);
  await owner.turn();
  for (const key of ["late2", "late49992"]) owner.learn(key, []);
  owner.learn("late49990", ["c"]);
  const late = await found();
  const tagsOf = (key: string): unknown =>
    (late.get(key) as { condition: { tag: string } }[] | undefined)?.map(({ condition }) => condition.tag);
  assert.equal(late.size, 49_998);
  assert.deepEqual(
    ["late0", "late49990", "late1", "late49991", "new", "late2", "late49992", "late3", "late49993"].map(tagsOf),
    [undefined, ["c"], ["b"], ["b"], ["b"], undefined, undefined, ["a"], ["a"]],
  );
});

test("a crash while a segment repeats conditions leaves what was confirmed before", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const { owner } = await begin(disk);
  for (let key = 0; key < 50_000; key++) owner.learn(`late${key}`, ["a"]);
  await putMany(owner, "first", 1);
  owner.learn("late49999", []);
  await owner.turn();
  disk.crash("process");
  const again = await begin(disk);
  assert.equal([...again.journal.recovered.late].length, 50_000);
});

test("another owner that comes while a segment repeats what counts is asked for all of it", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const { owner, journal } = await begin(disk);
  for (let key = 0; key < 30_000; key++) owner.learn(`late${key}`, ["a"]);
  await putMany(owner, "key", 30_001);
  const forgotten = owner.put("gone", value);
  await owner.turn();
  const next = new CountingOwner();
  owner.succeedBy(next);
  // The owner before remembers these for ever.
  next.learn("late29999", []);
  next.clean("gone");
  next.append({ kind: "forget", requests: [forgotten.requestId] });
  await journal[Symbol.asyncDispose]();
  assert.ok(next.repeated >= 60_000, `${next.repeated} repeated`);
  const { recovered } = (await begin(disk)).journal;
  const late = new Set([...recovered.late].map(({ key }) => key));
  const counters = new Set([...recovered.outcomes].map(({ requestId }) => requestId.counter));
  assert.deepEqual([late.size, late.has("late29999")], [29_999, false]);
  assert.deepEqual([counters.size, counters.has(forgotten.requestId.counter)], [30_001, false]);
});
