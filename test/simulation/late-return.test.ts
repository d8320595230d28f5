/**
 * A member that was dropped comes back with a write that the others went on without, while their view is not settled:
 * nothing of its disk is given up yet (V34, W17).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOperatingError } from "../../src/base/errors.ts";
import { keyOwned } from "../harness/view-fixtures.ts";
import { deleteOf, putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { healthyDisk } from "./sim-disk.ts";
import { StagedCluster } from "./staged-cluster.ts";

/** The hosts lose their power when what `act` does is on the disks of all but the first. */
async function losePower({ world }: StagedCluster, hosts: readonly SimHost[], act: () => void): Promise<void> {
  const [first] = hosts as [SimHost];
  first.folder.setFaults({ ...healthyDisk, stuckChance: 1, stuckMs: 60_000 });
  act();
  await world.run(world.now + 60);
  for (const host of hosts) host.crash("power");
  first.folder.setFaults(healthyDisk);
  await world.run(world.now + 1_000);
}

describe("a member that comes back late", () => {
  it("makes a removal that only it knows everybody's answer from then on, also once the store has it", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
    const { world, network, hosts } = cluster;
    const [a, b] = hosts as [SimHost, SimHost];
    const key = keyOwned({ abc: /^ba$/ });
    const other = keyOwned({ abc: /^ab$/ });
    await world.run(10_000);
    cluster.write(b, key, "removed");
    await world.run(14_000);
    // As long as c cannot be handed this, no view is settled.
    cluster.write(b, other);
    await world.run(14_100);
    await losePower(cluster, [b, a], () => cluster.ask(b, (member) => member.operations.write(deleteOf(key))));
    const mend = network.choke("b", "c");
    b.start();
    await world.run(world.now + 8_000);
    assert.deepEqual([await cluster.read(b, key), b.member?.status().settled], ["removed", false]);
    a.start();
    const answers: (string | undefined)[] = [];
    for (let second = 0; second < 50; second++) {
      await world.run(world.now + 1_000);
      const answer = await cluster.read(b, key);
      if (second === 0 || answer !== answers.at(-1)) answers.push(answer);
    }
    assert.deepEqual(answers, ["removed", undefined]);
    mend();
    await world.run(world.now + 20_000);
    for (const host of hosts) assert.equal(await cluster.read(host, key), undefined, host.id);
    assert.equal(cluster.store.peek(key), undefined);
  });

  it("takes the place of what was inherited without it and is not visible yet, and ends nobody's process", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d", "p"], { hasDisks: true, replicas: 3 });
    const { world, network, hosts } = cluster;
    const [a, b, c, d, p] = hosts as [SimHost, SimHost, SimHost, SimHost, SimHost];
    const key = keyOwned({ abcdp: /^b(ap|pa)$/, bcd: /^b/, abcd: /^b(ac|ca)$/ }, 3);
    await world.run(10_000);
    cluster.write(b, key, "older");
    await world.run(10_100);
    await losePower(cluster, [b, a, p], () => cluster.write(b, key, "newer"));
    // As long as c cannot be handed the key, no view is settled.
    const mend = network.choke("b", "c");
    b.start();
    await world.run(world.now + 8_000);
    assert.deepEqual([b.member?.servesNow?.(key), b.member?.status().settled], [true, false]);
    a.start();
    await world.run(world.now + 45_000);
    mend();
    await world.run(world.now + 20_000);
    for (const host of [a, b, c, d]) assert.equal(await cluster.read(host, key), "newer", host.id);
  });

  it("brings a write of which a later attempt was refused for its time: its client is told that nobody knows", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d", "p"], { hasDisks: true, delayMs: 3_000 });
    const { world, network, hosts } = cluster;
    const [a, b, , d, p] = hosts as [SimHost, SimHost, SimHost, SimHost, SimHost];
    const key = keyOwned({ abcdp: /^ba$/, acd: /^ad$/, abcd: /^b/ });
    const other = keyOwned({ abcdp: /^ap$/, acd: /^ac$/ });
    await world.run(10_000);
    cluster.write(b, key, "before");
    await world.run(14_000);
    const read = cluster.ask(d, (member) => member.operations.read(key, true));
    await world.run(14_200);
    assert(read.answer?.kind === "value");
    // As long as c cannot be handed this, no view is settled.
    cluster.write(a, other);
    await world.run(14_215);
    // Only b's disk has the write.
    const mend = network.choke("a", "b");
    network.choke("a", "c");
    const precondition = { unmodifiedSince: Math.floor(read.answer.info.modifiedMs / 1_000) };
    const value = Buffer.from("after");
    const write = cluster.ask(d, (member) => member.operations.write(putOf(key, value, { precondition })));
    await world.run(world.now + 40);
    for (const host of [b, p]) host.crash();
    await world.run(world.now + 9_000);
    assert(isOperatingError(write.error, "deadline_exceeded"));
    assert.equal(await cluster.read(d, key), "before");
    mend();
    b.start();
    await world.run(world.now + 60_000);
    assert.equal(await cluster.read(d, key), "after");
  });
});
