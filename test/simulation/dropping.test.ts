/** Who drops whom, in a whole cluster: who is cut off itself drops nobody (V18). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

describe("a member that is cut off from all others", () => {
  it("does not take one that has just been started again, and that it has never heard, for one that it reaches", async () => {
    // Just before it suspects the other it learns from the store of the one that is new: when that is so is a matter of
    // 40 ms.
    for (let cutAt = 11_340; cutAt <= 11_500; cutAt += 20) {
      const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
      const { world, hosts, network } = cluster;
      const [, b, c] = hosts as [SimHost, SimHost, SimHost];
      await world.run(10_000);
      world.schedule(cutAt - world.now, () => {
        network.part("a", "b", true);
        network.part("a", "c", true);
      });
      world.schedule(2_400, () => c.crash());
      world.schedule(2_600, () => c.start());
      await world.run(20_000);
      for (let number = 0; number < 20; number++) {
        const isServed = [b, c].some(({ member }) => member?.servesNow?.(`key-${number}`));
        assert(isServed, `cut at ${cutAt}: key-${number}`);
      }
    }
  });
});

describe("the fewer members that are left", () => {
  it("know that the others are lost although they hear each other, and fail soon what needs these", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d", "e"]);
    const { world, hosts } = cluster;
    await world.run(10_000);
    for (const host of hosts.slice(2)) host.crash();
    await world.run(60_000);
    const [a, b] = hosts as [SimHost, SimHost];
    const isTheirs = (key: string): boolean => [a, b].some(({ member }) => member?.servesNow?.(key) === true);
    const key = Array.from({ length: 100 }, (_, number) => `k${number}`).find((each) => !isTheirs(each));
    const asked = cluster.ask(a, (member) => member.operations.read(key as string, true));
    const askedAt = world.now;
    await world.run(askedAt + 60_000, () => asked.error !== undefined);
    assert.ok(asked.error !== undefined && world.now - askedAt < 2_000, `it took ${world.now - askedAt} ms`);
  });
});
