/**
 * An outcome that was forgotten with its entry stays forgotten (V37). While a node that was dropped goes through what
 * does not count any more, its journal may copy an entry forward, behind the note that the outcome is forgotten. After
 * the next start a repeat of the request must not be answered by that outcome: the value is nowhere.
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import { parseView, type View, viewName } from "../../src/core/view.ts";
import { keysOwned } from "../harness/view-fixtures.ts";
import { putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

/** Segments and turns are so small that a few thousand short values fill many of them. */
const staging = { hasDisks: true, segmentBytes: 200_000, sliceItems: 20 } as const;

/** In which order `PartedMap` goes through its keys: by 64 parts. */
function partOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 16)) & 63;
}

it("a repeat is not answered for a write that a dropped node alone had, although its journal copied the entry forward", async () => {
  const cluster = new StagedCluster(["a", "b", "c", "d"], staging);
  const { world, network, hosts, store } = cluster;
  const [a, b, c, d] = hosts as [SimHost, SimHost, SimHost, SimHost];
  c.weight = 0;
  let view: View | undefined;
  store.watch((name, _before, after) => {
    if (name === viewName && after) view = parseView(after.body);
  });
  const until = async (what: string, ms: number, holds: () => boolean): Promise<void> => {
    assert.ok(await world.run(world.now + ms, holds), what);
  };
  const has = (id: string): boolean => view?.members.some((member) => member.id === id) === true;

  await world.run(10_000);
  const others = keysOwned({ abd: /^b/ }, 2_500);
  // One that is gone through late.
  const key = keysOwned({ abd: /^ba$/, ad: /^ad$/ }, 400).find((each) => partOf(each) >= 60) as string;
  // Only c reaches b, so what b takes does not come to its replica.
  const mends = [network.part("a", "b", true), network.part("b", "d", true)];
  const asked = cluster.ask(c, (member) => member.operations.write(putOf(key, Buffer.from("precious"))));
  await world.run(world.now + 50);
  for (const other of others) {
    if (other !== key) cluster.ask(b, (member) => member.operations.write(putOf(other, Buffer.alloc(100, 1))));
  }
  await world.run(world.now + 100);
  // b is dropped, and the repeat does not come through to the new primary.
  mends.push(network.part("b", "c", true));
  const unchoke = network.choke("a", "c");
  await until("the view without b is settled", 15_000, () => view?.settled === true && !has("b"));
  assert.deepEqual([asked.answer, asked.error], [undefined, undefined], "the client still waits");

  for (const mend of mends) mend();
  await until("b is in the view again", 15_000, () => has("b"));
  await until("b holds nothing of before", 10_000, () => b.gauges?.dirtyKeys === 0);
  await world.run(world.now + 60);
  b.crash("killed");
  b.start();
  await until("b is ready", 15_000, () => b.ready);
  unchoke();
  network.breakLink("a", "c");
  await until("the client is answered", 15_000, () => asked.answer !== undefined || asked.error !== undefined);
  await world.run(world.now + 10_000);
  const found: unknown[] = [];
  for (const host of [a, b, d]) found.push(await cluster.read(host, key));
  const isStored = asked.answer?.kind === "written";
  assert.deepEqual(found, isStored ? ["precious", "precious", "precious"] : [undefined, undefined, undefined]);
});
