/**
 * What a lone owner had sent to the store when it was lost, with its disk, and given up: it lands when others have read
 * the key (V53, R6).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatView, parseView, type View, viewName } from "../../src/core/view.ts";
import { forgottenView } from "../../src/core/view-changes.ts";
import type { Blob } from "../../src/store/blob-store.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";
import { healthyStore } from "./store-faults.ts";

const keys = Array.from({ length: 40 }, (_, index) => `k${index}`);

function viewOf({ store }: StagedCluster): View {
  return parseView((store.peek(viewName) as Blob).body);
}

/** An operator gives up what a had alone. */
function forget({ store }: StagedCluster): void {
  const next = forgottenView(viewOf({ store } as StagedCluster), "a", true, "an operator");
  assert.ok(next !== undefined && next !== "refused");
  store.write(viewName, { body: formatView(next), headers: {} }, { kind: "always" });
}

/**
 * Node a was alone, wrote each key once, and was lost with its disk while second writes were on their way to the store.
 */
async function lostWhileWriting(): Promise<StagedCluster> {
  const cluster = new StagedCluster(["a", "b"]);
  const { world, store, hosts } = cluster;
  const [a, b] = hosts as [SimHost, SimHost];
  await world.run(10_000);
  b.member?.leave();
  await world.run(world.now + 15_000);
  for (const key of keys) cluster.write(a, key, "first");
  await world.run(world.now + 10_000);
  for (const key of keys) assert.equal(store.peek(key)?.body.toString(), "first");
  store.setFaults({ ...healthyStore, lateChance: 1 });
  for (const key of keys) cluster.write(a, key, "second");
  await world.run(world.now + 20);
  a.crash();
  store.setFaults(healthyStore);
  assert.ok(keys.some((key) => store.peek(key)?.body.toString() === "first"));
  forget(cluster);
  return cluster;
}

const inStore = ({ store }: StagedCluster): (string | undefined)[] =>
  keys.map((key) => store.peek(key)?.body.toString());

async function readAt(cluster: StagedCluster, host: SimHost): Promise<(string | undefined)[]> {
  const values: (string | undefined)[] = [];
  for (const key of keys) values.push(await cluster.read(host, key));
  return values;
}

describe("what was given up while it was on its way to the store", () => {
  it("is seen once it has come there, although the older value had been read before", async () => {
    const cluster = await lostWhileWriting();
    const { world, hosts } = cluster;
    const [a] = hosts as [SimHost, SimHost];
    a.start();
    await world.run(world.now + 5_000, () => a.member?.servesNow?.("k0") === true);
    const early = await readAt(cluster, a);
    await world.run(world.now + 20_000);
    assert.ok(
      inStore(cluster).some((value, index) => value === "second" && early[index] === "first"),
      "some were late",
    );
    assert.deepEqual(await readAt(cluster, a), inStore(cluster));
  });

  it("is seen also by whoever was told the older value only after it had come there", async () => {
    const cluster = await lostWhileWriting();
    const { world, store, hosts } = cluster;
    const [a] = hosts as [SimHost, SimHost];
    const lostAt = world.now;
    const { flushDeadlineMs } = viewOf(cluster).parameters;
    a.start();
    await world.run(lostAt + flushDeadlineMs / 2, () => a.member?.servesNow?.("k0") === true);
    // So that the answer comes when nothing can be late any more.
    await world.run(world.now + flushDeadlineMs * 0.1);
    const told = Promise.withResolvers<void>();
    store.watchRead((name) => (keys.includes(name) ? told.promise : undefined));
    const early = keys.map((key) => cluster.ask(a, (member) => member.operations.read(key, true)));
    const later = world.now + flushDeadlineMs * 0.95;
    await world.run(later);
    told.resolve();
    await world.run(later + 100);
    const texts = early.map(({ answer }) => (answer?.kind === "value" ? answer.value?.toString() : answer?.kind));
    assert.ok(
      inStore(cluster).some((value, index) => value === "second" && texts[index] === "first"),
      "some were late",
    );
    store.watchRead(() => undefined);
    await world.run(later + flushDeadlineMs);
    assert.deepEqual(await readAt(cluster, a), inStore(cluster));
  });

  it("nor is the older value kept by a node to which the key goes meanwhile", async () => {
    const cluster = await lostWhileWriting();
    const { world, hosts } = cluster;
    const [a, b] = hosts as [SimHost, SimHost];
    a.start();
    await world.run(world.now + 5_000, () => a.member?.servesNow?.("k0") === true);
    b.start();
    await world.run(world.now + 5_000, () => viewOf(cluster).members.length === 2 && b.member?.servesNow !== undefined);
    await world.run(world.now + 1_500);
    const early = await readAt(cluster, b);
    await world.run(world.now + 30_000);
    assert.deepEqual(await readAt(cluster, b), inStore(cluster));
    assert.equal(early.length, keys.length);
  });
});
