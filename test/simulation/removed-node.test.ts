/**
 * A node that was taken out of the others' configuration while it was down, and comes back with its old one, is asked
 * to leave.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseView, viewName } from "../../src/core/view.ts";
import type { Blob } from "../../src/store/blob-store.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

function membersOf({ store }: StagedCluster): string[] {
  return parseView((store.peek(viewName) as Blob).body).members.map(({ id }) => id);
}

describe("a node that is removed from the configuration while it is down", () => {
  for (const [how, downMs] of [
    ["and is dropped meanwhile", 20_000],
    ["and is back before it is dropped", 300],
  ] as const) {
    it(`leaves when it is back: ${how}`, async () => {
      const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
      const { world, hosts } = cluster;
      const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
      await world.run(10_000);
      c.crash("power");
      await world.run(world.now + downMs / 2);
      for (const host of [a, b]) host.setNodes(["a", "b"]);
      await world.run(world.now + downMs / 2);
      c.start();
      await world.run(world.now + 60_000);
      assert.deepEqual(membersOf(cluster), ["a", "b"]);
      assert.equal(c.process, undefined, "it has left, and ended");
    });
  }
});

describe("a node whose file is wrong", () => {
  it("and names itself alone, ends no other: each stays until most files do not name it", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
    const { world, hosts } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    a.setNodes(["a"]);
    await world.run(world.now + 60_000);
    assert.deepEqual(membersOf(cluster), ["a", "b", "c"]);
    assert.equal(isSettled([a, b, c]), true);
    // The file of b has the same mistake about c: that is most of them (V55).
    b.setNodes(["a", "b"]);
    await world.run(world.now + 60_000);
    assert.deepEqual(membersOf(cluster), ["a", "b"]);
    assert.equal(c.process, undefined);
    a.setNodes(["a", "b"]);
    await world.run(world.now + 60_000);
    assert.equal(isSettled([a, b]), true);
  });
});
