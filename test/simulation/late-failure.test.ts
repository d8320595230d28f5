/**
 * A node leaves while one of its requests to the store is under way. That fails when the node has handed on all that it
 * knew, and what the others hand to each other takes longer than F. The next primary does not know of the request, so
 * it must take the key for one that was gained from a lost primary (F6, F26).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { deleteOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

const lateEffectMs = 120_000;
const failsAfterMs = 500;
const handOffMs = 4_000;

describe("what is deleted", () => {
  it("stays deleted, though the request of a node that left failed after its hand-off", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs, delayMs: 3_000 });
    const { world, network, store, hosts } = cluster;
    await world.run(10_000);
    const [a, ...others] = hosts as [SimHost, ...SimHost[]];
    const key = cluster.keyOf(a, "k");
    let late: (() => void) | undefined;
    let lateAt = 0;
    cluster.intercept = (name, content, condition) => {
      if (name !== key || late !== undefined) return undefined;
      lateAt = world.now + lateEffectMs - 1_000;
      late = (): void => void store.write(name, content, condition);
      void a.member?.stop();
      const links: readonly (readonly [string, string])[] = [
        ["b", "c"],
        ["b", "d"],
        ["c", "d"],
      ];
      const mend = links.map(([one, other]) => network.choke(one, other));
      world.schedule(handOffMs, () => {
        for (const each of mend) each();
      });
      const answer = Promise.withResolvers<never>();
      const error = new OperatingError("store_unavailable", "the connection broke");
      world.schedule(failsAfterMs, () => answer.reject(error));
      return answer.promise;
    };
    cluster.write(a, key, "old");
    world.schedule(2_900, () => {
      for (const host of others) for (let number = 0; number < 30; number++) cluster.write(host, `${host.id}${number}`);
    });
    await world.run(world.now + 30_000);
    assert.equal(store.peek(key)?.body.toString(), "old", "the next primary has written it");
    const primary = others.find(({ member }) => member?.servesNow?.(key) === true) as SimHost;
    const removal = cluster.ask(primary, (member) => member.operations.write(deleteOf(key)));
    await world.run(world.now + 30_000);
    assert.equal(removal.answer?.kind, "written");
    await world.run(lateAt);
    late?.();
    await world.run(world.now + 2 * lateEffectMs);
    assert.deepEqual([store.peek(key)?.body.toString(), await cluster.read(primary, key)], [undefined, undefined]);
  });
});
