/** Locks on names: what becomes of those who can't have one, and of those who have one in the end. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Clock, sleep } from "../../../../src/base/clock.ts";
import { FileLocks } from "../../../../src/store/folder/file-locks.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { hangMs } from "../../../harness/patience.ts";

/** Two names of one lock, and one that some file systems take for the first. */
const [first, other, folded] = ["k", "k45", "K"] as const;

/** As of two processes that share a folder. The first goes by this clock. */
async function two(t: TestContext, clock: Clock = systemClock): Promise<[FileLocks, FileLocks]> {
  const folder = await mkdtemp(join(tmpdir(), "weir-locks-"));
  t.after(() => rm(folder, { recursive: true }));
  return [new FileLocks(folder, clock, systemRandom), new FileLocks(folder, systemClock, systemRandom)];
}

test("who can't have a lock in time gives up, and does nothing later", { timeout: hangMs }, async (t) => {
  const [ours, theirs] = await two(t);
  const held = Promise.withResolvers<void>();
  const work = theirs.hold("k", Number.POSITIVE_INFINITY, () => held.promise);
  let isDone = false;
  const late = ours.hold("k", systemClock.now() + 50, () => {
    isDone = true;
    return Promise.resolve();
  });
  await Promise.race([late.catch(() => undefined), sleep(systemClock, 2_000)]);
  held.resolve();
  await assert.rejects(late, { code: "store_unavailable" });
  await Promise.all([work, ours.close(), theirs.close()]);
  assert.equal(isDone, false);
});

test("closing waits for the work under way, and for what waits behind it", { timeout: hangMs }, async (t) => {
  const [locks, others] = await two(t);
  const held = Promise.withResolvers<void>();
  const ended: string[] = [];
  const work = [
    locks.hold("k", Number.POSITIVE_INFINITY, () => held.promise).then(() => ended.push("first")),
    locks.hold("k", Number.POSITIVE_INFINITY, () => Promise.resolve()).then(() => ended.push("second")),
  ];
  const closing = locks.close().then(() => ended.push("closed"));
  await sleep(systemClock, 50);
  held.resolve();
  await Promise.all([...work, closing]);
  assert.deepEqual(ended.toSorted(), ["closed", "first", "second"]);
  assert.equal(ended[0], "first");
  await others.close();
});

test("names of one lock go on side by side in a process, and one name's work does not", {
  timeout: hangMs,
}, async (t) => {
  // Its turn does not end, however slow this machine is.
  const [locks, theirs] = await two(t, new ManualClock());
  const held = Promise.withResolvers<void>();
  const begun: string[] = [];
  const hold = (name: string): Promise<void> =>
    locks.hold(name, Number.POSITIVE_INFINITY, () => {
      begun.push(name);
      return held.promise;
    });
  const work = [hold(first), hold(other), hold(folded)];
  const late = theirs.hold(other, systemClock.now() + 50, () => Promise.resolve());
  await assert.rejects(late, { code: "store_unavailable" });
  assert.deepEqual(begun.toSorted(), [first, other]);
  held.resolve();
  await Promise.all(work);
  assert.equal(begun.at(-1), folded);
  await Promise.all([locks.close(), theirs.close()]);
});

for (const [what, names] of [
  ["one name", [first]],
  // Of both names always one is at work.
  ["two names of a lock", [first, other]],
] as const) {
  test(`a process that always has work for ${what} gives others their turn`, { timeout: hangMs }, async (t) => {
    const [ours, theirs] = await two(t);
    let isOver = false;
    const busy = names.map(async (name, i) => {
      await sleep(systemClock, 5 * i);
      while (!isOver) await ours.hold(name, Number.POSITIVE_INFINITY, () => sleep(systemClock, 10));
    });
    await sleep(systemClock, 50);
    try {
      await theirs.hold(first, systemClock.now() + 2_000, () => Promise.resolve());
    } finally {
      isOver = true;
      await Promise.all(busy);
      await Promise.all([ours.close(), theirs.close()]);
    }
  });
}
