/**
 * All owners of a key are lost, and an operator has them forgotten (`weir forget`). Of a request that the lost primary
 * had under way nobody knows. What is deleted after the forgetting stays deleted all the same (V69).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatView, parseView, ringOf, type View, viewName } from "../../src/core/view.ts";
import { forgottenView } from "../../src/core/view-changes.ts";
import { deleteOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

const lateEffectMs = 120_000;

/** The request that a's flush of the key would be, when it takes effect at last. */
interface Late {
  readonly key: string;
  readonly send: () => void;
}

/** a and b, the owners of a key, are lost while a request for it hangs, and forgotten. c and d go on. */
async function forgotten(cluster: StagedCluster): Promise<Late> {
  const { world, store, hosts } = cluster;
  await world.run(10_000);
  const [a, b] = hosts as [SimHost, SimHost];
  const key = keyOfBoth(cluster);
  let send: (() => void) | undefined;
  cluster.intercept = (name, content, condition) => {
    if (name !== key || send !== undefined) return undefined;
    send = (): void => void store.write(name, content, condition);
    return new Promise(() => undefined);
  };
  cluster.write(a, key, "lost");
  await world.run(world.now + 3_000, () => send !== undefined);
  for (const host of [a, b]) {
    host.crash();
    host.loseFolder();
  }
  await world.run(world.now + 5_000);
  for (const id of ["a", "b"]) {
    const view = forgottenView(viewIn(cluster), id, true, `without ${id}`) as View;
    void store.write(viewName, { body: formatView(view), headers: {} }, { kind: "always" });
    await world.run(world.now + 5_000);
  }
  await world.run(world.now + 30_000, () => viewIn(cluster).settled);
  assert.ok(send !== undefined && viewIn(cluster).settled, "the others go on");
  return { key, send };
}

/** A key of which a is the primary, b the other owner, and c the next primary without them. */
function keyOfBoth(cluster: StagedCluster): string {
  const { members, parameters } = viewIn(cluster);
  const ring = ringOf(members, parameters);
  const next = ringOf(members.slice(2), parameters);
  for (let number = 0; ; number++) {
    const key = `k${number}`;
    if (ring.ownersOf(key).join() === "a,b" && next.ownersOf(key)[0] === "c") return key;
  }
}

function viewIn({ store }: StagedCluster): View {
  return parseView(store.peek(viewName)?.body ?? Buffer.of());
}

async function writeAndDelete(cluster: StagedCluster, host: SimHost, key: string): Promise<void> {
  const { world } = cluster;
  cluster.write(host, key, "new");
  await world.run(world.now + 10_000);
  const removal = cluster.ask(host, (member) => member.operations.write(deleteOf(key)));
  await world.run(world.now + 10_000, () => removal.answer !== undefined);
  assert.equal(removal.answer?.kind, "written");
}

describe("what is deleted after all owners of its key were forgotten", () => {
  it("stays deleted, though a request of theirs takes effect late", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs });
    const { world, store } = cluster;
    const late = await forgotten(cluster);
    const [, , c] = cluster.hosts as [SimHost, SimHost, SimHost];
    await writeAndDelete(cluster, c, late.key);
    await world.run(world.now + 60_000);
    late.send();
    await world.run(world.now + 2 * lateEffectMs);
    assert.deepEqual([store.peek(late.key)?.body.toString(), await cluster.read(c, late.key)], [undefined, undefined]);
  });

  it("stays so, deleted while the first value after the loss was on its way", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs });
    const { world, store, answered } = cluster;
    const late = await forgotten(cluster);
    const [, , c] = cluster.hosts as [SimHost, SimHost, SimHost];
    const answer = Promise.withResolvers<void>();
    answered.set(late.key, answer.promise);
    cluster.write(c, late.key, "new");
    await world.run(world.now + 1_500);
    const removal = cluster.ask(c, (member) => member.operations.write(deleteOf(late.key)));
    await world.run(world.now + 500);
    answer.resolve();
    await world.run(world.now + 60_000);
    assert.equal(removal.answer?.kind, "written");
    late.send();
    await world.run(world.now + 2 * lateEffectMs);
    assert.deepEqual([store.peek(late.key)?.body.toString(), await cluster.read(c, late.key)], [undefined, undefined]);
  });

  it("stays so at a node that came when the view had settled", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs });
    const { world, store, hosts } = cluster;
    const late = await forgotten(cluster);
    const [a] = hosts as [SimHost];
    a.start();
    await world.run(world.now + 20_000, () => viewIn(cluster).settled && a.member?.servesNow?.(late.key) === true);
    await writeAndDelete(cluster, a, late.key);
    await world.run(world.now + 30_000);
    late.send();
    await world.run(world.now + 2 * lateEffectMs);
    assert.deepEqual([store.peek(late.key)?.body.toString(), await cluster.read(a, late.key)], [undefined, undefined]);
  });

  it("is nobody's concern any more after flush.lateEffectMs", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs });
    const { world, store, hosts } = cluster;
    const { key } = await forgotten(cluster);
    assert.equal(viewIn(cluster).forgotten?.length, 1, "the view names the one that lost owners");
    await world.run(world.now + lateEffectMs);
    const { epoch } = viewIn(cluster);
    const [, , c, d] = hosts as [SimHost, SimHost, SimHost, SimHost];
    d.crash();
    d.start();
    await world.run(world.now + 20_000, () => viewIn(cluster).settled && viewIn(cluster).epoch > epoch);
    assert.equal(viewIn(cluster).forgotten, undefined, "who has known it for that long settles the view without it");
    await writeAndDelete(cluster, c, key);
    await world.run(world.now + 10_000);
    assert.equal(store.peek(key), undefined, "a delete is flushed as soon as any other");
  });
});
