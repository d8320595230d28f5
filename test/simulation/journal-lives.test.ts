/**
 * A journal outlives the members that write it: what one life has noted in it still counts while the next one has not
 * joined yet (V32).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { keysOwned } from "../harness/view-fixtures.ts";
import { putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { healthyDisk } from "./sim-disk.ts";
import { StagedCluster } from "./staged-cluster.ts";

describe("a member that is dropped while its journal writes forward", () => {
  it("still knows after a power loss which views its disk has adopted", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
    const { world, network, hosts } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    // One of five stays, and is written forward, since the others leave almost nothing in their segments.
    const keys = keysOwned({ abc: /^ba$/ }, 950);
    const stuck = keys.filter((_, index) => index % 5 === 0);
    for (const key of stuck) cluster.refused.set(key, new OperatingError("store_refused", "no"));
    const value = Buffer.alloc(5_000, 1);
    const asked = [];
    for (const key of keys) {
      asked.push(cluster.ask(b, (member) => member.operations.write(putOf(key, value))));
      await world.run(world.now + 1);
    }
    await world.run(world.now + 200);
    assert.equal(asked.filter(({ answer }) => answer?.kind === "written").length, keys.length);
    b.folder.setFaults({ ...healthyDisk, meanSyncMs: 300 });
    await world.run(world.now + 1_500);
    const mends = [network.part("a", "b", true), network.part("b", "c", true)];
    network.choke("a", "c");
    await world.run(world.now + 20_000);
    assert.equal(b.member?.readiness().ready, false);
    b.crash("power");
    b.folder.setFaults(healthyDisk);
    a.crash();
    a.loseFolder();
    for (const mend of mends) mend();
    b.start();
    await world.run(world.now + 60_000);
    for (const key of stuck) assert.equal((await cluster.read(c, key))?.length, value.length, key);
  });
});
