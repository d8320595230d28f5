/**
 * What two nodes hold in memory before the store has anything: nothing is flushed in these clusters until they stop, so
 * all that is read comes from what was replicated.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Ring } from "../../src/core/ring.ts";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import { RecordedClients } from "../harness/recorded-clients.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { setStage } from "../harness/stage.ts";

/** Of clients that go on all the time: enough requests to notice whatever there is, and time for the nodes. */
const thinkMs = 20;

/** Keys that each node holds in its write buffer, by the node's name. */
async function heldKeys(cluster: TestCluster): Promise<Map<string, number>> {
  const held = await Promise.all(cluster.ids.map(async (id) => (await cluster.figures(id)).dirtyKeys));
  return new Map(cluster.ids.map((id, index) => [id, held[index] as number]));
}

describe("cluster whose flush waits", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ config: neverFlush })) }));
  const written = new Map<string, string>();

  test("each key is held by its preference list, and nobody else, before its write is answered", async () => {
    const { cluster } = stage();
    const ring = new Ring(
      cluster.ids.map((id) => ({ id, weight: 1 })),
      2,
    );
    for (let n = 0; n < 30; n++) {
      const key = `held/${n}`;
      const before = await heldKeys(cluster);
      const put = await cluster.put(cluster.ids[n % 3] as string, key, key);
      const after = await heldKeys(cluster);
      assert.deepEqual([put.status, put.headers["weir-durability"]], [204, "replicated"]);
      const holders = cluster.ids.filter((id) => after.get(id) === (before.get(id) as number) + 1);
      assert.deepEqual(holders, ring.ownersOf(key).toSorted());
      written.set(key, key);
    }
    const total = [...(await heldKeys(cluster)).values()].reduce((sum, keys) => sum + keys, 0);
    assert.equal(total, 2 * written.size);
  });

  test("an overwrite takes no second place, and a deletion is held like a value", async () => {
    const { cluster } = stage();
    const before = await heldKeys(cluster);
    for (const id of cluster.ids) {
      assert.equal((await cluster.put(id, "held/0", `again ${id}`)).status, 204);
      written.set("held/0", `again ${id}`);
    }
    assert.equal((await cluster.remove("a", "held/1")).status, 204);
    written.delete("held/1");
    assert.deepEqual(await heldKeys(cluster), before);
    for (const id of cluster.ids) assert.equal((await cluster.get(id, "held/1")).status, 404);
  });

  test("each node in turn is killed and started again, and no value that was acknowledged is lost or old", async () => {
    const { cluster } = stage();
    for (const [round, victim] of cluster.ids.entries()) {
      await cluster.process(victim).kill();
      const others = cluster.ids.filter((id) => id !== victim);
      // Meanwhile keys of the lost node are refused or wait, and those of the others are there.
      const asked = [...written.keys()].slice(0, 6);
      const meanwhile = Promise.all(
        asked.map(async (key) => {
          const answer = await cluster.get(others[0] as string, key);
          if (answer.status === 200) assert.equal(answer.body.toString(), written.get(key));
          else assert.deepEqual([answer.status, answer.headers["retry-after"]], [503, "1"]);
        }),
      );
      cluster.restart(victim);
      await cluster.untilReady();
      await meanwhile;
      for (const id of cluster.ids) {
        for (const [key, value] of written) {
          const answer = await cluster.get(id, key);
          assert.equal(answer.body.toString(), value, `${key} through ${id} after ${victim} was killed`);
        }
        assert.equal((await cluster.get(id, "held/1")).status, 404);
      }
      written.set(`held/after ${victim}`, `${round}`);
      assert.equal((await cluster.put(victim, `held/after ${victim}`, `${round}`)).status, 204);
    }
  });

  test("when all nodes are told to stop, everything acknowledged is in the store, and what was deleted is not", async () => {
    const { cluster } = stage();
    const ends = await cluster.stopAll();
    for (const end of ends) assert.deepEqual(end, { code: 0, signal: null });
    for (const [key, value] of written) {
      assert.equal(await readFile(join(cluster.storeFolder, key), "utf8"), value);
    }
    await assert.rejects(readFile(join(cluster.storeFolder, "held/1")), { code: "ENOENT" });
  });
});

describe("cluster of which one node is killed", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start()) }));

  test("clients see one register per key while nodes are killed and come back under load", async (t) => {
    const { cluster } = stage();
    const random = new SimRandom(seedOf(t));
    const keys = Array.from({ length: 8 }, (_, n) => `crash/${n}`);
    const clients = new RecordedClients({ cluster, keys, random, faults: true, thinkMs });
    await clients.during(8, async () => {
      for (const victim of random.shuffle(cluster.ids).slice(0, 2)) {
        const before = clients.answered;
        await cluster.until(10_000, "the clients are at work", () => Promise.resolve(clients.answered > before + 200));
        await cluster.process(victim).kill();
        cluster.restart(victim);
        await cluster.untilReady();
      }
    });
    const [first, ...others] = await Promise.all(cluster.ids.map(async (id) => await clients.readAll(id)));
    for (const other of others) assert.deepEqual(other, first);
    assert.deepEqual(clients.violations(), []);
    t.diagnostic(`${clients.answered} operations answered, ${clients.failures} not`);
    await cluster.untilFlushed();
    for (const key of keys) {
      const stored = await readFile(join(cluster.storeFolder, key), "utf8").catch(() => undefined);
      assert.equal(stored, first?.get(key), key);
    }
  });
});

describe("cluster of two nodes of which one hangs", () => {
  // It hangs before it flushes, or it might hold a lock of the folder that is the store.
  const config = { flush: { delayMs: 500 } };
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ nodes: 2, config })) }));

  test("the other one stops in order, although its messages are not answered", async () => {
    const { cluster } = stage();
    const writes = Array.from({ length: 20 }, async (_, n) => await cluster.put("a", `pair/${n}`, "v"));
    for (const write of await Promise.all(writes)) assert.equal(write.status, 204);
    cluster.process("b").pause();
    try {
      // What is a's own is in the store by then, and b is told so, again and again.
      await cluster.until(10_000, "all that a still holds is b's", async () => {
        return (await cluster.figures("a")).oldestDirtyMs > 1_000;
      });
      assert.deepEqual(await cluster.process("a").stop(10_000), { code: 0, signal: null });
    } finally {
      await cluster.process("b").kill();
    }
  });
});
