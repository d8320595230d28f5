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
