/**
 * A member that the store does not answer, and peers that go on: what they gain does not wait for that store, and
 * somebody owns the keys in the end (V6, V31).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keysOwned } from "../harness/view-fixtures.ts";
import { putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

/**
 * The ends of writes of these keys, each asked of this host for the first time now; undefined: not within the given
 * time.
 */
async function writes(cluster: StagedCluster, host: SimHost, keys: readonly string[], ms: number): Promise<unknown[]> {
  const { world } = cluster;
  const value = Buffer.from("value");
  const all = keys.map((key) => cluster.ask(host, (member) => member.operations.write(putOf(key, value))));
  await world.run(world.now + ms);
  return all.map(({ answer, error }) => answer?.kind ?? error?.code);
}

describe("a member that alone has no way to the store", () => {
  it("gives its keys to the others, who serve them while it is still cut off, and also what its own clients ask for", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
    const { world, hosts, views } = cluster;
    const [a, b] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    cluster.writeAt(hosts);
    await world.run(20_000);
    b.line.cut();
    await world.run(60_000);
    assert.equal(views.at(-1), "1,0,1");
    const keys = keysOwned({ abc: /^b/ }, 5);
    const written = keys.map(() => "written");
    assert.deepEqual(await writes(cluster, a, keys, 5_000), written);
    assert.deepEqual(await writes(cluster, b, keys, 5_000), written);
    assert.equal(b.member?.status().settled, true);
  });

  it("takes its keys back, once the store answers it, although the only owner has left meanwhile", async () => {
    const { cluster, a, b, mend } = await relievedUntil(105_000);
    const { world, views } = cluster;
    mend();
    assert.equal(views.at(-1), "1,0");
    a.member?.leave();
    await world.run(130_000);
    assert.deepEqual([a.running, views.slice(-2)], [undefined, ["1,0", "1"]], "what a left behind was settled");
    const keys = keysOwned({ ab: /^a/ }, 5);
    assert.deepEqual(
      await writes(cluster, b, keys, 5_000),
      keys.map(() => "written"),
    );
  });

  it("takes its keys back soon, once the store answers it, when the only owner has lost its way there meanwhile", async () => {
    const { cluster, a, b, mend } = await relievedUntil(250_000);
    const { world, views } = cluster;
    assert.equal(views.at(-1), "1,0");
    mend();
    a.line.cut();
    await world.run(300_000);
    const keys = keysOwned({ ab: /^[ab]/ }, 5);
    assert.deepEqual(
      await writes(cluster, b, keys, 5_000),
      keys.map(() => "written"),
    );
  });

  it("holds up nobody when a third is lost", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
    const { world, hosts } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    b.line.cut();
    await world.run(12_000);
    c.crash();
    await world.run(17_000);
    const keys = keysOwned({ abc: /^[bc]/, ab: /^ab/ }, 5);
    assert.deepEqual(
      await writes(cluster, a, keys, 5_000),
      keys.map(() => "written"),
    );
  });
});

describe("a member without a way to the store that the newer view's only other member is new to", () => {
  it("takes that view on from a process that has come in its peer's place", async () => {
    const { cluster, a, b } = await pair();
    const { world } = cluster;
    b.line.cut();
    await world.run(world.now + 2_000);
    a.crash();
    await world.run(world.now + 200);
    a.start();
    await world.run(world.now + 10_000);
    const keys = keysOwned({ ab: /^[ab]/ }, 5);
    assert.deepEqual(
      await writes(cluster, a, keys, 5_000),
      keys.map(() => "written"),
    );
  });

  it("takes that view on from a node that joins", async () => {
    const { cluster, a, b } = await pair();
    const { world } = cluster;
    b.crash();
    await world.run(world.now + 10_000);
    a.line.cut();
    b.start();
    await world.run(world.now + 40_000);
    const keys = keysOwned({ ab: /^[ab]/ }, 5);
    assert.deepEqual(
      await writes(cluster, b, keys, 5_000),
      keys.map(() => "written"),
    );
  });
});

/**
 * Of two nodes b has lost its way to the store, and a has relieved it of its keys: by then b tries the store only now
 * and then.
 */
async function relievedUntil(
  ms: number,
): Promise<{ cluster: StagedCluster; a: SimHost; b: SimHost; mend: () => void }> {
  const { cluster, a, b } = await pair();
  const { world, hosts } = cluster;
  cluster.writeAt(hosts);
  await world.run(20_000);
  const mend = b.line.cut();
  await world.run(ms);
  return { cluster, a, b, mend };
}

async function pair(): Promise<{ cluster: StagedCluster; a: SimHost; b: SimHost }> {
  const cluster = new StagedCluster(["a", "b"], { hasDisks: true });
  await cluster.world.run(10_000);
  const [a, b] = cluster.hosts as [SimHost, SimHost];
  return { cluster, a, b };
}
