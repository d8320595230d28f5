/** Leaving, in a whole cluster, when not all goes well. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { viewName } from "../../src/core/view.ts";
import { keyOwned } from "../harness/view-fixtures.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

describe("a member that was asked to leave", () => {
  it("leaves although the store refused it the view for a while", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
    const { world, hosts, views } = cluster;
    const [, b] = hosts as [SimHost, SimHost];
    await world.run(10_000);
    cluster.refused.set(viewName, new OperatingError("store_refused", "rights that are about to come"));
    b.member?.leave();
    await world.run(12_000);
    cluster.refused.delete(viewName);
    await world.run(20_000);
    assert.deepEqual([b.running, views.slice(-2)], [undefined, ["1,0,1", "1,1"]]);
  });

  it("makes way for a process that is started in its place, and does not end that", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
    const { world, network, hosts } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    cluster.write(a, keyOwned({ abc: /^ab/, ac: /^ac/ }));
    await world.run(10_100);
    // As long as c cannot be handed that, b has not left.
    const mend = network.choke("a", "c");
    b.member?.leave();
    await world.run(10_500);
    b.twin();
    await world.run(13_000);
    mend();
    await world.run(40_000);
    assert.equal(b.ghost, undefined);
    assert.equal(isSettled([a, b, c]), true);
  });

  it("waits for no request of those that left just before: they had told that they have none", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
    const { world, hosts } = cluster;
    await world.run(10_000);
    const left: number[] = [];
    for (const host of hosts) {
      const since = world.now;
      host.member?.leave();
      while (host.running !== undefined && world.now < since + 20_000) await world.run(world.now + 10);
      left.push(world.now - since);
    }
    assert.ok(Math.max(...left) < 2_000, `they took ${left.join(", ")} ms`);
  });
});
