/**
 * A copy of a write that its router has given up arrives at a new primary: it must not be done a second time, whoever
 * has forgotten the first (W16).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyOwned } from "../harness/view-fixtures.ts";
import { putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

/** How long a router goes on with a write, and how much sooner the primary says that the store does not have it yet. */
const allowanceMs = 10_000;
const marginMs = 200;

interface Told {
  /** How long the router still goes on with the first write when it has adopted the new view, in milliseconds. */
  readonly leftMs: number;
  /** What is read of the key before, and then through three members. */
  readonly states: readonly (string | undefined)[];
}

/** How long before the router gives up the joining of e is let go on, in milliseconds: it takes a while of its own. */
const leadMs = 800;

/** @param laterMs - how much later e is started: it looks again at times that count from there */
async function tell(laterMs: number): Promise<Told> {
  const cluster = new StagedCluster(["a", "b", "e", "x"], { hasDisks: true });
  const { world, network, hosts } = cluster;
  const [a, b, e, x] = hosts as [SimHost, SimHost, SimHost, SimHost];
  const epochOf = (host: SimHost): number => host.member?.status().epoch ?? 0;
  const key = keyOwned({ abx: /^ab$/, abex: /^e/ });
  e.crash();
  await world.run(30_000 + laterMs);
  const join = network.part("b", "e", false);
  e.start();
  await world.run(35_000 + laterMs);
  // The store has the first write, but does not say so.
  const answered = Promise.withResolvers<void>();
  cluster.answered.set(key, answered.promise);
  const givesUpAt = world.now + allowanceMs;
  cluster.ask(x, (member) => member.operations.write(putOf(key, Buffer.from("first"), { durability: "stored" })));
  await world.run(world.now + 100);
  assert.equal(await cluster.read(b, key), "first");
  const second = cluster.ask(b, (member) => member.operations.write(putOf(key, Buffer.from("second"))));
  await world.run(world.now + 100);
  assert(second.answer?.kind === "written");
  const states = [await cluster.read(a, key)];
  await world.run(givesUpAt - leadMs);
  const before = epochOf(a);
  join();
  await world.run(world.now + 2_000, () => epochOf(e) > before);
  // a and b hear of the new view from x only, and when x has given up.
  const late = [network.stall("e", "a"), network.stall("e", "b")];
  const toB = network.stall("x", "b");
  let toA = network.stall("x", "a");
  await world.run(world.now + 300, () => epochOf(x) > before);
  const leftMs = givesUpAt - world.now;
  if (leftMs < marginMs + 30 || leftMs > 450) return { leftMs, states };
  await world.run(givesUpAt - marginMs - 30);
  // The first copy's answer is lost, and the next one is under way when x gives up.
  const stalled = network.stall("x", "e");
  network.breakLink("x", "a", 1);
  const pinged = new Set<unknown>();
  let isNew = true;
  network.watch((moment, kind, from, to) => {
    if (moment !== "sent" || from !== x.process) return;
    if (isNew && to === a.process) {
      isNew = false;
      toA = network.stall("x", "a");
    }
    if (kind === "ping" && world.now > givesUpAt) pinged.add(to);
  });
  toA();
  await world.run(givesUpAt + 400, () => pinged.has(a.process) && pinged.has(b.process));
  for (const undo of [toA, toB]) undo();
  await world.run(world.now + 300, () => epochOf(a) > before && epochOf(b) > before);
  for (const undo of late) undo();
  await world.run(world.now + 300, () => e.member?.servesNow?.(key) === true);
  stalled();
  answered.resolve();
  await world.run(world.now + 5_000);
  for (const host of [a, b, x]) states.push(await cluster.read(host, key));
  return { leftMs, states };
}

describe("a late copy of a write that its router has given up", () => {
  it("is not done by a new primary to which nobody has handed the outcome of the first", async () => {
    let told = 0;
    for (let laterMs = 0; laterMs < 2_000 && told < 3; laterMs += 20) {
      const { leftMs, states } = await tell(laterMs);
      if (states.length === 1) continue;
      told++;
      assert.deepEqual(states, Array(4).fill("second"), `${leftMs} ms before it gave up`);
    }
    assert.equal(told, 3);
  });
});
