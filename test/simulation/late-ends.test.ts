/**
 * What a primary has told the key's other owners of its requests without an answer comes back to it with later views.
 * Told again and again it would never end (F25), and a removal that was answered would not stay so (F27).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { deleteOf } from "../harness/write-operations.ts";
import {
  keyThat,
  lateEffectMs,
  objectOf,
  pass,
  remove,
  restart,
  ringAmong,
  soonMs,
  storedMs,
  viewIn,
} from "./course-steps.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

const restartEveryMs = 15_000;

describe("what a primary has told others of its requests", () => {
  it("ends, however often views change: a delete is done after L", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs, hasDisks: true });
    const { world, store, hosts } = cluster;
    const [a, , , d] = hosts as [SimHost, SimHost, SimHost, SimHost];
    await pass(cluster, 10_000);
    const key = cluster.keyOf(a, "k");
    let isLost = false;
    cluster.intercept = (name, content, condition) => {
      if (name !== key || isLost) return undefined;
      isLost = true;
      void store.write(name, content, condition);
      return Promise.reject(new OperatingError("store_unavailable", "the answer is lost"));
    };
    cluster.write(a, key, "value");
    await pass(cluster, 10_000);
    assert.equal(objectOf(cluster, key), "value");
    await remove(cluster, a, key);
    const from = world.now;
    while (objectOf(cluster, key) !== undefined && world.now < from + 3 * lateEffectMs) {
      d.crash();
      d.start();
      await pass(cluster, restartEveryMs);
    }
    assert.equal(objectOf(cluster, key), undefined, "it is done when no request can take effect any more");
  });

  it("does not bring an answered removal back, of which a former replica alone was not told", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "e"], {
      lateEffectMs,
      delayMs: 100,
      ignoresRemoveConditions: true,
      hasDisks: true,
    });
    const { store, hosts } = cluster;
    const [a, , c, e] = hosts as [SimHost, SimHost, SimHost, SimHost];
    await pass(cluster, 10_000);
    const before = ringAmong(viewIn(cluster), ["a", "b", "c"]);
    const after = ringAmong(viewIn(cluster), ["a", "b", "c", "e"]);
    const key = keyThat((each) => before.ownersOf(each).join() === "a,b" && after.ownersOf(each).join() === "a,e");
    e.member?.leave();
    await pass(cluster, 20_000, () => e.running === undefined);
    cluster.write(a, key, "old");
    await pass(cluster, 5_000);
    assert.equal(objectOf(cluster, key), "old");
    let isSent = false;
    const answer = Promise.withResolvers<void>();
    cluster.interceptRemoval = (name) => {
      if (name !== key || isSent) return undefined;
      isSent = true;
      const tag = store.peek(name)?.tag ?? "";
      return answer.promise.then(() => store.remove(name, { kind: "unchanged", tag }));
    };
    cluster.ask(a, ({ operations }) => operations.write(deleteOf(key)));
    await pass(cluster, 5_000, () => isSent);
    e.start();
    await pass(cluster, 2_500, () => viewIn(cluster).members.length === 4 && viewIn(cluster).settled);
    answer.resolve();
    await pass(cluster, 10_000);
    assert.equal(objectOf(cluster, key), undefined);
    await restart(cluster, c);
    cluster.write(a, key, "new");
    assert.ok((await storedMs(cluster, key, "new")) < soonMs, "the value is stored soon");
  });
});
