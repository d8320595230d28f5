/**
 * Relief in a whole cluster: who may not flush gives its keys away, and has them back for good when it may again (V31).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

describe("relief", () => {
  it("lasts as long as the store does not answer a member, which keeps its keys from then on", async () => {
    const cluster = new StagedCluster(["a", "b", "c"]);
    const { world, hosts, views } = cluster;
    const [, b] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    cluster.writeAt(hosts);
    await world.run(20_000);
    const began = views.length;
    const mend = b.line.cut();
    await world.run(60_000);
    assert.deepEqual(views.slice(began), ["1,0,1"]);
    mend();
    await world.run(200_000);
    assert.deepEqual(views.slice(began), ["1,0,1", "1,1,1"]);
  });

  it("is not for a member of which the store refuses only one key: that would be refused of any other, too", async () => {
    const cluster = new StagedCluster(["a", "b", "c"]);
    const { world, hosts, views } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    const began = views.length;
    cluster.writeAt([a, c]);
    const key = cluster.keyOf(b, "refused-");
    cluster.refused.set(key, new OperatingError("store_refused", "not this one"));
    cluster.write(b, key);
    await world.run(200_000);
    assert.equal(b.status?.refusedKeys, 1);
    assert.deepEqual(views.slice(began), []);
  });
});
