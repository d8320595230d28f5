/** How much of what a journal found falls into one turn of the event loop, counted in bytes of the heap. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../../src/base/clock.ts";
import { openJournal } from "../../../src/journal/file-journal.ts";
import { HeapGrowth } from "../../harness/heap-growth.ts";
import { immediateScheduler } from "../../harness/immediate-scheduler.ts";
import { makeEntry } from "../../harness/journal-owner.ts";
import { RecordedLog } from "../../harness/recorded-log.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { SimDisk } from "../../simulation/sim-disk.ts";

const count = 250_000;
const conditions = [{ condition: { kind: "absent" }, version: undefined }] as const;

/** A millisecond goes by with each look at it, so a slice is some items. */
class BusyClock implements Clock {
  readonly growth = new HeapGrowth();
  #now = 0;

  now(): number {
    return ++this.#now;
  }

  wallMs(): number {
    return 0;
  }

  after(_ms: number, callback: () => void) {
    const immediate = setImmediate(() => {
      this.growth.look();
      callback();
    });
    return { cancel: () => clearImmediate(immediate) };
  }
}

function open(disk: SimDisk, clock: Clock) {
  const onFailed = (error: Error): never => {
    throw error;
  };
  const settings = { segmentBytes: 100_000_000, liveLimitBytes: 100_000_000 };
  return openJournal({ disk: disk.open(immediateScheduler), clock, log: new RecordedLog(), settings, onFailed });
}

test("very many entries, outcomes and conditions are found without a turn that moves them all", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const first = await open(disk, new BusyClock());
  first.attach({ adoption: () => undefined, outcomes: () => [], late: () => [], newest: () => undefined });
  for (let index = 1; index <= count; index++) {
    first.append({ kind: "entry", entry: makeEntry(`key${index}`, { epoch: 1, seq: index }, undefined) });
    if (index % 3 === 0) first.append({ kind: "late", key: `late${index}`, conditions });
  }
  await first[Symbol.asyncDispose]();

  const clock = new BusyClock();
  const { recovered } = await open(disk, clock);
  clock.growth.look();
  const { entries, outcomes, late } = recovered;
  assert.deepEqual([entries.length, outcomes.length, late.length], [count, count, Math.floor(count / 3)]);
  assert.ok(clock.growth.largest < 1_500_000, `${clock.growth.largest} bytes in one turn`);
});
