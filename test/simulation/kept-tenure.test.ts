/**
 * A primary that keeps a key when another member is dropped: what is under way then waits for nothing but its other
 * owner (V33).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyOwned } from "../harness/view-fixtures.ts";
import { putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { healthyDisk } from "./sim-disk.ts";
import { StagedCluster } from "./staged-cluster.ts";

/** For how long a's disk has been stuck when it adopts the view, at most, in milliseconds. */
const stuckMs = 200;

describe("a write whose primary keeps its key when another member is dropped", () => {
  it("is answered once that may answer, before the view is activated", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { hasDisks: true });
    const { world, hosts } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    const key = keyOwned({ abcd: /^ab/, abd: /^ab/ });
    await world.run(10_000);
    c.crash();
    const epochOf = (host: SimHost): number => host.member?.status().epoch ?? 0;
    const before = epochOf(a);
    const views = cluster.views.length;
    await world.run(20_000, () => cluster.views.length > views);
    // The others have adopted it, b has the write, and a has its lease, when a's journal has both.
    a.folder.setFaults({ ...healthyDisk, stuckChance: 1, stuckMs });
    const put = cluster.ask(a, (member) => member.operations.write(putOf(key, Buffer.from("v"))));
    await world.run(world.now + 1_000, () => epochOf(a) > before && epochOf(b) > before);
    await world.run(world.now + 1);
    a.folder.setFaults(healthyDisk);
    const mayAnswer = (): boolean => a.member?.servesNow?.(key) === true;
    assert.equal(mayAnswer(), false);
    await world.run(world.now + 1_000, mayAnswer);
    assert.equal(mayAnswer(), true);
    await world.run(world.now + 100);
    assert.equal(put.answer?.kind, "written");
  });
});
