/** Locks on names: what becomes of those who can't have one, and of those who have one in the end. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { sleep } from "../../../../src/base/clock.ts";
import { FileLocks } from "../../../../src/store/folder/file-locks.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";

/** As of two processes that share a folder. */
async function two(t: TestContext): Promise<[FileLocks, FileLocks]> {
  const folder = await mkdtemp(join(tmpdir(), "weir-locks-"));
  t.after(() => rm(folder, { recursive: true }));
  return [new FileLocks(folder, systemClock, systemRandom), new FileLocks(folder, systemClock, systemRandom)];
}

test("who can't have a lock in time gives up, and does nothing later", { timeout: 10_000 }, async (t) => {
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

test("closing waits for the work under way, and for what waits behind it", { timeout: 10_000 }, async (t) => {
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
