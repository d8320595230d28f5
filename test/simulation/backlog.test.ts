/**
 * A lone survivor that has inherited a great deal, over a slow store: its clients have their turn before what only has
 * to get there (F18).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";
import { healthyStore } from "./store-faults.ts";

/** Nothing is flushed by itself. */
const delayMs = 3_600_000;

/** Two hosts, of which b serves so many keys that the store lacks. */
async function pairOf(count: number) {
  const cluster = new StagedCluster(["a", "b"], { delayMs });
  const { world, hosts } = cluster;
  const [a, b] = hosts as [SimHost, SimHost];
  await world.run(10_000);
  const keys: string[] = [];
  for (let number = 0; keys.length < count; number++) {
    const key = `k${number}`;
    if (b.member?.servesNow?.(key) !== true) continue;
    keys.push(key);
    cluster.write(b, key, "before");
    if (keys.length % 50 === 0) await world.run(world.now + 100);
  }
  await world.run(world.now + 1_000);
  return { cluster, a, b, keys };
}

/** Of two hosts one is lost that had so many keys which the store lacks; the other has just taken over. */
async function survivorOf(count: number) {
  const { cluster, a, b, keys } = await pairOf(count);
  const { world, store } = cluster;
  store.setFaults({ ...healthyStore, minLatencyMs: 300 });
  b.crash("power");
  await world.run(world.now + 30_000, () => a.member?.servesNow?.(keys[0] as string) === true);
  await world.run(world.now + 500);
  return { cluster, a, keys };
}

/**
 * Of two hosts one is cut off from the store that had so many keys which that lacks; the other has just relieved it of
 * them.
 */
async function relieverOf(count: number) {
  const { cluster, a, b } = await pairOf(count);
  const { world, store, views } = cluster;
  b.line.cut();
  const later = (): void => {
    for (const host of [a, b]) {
      const key = cluster.keyOf(host, "later");
      const value = Buffer.from(`${world.now}`);
      cluster.ask(host, (member) => member.operations.write(putOf(key, value, { durability: "stored" })));
    }
    if (views.at(-1) !== "1,0") world.schedule(2_000, later);
  };
  later();
  await world.run(world.now + 60_000, () => views.at(-1) === "1,0");
  store.setFaults({ ...healthyStore, minLatencyMs: 300 });
  await world.run(world.now + 1_000);
  return { cluster, a };
}

describe("a lone survivor with a great backlog", () => {
  it("answers writes, and reads of what it has inherited, before it is through with that", async () => {
    const { cluster, a, keys } = await survivorOf(2_500);
    const { world } = cluster;
    const asked = [
      cluster.ask<unknown>(a, (member) => member.operations.write(putOf("new", Buffer.from("x")))),
      ...[0.1, 0.5, 0.9].map((part) =>
        cluster.ask<unknown>(a, (member) =>
          member.operations.read(keys[Math.floor(part * keys.length)] as string, true),
        ),
      ),
    ];
    await world.run(world.now + 2_000);
    assert.deepEqual(
      asked.map(({ answer, error }) => error?.message ?? answer !== undefined),
      [true, true, true, true],
    );
  });

  it("takes writes as long as its buffer is not full", async () => {
    const { cluster, a } = await survivorOf(4_000);
    const { world } = cluster;
    const asked = cluster.ask(a, (member) => member.operations.write(putOf("new", Buffer.from("x"))));
    await world.run(world.now + 2_000);
    assert.deepEqual([asked.error?.message, asked.answer?.kind], [undefined, "written"]);
  });

  it("takes writes as long as its buffer is not full, also where others are there who own nothing", async () => {
    const { cluster, a } = await relieverOf(4_000);
    const { world } = cluster;
    const asked = cluster.ask(a, (member) => member.operations.write(putOf("new", Buffer.from("x"))));
    await world.run(world.now + 2_000);
    assert.deepEqual([asked.error?.message, asked.answer?.kind], [undefined, "written"]);
  });
});
