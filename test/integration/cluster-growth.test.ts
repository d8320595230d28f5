/** From one node to four: the first writes through, and each further one joins while clients are at work. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { TestCluster } from "../harness/cluster.ts";
import { RecordedClients } from "../harness/recorded-clients.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { setStage } from "../harness/stage.ts";

/** Of clients that go on all the time: enough requests to notice whatever there is, and time for the nodes. */
const thinkMs = 20;

describe("cluster of one node", () => {
  // With a flush delay that would show: a write-through waits for none.
  const config = { flush: { delayMs: 60_000 } };
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ nodes: 1, config })) }));

  test("a value is in the store before its write is answered, since no second node holds it", async () => {
    const { cluster } = stage();
    for (let n = 0; n < 10; n++) {
      assert.equal((await cluster.put("a", "alone", `${n}`)).status, 204);
      assert.equal(await readFile(join(cluster.storeFolder, "alone"), "utf8"), `${n}`);
      assert.equal((await cluster.get("a", "alone")).body.toString(), `${n}`);
    }
    assert.equal((await cluster.remove("a", "alone")).status, 204);
    await assert.rejects(readFile(join(cluster.storeFolder, "alone")), { code: "ENOENT" });
  });

  test("a second node joins, and from then on two hold what the store has not got yet", async () => {
    const { cluster } = stage();
    assert.equal((await cluster.put("a", "before", "there")).status, 204);
    const second = await cluster.add();
    await cluster.untilReady();
    assert.equal((await cluster.get(second, "before")).body.toString(), "there");
    assert.equal((await cluster.put("a", "after", "v")).status, 204);
    assert.equal((await cluster.get(second, "after")).body.toString(), "v");
    await assert.rejects(readFile(join(cluster.storeFolder, "after")), { code: "ENOENT" });
    assert.deepEqual(await cluster.stopAll(), [
      { code: 0, signal: null },
      { code: 0, signal: null },
    ]);
    assert.equal(await readFile(join(cluster.storeFolder, "after"), "utf8"), "v");
  });
});

describe("cluster that a fourth node joins", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start()) }));

  test("clients get no error and no old value, though only the new node's file names it", async (t) => {
    const { cluster } = stage();
    const random = new SimRandom(seedOf(t));
    const keys = Array.from({ length: 24 }, (_, n) => `join/${n}`);
    const clients = new RecordedClients({ cluster, keys, random, faults: false, thinkMs });
    clients.useOnly(cluster.ids.slice());
    await clients.during(12, async () => {
      await cluster.until(10_000, "the clients are at work", () => Promise.resolve(clients.answered > 300));
      await cluster.add();
      await cluster.untilReady();
      const before = clients.answered;
      clients.useOnly(cluster.ids);
      await cluster.until(10_000, "the clients go on", () => Promise.resolve(clients.answered > before + 300));
    });
    const status = await cluster.status("d");
    assert.deepEqual(
      status.members.map(({ id }) => id),
      ["a", "b", "c", "d"],
    );
    for (const { id, share } of status.members) assert.ok(share > 0.2 && share < 0.3, `${id} has ${share}`);
    const [first, ...others] = await Promise.all(cluster.ids.map(async (id) => await clients.readAll(id)));
    for (const other of others) assert.deepEqual(other, first);
    assert.deepEqual(clients.violations(), []);
    t.diagnostic(`${clients.answered} operations`);
    await cluster.untilFlushed();
    for (const key of keys) {
      const stored = await readFile(join(cluster.storeFolder, key), "utf8").catch(() => undefined);
      assert.equal(stored, first?.get(key), key);
    }
  });
});
