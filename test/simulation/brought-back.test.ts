/**
 * A data folder that is an earlier state of itself, brought back while the view that it was in still stands (V62): its
 * node takes no part, and what others have removed since does not come back.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyOwned } from "../harness/view-fixtures.ts";
import { deleteOf } from "../harness/write-operations.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

describe("a data folder that is brought back from a snapshot", () => {
  for (const [ids, owners] of [
    [["a", "b"], { ab: /^ab$/ }],
    // Its other owner was started anew meanwhile, and only the third node knows how far the folder had come.
    [["a", "b", "c"], { abc: /^ab$/ }],
  ] as const) {
    it(`is refused by ${ids.length} nodes, and what was deleted since stays deleted`, async () => {
      const cluster = new StagedCluster(ids, { hasDisks: true });
      const { world, hosts, store } = cluster;
      const [a, b] = hosts as [SimHost, SimHost];
      const key = keyOwned(owners);
      await world.run(10_000);
      cluster.write(a, key, "old");
      await world.run(world.now + 500);
      const snapshot = a.folder.snapshot();
      await world.run(world.now + 3_000);
      cluster.ask(b, (member) => member.operations.write(deleteOf(key)));
      await world.run(world.now + 5_000);
      assert.equal(await cluster.read(b, key), undefined);
      if (ids.length > 2) {
        b.crash();
        b.start();
        await world.run(world.now + 300);
      }
      a.crash();
      a.bringBack(snapshot);
      a.start();
      for (let second = 0; second < 60; second++) {
        await world.run(world.now + 1_000);
        assert.equal(a.ready, false, "a takes no part");
        assert.equal(await cluster.read(b, key), undefined);
        assert.equal(store.peek(key), undefined);
      }
      a.crash();
      a.loseFolder();
      a.start();
      await world.run(world.now + 60_000);
      assert.ok(isSettled(hosts));
      for (const host of hosts) assert.equal(await cluster.read(host, key), undefined);
    });
  }

  it("is taken for itself in its newest state, and in one since which it has said nothing", async () => {
    const cluster = new StagedCluster(["a", "b"], { hasDisks: true, delayMs: 60_000 });
    const { world, hosts } = cluster;
    const [a] = hosts as [SimHost];
    await world.run(10_000);
    cluster.write(a, "k", "v");
    await world.run(world.now + 5_000);
    for (const state of [() => a.folder, () => a.folder.snapshot()]) {
      const folder = state();
      a.crash();
      a.bringBack(folder);
      a.start();
      await world.run(world.now + 10_000);
      assert.ok(isSettled(hosts));
      assert.equal(await cluster.read(a, "k"), "v");
    }
  });
});
