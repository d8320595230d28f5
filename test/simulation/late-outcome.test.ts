/** The last owner leaves while somebody still waits for the answer to a write of which only that one knows. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { noHeaders } from "../../src/core/entry.ts";
import { viewName } from "../../src/core/view.ts";
import { keyOwned } from "../support/view-fixtures.ts";
import type { SimHost } from "./sim-cluster.ts";
import { type Asked, StagedCluster } from "./staged-cluster.ts";

/** When the store takes the view again, after the last owner began to leave: who is the first to notice differs, in virtual milliseconds. */
const momentsMs = Array.from({ length: 40 }, (_, n) => 2_500 + 100 * n);

async function leaveAt(ms: number): Promise<string | undefined> {
  const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
  const { world, network, hosts } = cluster;
  const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
  // It takes what clients ask for to the others.
  b.weight = 0;
  const key = keyOwned({ ac: /^ac$/ });
  const put = (host: SimHost, text: string): Asked<unknown> =>
    cluster.ask(host, (member) => member.put({ key, value: Buffer.from(text), headers: noHeaders }));
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
  while (c.status?.weight !== 0 || c.member?.status().settled !== true) await world.run(world.now + 1);
  cluster.refused.set(viewName, new OperatingError("store_refused", "rights that are about to come"));
  a.member?.leave();
  await world.run(world.now + ms);
  cluster.refused.delete(viewName);
  await world.run(world.now + 12_000, () => a.running === undefined);
  if (a.running === undefined) a.start();
  mend();
  await world.run(world.now + 45_000);
  return await cluster.read(b, key);
}

it("the last owner stays until nobody waits for its answer to a write: the next owner would do it again, over what came after it", async () => {
  for (const ms of momentsMs) assert.equal(await leaveAt(ms), "second", `the store takes the view after ${ms} ms`);
});
