/**
 * `weir flush` in a whole cluster: what it says is in the store has to be there, whatever the members have just been
 * through (F21).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

const delayMs = 3_600_000;

describe("a flush on demand", () => {
  it("waits for what a lone member has inherited and nobody sees before the store has it", async () => {
    const cluster = new StagedCluster(["a", "b"], { delayMs });
    const { world, hosts } = cluster;
    const [a, b] = hosts as [SimHost, SimHost];
    await world.run(10_000);
    const key = cluster.keyOf(b, "k");
    cluster.write(b, key);
    await world.run(11_000);
    cluster.refused.set(key, new OperatingError("store_unavailable", "no answer"));
    b.stop(() => undefined);
    await world.run(15_000, () => a.member?.status().settled === true && a.member.status().members.length === 1);
    const told = await cluster.flush(a, 5_000);
    assert.deepEqual([told.at(-1)?.outcome, told.at(-1)?.keys], [undefined, 1]);
    cluster.refused.clear();
    assert.equal((await cluster.flush(a, 30_000)).at(-1)?.outcome, "stored");
  });

  it("does not call stored what may be on lost disks only", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { delayMs });
    const { world, hosts } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    for (let number = 0; number < 50; number++) cluster.write(a, `k${number}`);
    await world.run(11_000);
    a.crash();
    b.crash();
    await world.run(30_000, () => c.member?.status().settled === true && c.member.status().members.length === 2);
    const told = await cluster.flush(c, 20_000);
    assert.equal(told.at(-1)?.outcome, undefined);
  });

  it("counts as refused only what the store has refused since the flush was asked for", async () => {
    const cluster = new StagedCluster(["a", "b"], { delayMs });
    const { world, hosts } = cluster;
    const [a, b] = hosts as [SimHost, SimHost];
    await world.run(10_000);
    const keys = [cluster.keyOf(a, "k"), cluster.keyOf(b, "k")];
    for (const key of keys) {
      cluster.refused.set(key, new OperatingError("store_refused", "no"));
      cluster.write(a, key);
    }
    await world.run(11_000);
    const refused = (await cluster.flush(a, 20_000)).at(-1);
    assert.deepEqual([refused?.outcome, refused?.keys, refused?.refusedKeys], ["refused", 2, 2]);
    cluster.refused.clear();
    const stored = (await cluster.flush(a, 40_000)).at(-1);
    assert.deepEqual([stored?.outcome, stored?.keys], ["stored", 0]);
  });
});
