/**
 * The journal over a simulated disk, in lives that end at any moment: what each life finds must be what the one before
 * had after some number of its records, and no fewer than were confirmed; and the disk must not fill with what does not
 * count (J1, J2).
 *
 * The lives run in a thread of their own: in the test's, Node's runner follows each of their promises, which takes half
 * as much processor time again.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { isOperatingError } from "../../../src/base/errors.ts";
import { type JournalSettings, openJournal } from "../../../src/journal/file-journal.ts";
import type { Journal } from "../../../src/journal/journal.ts";
import { JournalOwner } from "../../harness/journal-owner.ts";
import { seedOf } from "../../harness/seed.ts";
import type { SimRandom } from "../../harness/sim-random.ts";
import { type DiskFaultSettings, healthyDisk, SimDisk } from "../../simulation/sim-disk.ts";
import { SimLog } from "../../simulation/sim-log.ts";
import { SimProcess } from "../../simulation/sim-process.ts";
import { SimWorld } from "../../simulation/sim-world.ts";

const worlds = Number(process.env["WEIR_TEST_WORLDS"] ?? 60);
const livesPerWorld = 12;

interface Ended {
  /** The journal has told that it is finished. */
  failure: Error | undefined;
}

/** One process, from opening the journal to its end at `endMs`. */
async function live(
  world: SimWorld,
  name: string,
  disk: SimDisk,
  owner: JournalOwner,
  settings: JournalSettings,
  random: SimRandom,
): Promise<Ended> {
  const process = new SimProcess(world, name, { maxRateError: 0.01, maxTimerDelayMs: 1 });
  const ended: Ended = { failure: undefined };
  const lifeMs = random.exponential(100);
  const keys = random.whole(1, 40);
  const maxBytes = random.pick([10, 300, 3_000, 12_000]);
  const pauseMs = random.pick([0.1, 2]);
  let journal: Journal | undefined;
  let isActing = true;
  const act = (): void => {
    if (ended.failure !== undefined || !isActing) return;
    const count = random.pick([1, 1, 2, 5, 20]);
    for (let done = 0; done < count; done += 1) owner.actAtRandom(random, keys, maxBytes);
    if (random.chance(0.7)) void owner.confirm();
    process.schedule(random.exponential(pauseMs), act);
  };
  const onFailed = (error: Error): void => {
    if (!isOperatingError(error)) world.fail(error);
    ended.failure = error;
  };
  const run = async (): Promise<void> => {
    try {
      const log = new SimLog(world, name);
      journal = await openJournal({ disk: disk.open(process), clock: process, log, settings, onFailed });
      owner.take(journal);
      process.schedule(0, act);
    } catch (error) {
      onFailed(error as Error);
    }
  };
  process.schedule(0, () => void run());
  await world.run(world.now + lifeMs, () => ended.failure !== undefined);
  isActing = false;
  await end(world, process, disk, owner, journal, random, ended);
  return ended;
}

async function end(
  world: SimWorld,
  process: SimProcess,
  disk: SimDisk,
  owner: JournalOwner,
  journal: Journal | undefined,
  random: SimRandom,
  ended: Ended,
): Promise<void> {
  if (journal !== undefined && ended.failure === undefined && random.chance(0.2)) {
    // In order: all that was appended is there.
    let isClosed = false;
    process.schedule(0, () => {
      void (async () => {
        await owner.confirm();
        await journal?.[Symbol.asyncDispose]();
        isClosed = true;
      })();
    });
    await world.run(world.now + 3_600_000, () => isClosed || ended.failure !== undefined);
    if (ended.failure === undefined) {
      assert.ok(isClosed, "a journal that has not failed closes");
      assert.equal(owner.unconfirmed, 0);
    }
  }
  process.crash();
  disk.crash(random.chance(0.5) ? "power" : "process");
}

function faultsOf(random: SimRandom): DiskFaultSettings {
  const isFaulty = random.chance(0.4);
  return {
    ...healthyDisk,
    writeMs: random.pick([0.1, 0.1, 10]),
    meanSyncMs: random.pick([0.2, 1, 10]),
    stuckChance: random.chance(0.2) ? 0.01 : 0,
    stuckMs: 2_000,
    failWriteChance: isFaulty ? random.pick([0, 0.01]) : 0,
    failSyncChance: isFaulty ? random.pick([0, 0.02]) : 0,
    capacityBytes: isFaulty && random.chance(0.3) ? random.whole(10_000, 300_000) : Number.POSITIVE_INFINITY,
  };
}

async function runWorld(seed: number): Promise<void> {
  const world = new SimWorld({ seed });
  const random = world.random("test");
  const disk = new SimDisk(world.random("disk"));
  const owner = new JournalOwner();
  const settings = {
    segmentBytes: random.pick([2_000, 20_000, 200_000]),
    liveLimitBytes: 2_000_000,
    repeatedAtOnce: random.pick([1, 10, 10_000]),
  };
  for (let life = 0; life < livesPerWorld; life += 1) {
    disk.setFaults(life === livesPerWorld - 1 ? healthyDisk : faultsOf(random));
    const { failure } = await live(world, `life-${life}`, disk, owner, settings, random);
    if (failure !== undefined) assert.match(failure.message, /^the disk of the data folder sim (?:is full|failed)/);
  }
}

async function runWorlds(first: number): Promise<void> {
  for (let index = 0; index < worlds; index += 1) {
    const seed = (first + index) % 2 ** 32;
    await runWorld(seed).catch((cause: unknown) => {
      throw new Error(`seed ${seed}`, { cause });
    });
  }
}

if (isMainThread) {
  test("after any crash a journal gives back what was confirmed and nothing that never was", async (context) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: seedOf(context) });
    // Rejects with what the thread has thrown.
    assert.deepEqual(await once(worker, "message"), [worlds]);
  });
} else {
  // A rejection that nobody handles ends the thread.
  void runWorlds(workerData as number).then(() => parentPort?.postMessage(worlds));
}
