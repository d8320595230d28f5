/**
 * An entry that somebody waits for goes to the other owners twice, by the hand-off and before it: what comes late must
 * not come back as something new (V46).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyOwned } from "../harness/view-fixtures.ts";
import { deleteOf, putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

/** More than a message that others wait behind: it goes in fragments, and what is sent later overtakes it. */
const largeBytes = 3_000;

describe("a late copy of an inherited entry", () => {
  it("does not bring back what has been removed meanwhile", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true, delayMs: 8_000 });
    const { world, network, hosts } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    const key = keyOwned({ bc: /^b/, abc: /^ab$/, ab: /^ab$/ });
    await world.run(10_000);
    a.crash("power");
    await world.run(40_000);
    a.start();
    await world.run(world.now + 20_000, () => a.member !== undefined);
    const undo = network.delayLarge("a", "b", 2_500);
    const value = Buffer.alloc(largeBytes, "v");
    const put = cluster.ask(b, (member) => member.operations.write(putOf(key, value)));
    await world.run(world.now + 20_000, () => put.answer !== undefined);
    // Somebody waits for the key when a inherits it.
    for (let ms = 0; ms < 9_000 && a.member?.servesNow?.(key) !== true; ms++) {
      cluster.ask(c, (member) => member.operations.read(key, false));
      await world.run(world.now + 1);
    }
    assert.equal(a.member?.servesNow?.(key), true);
    const remove = cluster.ask(a, (member) => member.operations.write(deleteOf(key, { durability: "stored" })));
    await world.run(world.now + 2_000);
    undo();
    await world.run(world.now + 10_000);
    assert(remove.answer !== undefined);
    assert.equal(cluster.store.peek(key), undefined);
    c.crash("power");
    await world.run(world.now + 30_000);
    assert.equal(await cluster.read(a, key), undefined);
    assert.equal(cluster.store.peek(key), undefined);
  });
});
