/**
 * An owner of a key is lost for good while what it has acknowledged is not in the store, and too few owners are left.
 * What is to be sent may be held back for L: it would make the condition of a lost request come true (F24). The key
 * answers soon all the same: the write commits without the store (V70).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WriteOperation } from "../../src/core/operation.ts";
import { deleteOf, putOf } from "../harness/write-operations.ts";
import {
  answerOf,
  destroy,
  ended,
  keyOfBoth,
  keyThat,
  lateEffectMs,
  objectOf,
  pass,
  readAgainMs,
  ringAmong,
  soonMs,
  uploadOf,
  viewIn,
} from "./course-steps.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

const content = "content";

/** The key has this content, in the store, too. */
async function stored(cluster: StagedCluster, host: SimHost, key: string): Promise<void> {
  cluster.write(host, key, content);
  await pass(cluster, 10_000);
  assert.equal(objectOf(cluster, key), content);
}

/** The operation is acknowledged, and has not been flushed. */
async function acknowledged(cluster: StagedCluster, host: SimHost, operation: WriteOperation): Promise<void> {
  const write = cluster.ask(host, ({ operations }) => operations.write(operation));
  await pass(cluster, 1_000);
  assert.equal(write.answer?.kind, "written");
}

/** Of two nodes the primary is lost for good after that. */
async function readByTheOtherMs(operationOf: (key: string) => WriteOperation): Promise<number> {
  const cluster = new StagedCluster(["a", "b"], { lateEffectMs, delayMs: 2_000 });
  const [a, b] = cluster.hosts as [SimHost, SimHost];
  await pass(cluster, 10_000);
  const key = cluster.keyOf(a, "k");
  await stored(cluster, a, key);
  await acknowledged(cluster, a, operationOf(key));
  destroy([a]);
  await pass(cluster, 5_000);
  return readAgainMs(cluster, b, key);
}

function answersSoon(ms: number): void {
  assert.ok(ms < soonMs, "the key answers soon");
}

describe("a key of two nodes answers soon when one of them is lost after it has acknowledged", () => {
  it("the same value for it", async () => {
    answersSoon(await readByTheOtherMs((key) => putOf(key, Buffer.from(content))));
  });

  it("a removal of it", async () => {
    answersSoon(await readByTheOtherMs(deleteOf));
  });
});

describe("a key of one node alone", () => {
  it("answers soon when the node is killed in the middle of a removal, and comes back with its journal", async () => {
    const cluster = new StagedCluster(["a"], { lateEffectMs, hasDisks: true });
    const [a] = cluster.hosts as [SimHost];
    await pass(cluster, 10_000);
    await stored(cluster, a, "k");
    cluster.ask(a, ({ operations }) => operations.write(deleteOf("k")));
    await pass(cluster, 5_000, () => a.status?.dirtyKeys === 1);
    await pass(cluster, 15);
    assert.equal(objectOf(cluster, "k"), undefined, "it is removed, which the node does not know yet");
    a.crash();
    await pass(cluster, 1_000);
    a.start();
    await pass(cluster, 10_000);
    answersSoon(await readAgainMs(cluster, a, "k"));
  });
});

describe("a key that one owner alone has", () => {
  it("answers soon when another node has come", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { lateEffectMs, delayMs: 2_000 });
    const [a, , c] = cluster.hosts as [SimHost, SimHost, SimHost];
    await pass(cluster, 10_000);
    const before = ringAmong(viewIn(cluster), ["a", "b"]);
    const after = ringAmong(viewIn(cluster), ["b", "c"]);
    const key = keyThat((each) => before.ownersOf(each)[0] === "a" && after.ownersOf(each)[0] === "b");
    c.member?.leave();
    await pass(cluster, 20_000, () => c.running === undefined);
    await stored(cluster, a, key);
    await acknowledged(cluster, a, deleteOf(key));
    destroy([a]);
    await pass(cluster, 5_000);
    c.start();
    await pass(cluster, 60_000, () => viewIn(cluster).settled && viewIn(cluster).members.length === 2);
    answersSoon(await readAgainMs(cluster, c, key));
  });

  it("answers soon where a large value was to take the place of another large one", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs, delayMs: 100 });
    const [a, b, , d] = cluster.hosts as [SimHost, SimHost, SimHost, SimHost];
    await pass(cluster, 10_000);
    const key = keyOfBoth(cluster);
    const first = await uploadOf(cluster, d, key, "one");
    assert.equal((await answerOf(cluster, first())).kind, "written");
    await pass(cluster, 10_000);
    const second = (await uploadOf(cluster, d, key, "two"))();
    await pass(cluster, 5_000, () => b.status?.dirtyKeys === 1);
    assert.equal(objectOf(cluster, key), "one", "the primary has not completed the second one");
    destroy([a]);
    await ended(cluster, second);
    answersSoon(await readAgainMs(cluster, b, key));
    assert.equal(objectOf(cluster, key), "two");
  });
});
