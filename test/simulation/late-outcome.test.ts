/**
 * The last owner is to leave while somebody still waits for the answer to a write of which only that one knows (V29).
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import { keyOwned } from "../harness/view-fixtures.ts";
import { putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { type Asked, StagedCluster } from "./staged-cluster.ts";

it("the last owner stays until nobody waits for its answer to a write: the next owner would do it again, over what came after it", async () => {
  const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
  const { world, network, hosts } = cluster;
  const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
  // It takes what clients ask for to the others.
  b.weight = 0;
  const key = keyOwned({ ac: /^ac$/ });
  const put = (host: SimHost, text: string): Asked<unknown> =>
    cluster.ask(host, (member) => member.operations.write(putOf(key, Buffer.from(text))));
  await world.run(10_000);
  const first = put(b, "first");
  // The primary has it, and the answer stays away.
  while (a.status?.dirtyKeys !== 1) await world.run(world.now + 0.05);
  const mend = network.choke("a", "b");
  await world.run(world.now + 20);
  const second = put(a, "second");
  await world.run(world.now + 20);
  assert.ok(first.answer === undefined && second.answer !== undefined);
  c.member?.leave();
  await world.run(world.now + 2_000);
  assert.equal(c.running, undefined);
  a.member?.leave();
  // All is in the store, and b, which stays, was waited for long enough.
  await world.run(world.now + 5_000);
  assert.notEqual(a.running, undefined);
  const late = cluster.ask(a, (member) => member.operations.read(key, true));
  await world.run(world.now + 20);
  assert.equal(late.error?.code, "shutting_down", "it takes nothing new, however often it looks at the view");
  mend();
  await world.run(world.now + 3_000);
  assert.notEqual(first.answer, undefined);
  assert.equal(a.running, undefined);
  assert.equal(cluster.store.peek(key)?.body.toString(), "second");
});
