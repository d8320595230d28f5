/**
 * All owners of a key are lost, and an operator has them forgotten (`weir forget`). They may have left requests of
 * which nobody knows. What that costs the others is little, and ends after L (V69). A view waits for a look at the key,
 * and not for what must not be sent yet (V53).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { View } from "../../src/core/view.ts";
import { putOf } from "../harness/write-operations.ts";
import {
  answerOf,
  destroy,
  ended,
  forget,
  keyOfBoth,
  lateEffectMs,
  loseBoth,
  objectOf,
  pass,
  remove,
  restart,
  settle,
  soonMs,
  storedMs,
  uploadOf,
  viewIn,
} from "./course-steps.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

/** Of four nodes a and b are forgotten, and c is the key's next primary. */
async function ofFour(): Promise<readonly [cluster: StagedCluster, c: SimHost, key: string]> {
  const cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs });
  await pass(cluster, 10_000);
  const key = keyOfBoth(cluster);
  await loseBoth(cluster);
  return [cluster, cluster.hosts[2] as SimHost, key];
}

/** Of six nodes a, b and c are lost, and these are forgotten. The key is one of a and b; f is its next primary. */
async function ofSix(ids: readonly string[]): Promise<readonly [cluster: StagedCluster, f: SimHost, key: string]> {
  const cluster = new StagedCluster(["a", "b", "c", "d", "e", "f"], { lateEffectMs, hasDisks: true });
  await pass(cluster, 10_000);
  const key = keyOfBoth(cluster, ["a", "b", "c"], "f");
  destroy(cluster.hosts.slice(0, 3));
  await pass(cluster, 15_000);
  await forget(cluster, ids);
  await settle(cluster);
  return [cluster, cluster.hosts[5] as SimHost, key];
}

function epochsOf(pasts: View["lost"] = []): number[] {
  return pasts.map(({ epoch }) => epoch);
}

describe("a key whose owners were forgotten", () => {
  it("is stored again and again, as often as it is written: one look at the object was enough", async () => {
    const [cluster, c, key] = await ofFour();
    const texts = Array.from({ length: 12 }, (_, number) => `value ${number}`);
    const seen: (string | undefined)[] = [];
    for (const text of texts) {
      cluster.write(c, key, text);
      await pass(cluster, 4_000);
      seen.push(objectOf(cluster, key));
    }
    assert.deepEqual(seen, texts);
  });

  it("has a value stored soon that it had before", async () => {
    const [cluster, c, key] = await ofFour();
    for (const text of ["on", "off"]) {
      cluster.write(c, key, text);
      await pass(cluster, 4_000);
      assert.equal(objectOf(cluster, key), text);
    }
    cluster.write(c, key, "on");
    assert.ok((await storedMs(cluster, key, "on")) < soonMs);
  });

  it("takes a large value in place of a large one, and a small one after that", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs, delayMs: 100 });
    const [, , c, d] = cluster.hosts as [SimHost, SimHost, SimHost, SimHost];
    await pass(cluster, 10_000);
    const key = keyOfBoth(cluster);
    const write = async (text: string): Promise<string | undefined> => {
      const complete = await uploadOf(cluster, d, key, text);
      return (await ended(cluster, complete())).answer?.kind;
    };
    assert.equal(await write("one"), "written");
    await pass(cluster, 10_000);
    await loseBoth(cluster);
    assert.equal(await write("two"), "written");
    const small = cluster.ask(c, ({ operations }) => operations.write(putOf(key, Buffer.from("small"))));
    assert.equal((await answerOf(cluster, small)).kind, "written");
    assert.equal(await cluster.read(c, key), "small");
  });

  it("does not keep a view from settling while what it has is held back, and can be read", async () => {
    const [cluster, f, key] = await ofSix(["a", "b"]);
    const d = cluster.hosts[3] as SimHost;
    await remove(cluster, f, key);
    await pass(cluster, 5_000);
    await restart(cluster, f);
    assert.equal(await cluster.read(d, key), undefined);
  });

  it("is as any other after L, also while another lost owner is awaited", async () => {
    const [cluster, f, key] = await ofSix(["a", "b"]);
    await pass(cluster, 2 * lateEffectMs);
    await restart(cluster, f);
    await isAsAnyOther(cluster, f, key);
  });

  it("is as any other after L, also at a node that comes only then", async () => {
    const [cluster, f, key] = await ofSix(["a", "b", "c"]);
    await pass(cluster, 2 * lateEffectMs);
    await restart(cluster, f);
    await isAsAnyOther(cluster, f, key);
  });
});

/** What is deleted is not held back. */
async function isAsAnyOther(cluster: StagedCluster, host: SimHost, key: string): Promise<void> {
  await pass(cluster, 10_000);
  cluster.write(host, key, "value");
  assert.ok((await storedMs(cluster, key, "value")) < soonMs, "the value is stored soon");
  await remove(cluster, host, key);
  assert.ok((await storedMs(cluster, key, undefined)) < soonMs, "the delete is done soon");
}

describe("the view", () => {
  it("names each earlier view once, however often it settles while a lost owner is awaited", async () => {
    const [cluster, f] = await ofSix(["a", "b"]);
    for (let restarts = 0; restarts < 4; restarts++) {
      const { forgotten } = viewIn(cluster);
      assert.ok(forgotten !== undefined);
      assert.deepEqual(epochsOf(forgotten), [...new Set(epochsOf(forgotten))]);
      await restart(cluster, f);
    }
  });
});
