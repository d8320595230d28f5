/**
 * A cluster whose view is removed from the store, or that is led to another store, stays one cluster: no node founds a
 * second one, and the log says what to do.
 */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { neverFlush, TestCluster } from "../harness/cluster.ts";

const viewOf = (cluster: TestCluster): string => join(cluster.storeFolder, ".weir", "view.json");

async function untilWaits(cluster: TestCluster, id: string, why: RegExp): Promise<void> {
  await cluster.until(20_000, `${id} waits`, async () => cluster.process(id).lines.some((line) => why.test(line)));
  assert.equal((await cluster.status(id)).epoch, 0);
}

describe("a cluster without its view", () => {
  test("is joined by no node, whether its disk is lost or not, until the view is back", async () => {
    await using cluster = await TestCluster.start({ config: neverFlush });
    for (let number = 0; number < 10; number++) await cluster.put("a", `k${number}`, "v");
    const record = readFileSync(viewOf(cluster));
    await Promise.all(["b", "c"].map(async (id) => await cluster.process(id).kill()));
    rmSync(viewOf(cluster));
    cluster.loseData("b");
    for (const id of ["b", "c"]) cluster.restart(id);
    await untilWaits(cluster, "b", /this node waits: the store has no cluster, and other nodes are in one/);
    await untilWaits(cluster, "c", /this node waits: its data folder has acknowledged .*put that object back/);
    writeFileSync(viewOf(cluster), record);
    await cluster.untilReady();
    assert.equal((await cluster.get("b", "k0")).body.toString(), "v");
  });

  test("that is led to another store by a rolling restart goes on over its own, and says so", async () => {
    await using cluster = await TestCluster.start();
    await cluster.put("a", "k", "v");
    mkdirSync(join(cluster.folder, "other"));
    cluster.configure({ store: { type: "file", path: "other" } });
    assert.equal((await cluster.process("a").stop(15_000)).code, 0);
    cluster.restart("a");
    await untilWaits(cluster, "a", /this node waits: its data folder has been in a cluster, and the store has none/);
    assert.equal((await cluster.get("b", "k")).body.toString(), "v");
    await cluster.process("a").stop(15_000);
    cluster.configure({ store: { type: "file", path: "store" } });
    cluster.restart("a");
    await cluster.untilReady();
  });
});
