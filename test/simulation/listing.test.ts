/** Listings under the simulator: whatever happens, each has what was acknowledged before it began (R7). */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { noHeaders } from "../../src/core/entry.ts";
import { keyOwned } from "../harness/view-fixtures.ts";
import { putOf } from "../harness/write-operations.ts";
import type { Profile } from "./fault-kinds.ts";
import type { SimHost } from "./sim-cluster.ts";
import { healthyDisk } from "./sim-disk.ts";
import { StagedCluster } from "./staged-cluster.ts";
import { Worlds } from "./worlds.ts";

/** Where keys change their owners, in all the ways that there are, and where entries come and go. */
const profiles: readonly Profile[] = [
  "healthy",
  "members",
  "members+store",
  "store",
  "failures",
  "power",
  "isolation",
  "pauses",
];

const seedsPerProfile = 8;

async function* streamOf(value: Buffer): AsyncGenerator<Uint8Array, void> {
  yield await Promise.resolve(value);
}

describe("a listing in a simulated cluster", () => {
  const worlds = new Worlds();
  after(() => worlds[Symbol.asyncDispose]());

  for (const profile of profiles) {
    it(`shows what was acknowledged before it began, in ${seedsPerProfile} worlds of the profile "${profile}"`, async () => {
      const failed: string[] = [];
      let listings = 0;
      for (let seed = 1; seed <= seedsPerProfile; seed++) {
        const result = await worlds.run({ seed, faults: profile, listMs: 60 });
        listings += result.listings;
        for (const violation of result.violations) failed.push(`seed ${seed}: ${violation}`);
      }
      assert.deepEqual(failed, [], profile);
      assert.ok(listings > 20 * seedsPerProfile, `only ${listings} listings were answered`);
    });
  }

  it("shows of a large value what a read is answered, although the store has a newer one that has not committed", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { maxValueBytes: 100 });
    const { world, hosts } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    const key = cluster.keyOf(b, "k");
    const put = (length: number): unknown => {
      const body = streamOf(Buffer.alloc(length));
      return cluster.ask(a, (member) =>
        member.operations.writeStream({ key, headers: noHeaders, precondition: undefined, length, body }),
      );
    };
    put(500);
    await world.run(30_000);
    await cluster.read(c, key);
    b.line.slownessMs = 10_000;
    put(700);
    const isStored = (): boolean => cluster.store.peek(key)?.size === 700;
    assert.ok(await world.run(60_000, isStored));
    const read = cluster.ask(c, (member) => member.operations.read(key, false));
    const list = cluster.ask(c, (member) =>
      member.operations.list({ prefix: "", after: "", delimiter: "", limit: 10 }),
    );
    await world.run(world.now + 100);
    assert.ok(read.answer?.kind === "stored");
    assert.deepEqual([read.answer.info.size, list.answer?.keys.map(({ size }) => size)], [500, [500]]);
  });

  it("shows what a read is answered, although the store has a write that was to be there first and waits for a new replica now", async () => {
    const cluster = new StagedCluster(["a", "b"], { hasDisks: true });
    const { world, hosts } = cluster;
    const [a, b] = hosts as [SimHost, SimHost];
    await world.run(10_000);
    const key = keyOwned({ ab: /^a/ });
    b.crash("power");
    await world.run(20_000);
    cluster.write(a, key, "old");
    await world.run(30_000);
    assert.equal(await cluster.read(a, key), "old");
    const answered = Promise.withResolvers<void>();
    cluster.answered.set(key, answered.promise);
    const put = cluster.ask(a, (member) => member.operations.write(putOf(key, Buffer.from("newer"))));
    await world.run(world.now + 1_000);
    assert.equal(cluster.store.peek(key)?.size, 5);
    b.folder.setFaults({ ...healthyDisk, stuckChance: 1, stuckMs: 500 });
    b.start();
    let compared = 0;
    for (let ms = 0; ms < 10_000 && put.answer === undefined; ms += 20) {
      const before = cluster.ask(a, (member) => member.operations.read(key, false));
      const list = cluster.ask(a, (member) =>
        member.operations.list({ prefix: "", after: "", delimiter: "", limit: 10 }),
      );
      await world.run(world.now + 10);
      const after = cluster.ask(a, (member) => member.operations.read(key, false));
      await world.run(world.now + 10);
      if (list.answer === undefined || before.answer?.kind !== "value" || after.answer?.kind !== "value") continue;
      if (before.answer.info.size !== after.answer.info.size) continue;
      compared++;
      assert.deepEqual(
        list.answer.keys.map(({ size }) => size),
        [after.answer.info.size],
        `at ${world.now} ms`,
      );
    }
    assert.ok(compared > 10 && put.answer?.kind === "written", `${compared} compared`);
    answered.resolve();
  });
});
