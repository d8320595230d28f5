/**
 * All owners of a key are lost, and an operator has them forgotten (`weir forget`). Of the requests that the lost
 * primary had under way nobody knows. What is deleted or written after the forgetting stays so all the same (V69).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { viewName } from "../../src/core/view.ts";
import { Participant } from "../../src/member/participant.ts";
import { deleteOf } from "../harness/write-operations.ts";
import {
  answerOf,
  destroy,
  ended,
  forget,
  keyOfBoth,
  keyThat,
  lateEffectMs,
  loseBoth,
  objectOf,
  pass,
  remove,
  restart,
  settle,
  uploadOf,
  viewIn,
} from "./course-steps.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster, type Staging } from "./staged-cluster.ts";

const ids = ["a", "b", "c", "d"];

/** A request of the lost primary, when it takes effect at last. */
interface Late {
  readonly key: string;
  readonly send: () => void;
}

async function begun(staging: Staging = {}): Promise<StagedCluster> {
  const cluster = new StagedCluster(ids, { lateEffectMs, ...staging });
  await pass(cluster, 10_000);
  return cluster;
}

const never = (): Promise<never> => new Promise(() => undefined);

/** The first request to write the key does not reach the store yet. */
function hangFirst(cluster: StagedCluster, key: string, answer = never): Late {
  let late: (() => void) | undefined;
  cluster.intercept = (name, content, condition) => {
    if (name !== key || late !== undefined) return undefined;
    late = (): void => void cluster.store.write(name, content, condition);
    return answer();
  };
  const send = (): void => {
    assert.ok(late !== undefined, "a request was sent");
    late();
  };
  return { key, send };
}

/** a and b, the owners of a key, are lost while a request for it hangs, and forgotten. c and d go on. */
async function forgotten(cluster: StagedCluster): Promise<Late> {
  const [a] = cluster.hosts as [SimHost];
  const late = hangFirst(cluster, keyOfBoth(cluster));
  cluster.write(a, late.key, "lost");
  await pass(cluster, 3_000);
  await loseBoth(cluster);
  return late;
}

async function writeAndRemove(cluster: StagedCluster, host: SimHost, key: string): Promise<void> {
  cluster.write(host, key, "new");
  await pass(cluster, 10_000);
  await remove(cluster, host, key);
}

/** The late request takes effect. After L the object and what clients read are this. */
async function staysSo(cluster: StagedCluster, host: SimHost, late: Late, text?: string): Promise<void> {
  late.send();
  await pass(cluster, 2 * lateEffectMs);
  assert.deepEqual([objectOf(cluster, late.key), await cluster.read(host, late.key)], [text, text]);
}

describe("what is deleted after all owners of its key were forgotten", () => {
  it("stays deleted, though a request of theirs takes effect late", async () => {
    const cluster = await begun();
    const late = await forgotten(cluster);
    const [, , c] = cluster.hosts as [SimHost, SimHost, SimHost];
    await writeAndRemove(cluster, c, late.key);
    await pass(cluster, 60_000);
    await staysSo(cluster, c, late);
  });

  it("stays so, deleted while the first value after the loss was on its way", async () => {
    const cluster = await begun();
    const late = await forgotten(cluster);
    const [, , c] = cluster.hosts as [SimHost, SimHost, SimHost];
    const answer = Promise.withResolvers<void>();
    cluster.answered.set(late.key, answer.promise);
    cluster.write(c, late.key, "new");
    await pass(cluster, 1_500);
    const removal = cluster.ask(c, (member) => member.operations.write(deleteOf(late.key)));
    await pass(cluster, 500);
    answer.resolve();
    await pass(cluster, 60_000);
    assert.equal(removal.answer?.kind, "written");
    await staysSo(cluster, c, late);
  });

  it("stays so at a node that came when the view had settled", async () => {
    const cluster = await begun();
    const late = await forgotten(cluster);
    const [a] = cluster.hosts as [SimHost];
    a.start();
    await pass(cluster, 20_000, () => viewIn(cluster).settled && a.member?.servesNow?.(late.key) === true);
    await writeAndRemove(cluster, a, late.key);
    await pass(cluster, 30_000);
    await staysSo(cluster, a, late);
  });

  it("stays so when everybody has left since, and the cluster is begun anew with another R", async () => {
    let replicas: number | undefined;
    const cluster = new StagedCluster(["a", "b", "c"], {
      lateEffectMs,
      replicas: 1,
      runningAt: (parts) => {
        if (replicas === undefined) return undefined;
        return new Participant({ ...parts, settings: { ...parts.settings, replicas } });
      },
    });
    const [a, b, c] = cluster.hosts as [SimHost, SimHost, SimHost];
    await pass(cluster, 10_000);
    const late = hangFirst(
      cluster,
      keyThat((key) => a.member?.servesNow?.(key) === true),
    );
    cluster.write(a, late.key, "lost");
    await pass(cluster, 3_000);
    destroy([a]);
    await pass(cluster, 5_000);
    await forget(cluster, ["a"]);
    await settle(cluster);
    for (const host of [c, b]) {
      host.member?.leave();
      await pass(cluster, 20_000, () => host.running === undefined);
    }
    await pass(cluster, 5_000);
    replicas = 2;
    for (const host of [b, c]) host.start();
    await pass(cluster, 40_000, () => viewIn(cluster).settled && viewIn(cluster).members.length === 2);
    const primary = [b, c].find(({ member }) => member?.servesNow?.(late.key)) as SimHost;
    await writeAndRemove(cluster, primary, late.key);
    await pass(cluster, 10_000);
    await staysSo(cluster, primary, late);
  });

  it("stays so, though the next primary has found the last request done: an earlier one was not", async () => {
    const cluster = await begun({ delayMs: 100 });
    const { store, hosts } = cluster;
    const [a, b, c, d] = hosts as [SimHost, SimHost, SimHost, SimHost];
    const failed = (): Promise<never> => Promise.reject(new OperatingError("store_unavailable", "no answer"));
    const late = hangFirst(cluster, keyOfBoth(cluster), failed);
    const { key } = late;
    cluster.write(a, key, "first");
    await pass(cluster, 15_000);
    assert.equal(objectOf(cluster, key), "first", "it was sent again");
    const complete = await uploadOf(cluster, d, key, "parts");
    store.watch((name, _before, after) => {
      if (name === key && after?.body.toString() === "parts" && a.running !== undefined) destroy([a, b]);
    });
    const completed = complete();
    await pass(cluster, 10_000, () => a.running === undefined);
    assert.equal(objectOf(cluster, key), "parts", "its owners are lost, and it is there");
    await forget(cluster, ["a", "b"], 100);
    cluster.refused.set(viewName, new OperatingError("store_unavailable", "the view does not settle yet"));
    const { answer } = await ended(cluster, completed);
    if (answer === undefined) await answerOf(cluster, complete());
    await remove(cluster, c, key);
    await pass(cluster, 5_000);
    assert.equal(viewIn(cluster).settled, false);
    cluster.refused.clear();
    await pass(cluster, 10_000);
    await staysSo(cluster, c, late);
  });

  it("is nobody's concern any more after flush.lateEffectMs", async () => {
    const cluster = await begun();
    const { key } = await forgotten(cluster);
    assert.equal(viewIn(cluster).forgotten?.length, 1, "the view names the one that lost owners");
    await pass(cluster, lateEffectMs);
    const [, , c, d] = cluster.hosts as [SimHost, SimHost, SimHost, SimHost];
    await restart(cluster, d);
    assert.equal(viewIn(cluster).forgotten, undefined, "who has known it for that long settles the view without it");
    await writeAndRemove(cluster, c, key);
    await pass(cluster, 10_000);
    assert.equal(objectOf(cluster, key), undefined, "a delete is flushed as soon as any other");
  });
});

describe("what is written after all owners of its key were forgotten", () => {
  it("stays there, though the store does a removal of theirs late, whatever its condition was", async () => {
    const cluster = await begun({ ignoresRemoveConditions: true });
    const { store, hosts } = cluster;
    const [a, , c] = hosts as [SimHost, SimHost, SimHost];
    const key = keyOfBoth(cluster);
    cluster.write(a, key, "old");
    await pass(cluster, 5_000);
    assert.equal(objectOf(cluster, key), "old");
    let isSent = false;
    cluster.interceptRemoval = (name) => {
      if (name !== key || isSent) return undefined;
      isSent = true;
      return never();
    };
    await remove(cluster, a, key);
    await pass(cluster, 5_000, () => isSent);
    await loseBoth(cluster);
    cluster.write(c, key, "new");
    await pass(cluster, 40_000);
    await staysSo(cluster, c, { key, send: () => void store.remove(key, { kind: "unchanged", tag: "of old" }) }, "new");
  });

  it("stays there, though the store does a completion of theirs late, whatever its condition was", async () => {
    const cluster = await begun({ ignoresCompleteConditions: true });
    const { store, hosts } = cluster;
    const [a, b, c, d] = hosts as [SimHost, SimHost, SimHost, SimHost];
    const key = keyOfBoth(cluster);
    let send: (() => void) | undefined;
    cluster.interceptCompletion = (name, upload) => {
      if (send !== undefined || name !== key) return undefined;
      send = () => {
        const uploaded = store.uploads.take(upload);
        assert.ok(uploaded !== undefined, "the upload is still there");
        store.completeUpload(name, upload.id, uploaded, { kind: "absent" });
      };
      return never();
    };
    const complete = await uploadOf(cluster, d, key, "large");
    complete();
    await pass(cluster, 10_000, () => send !== undefined);
    destroy([a, b]);
    await pass(cluster, 20_000);
    await forget(cluster, ["a", "b"]);
    await settle(cluster);
    await pass(cluster, 15_000);
    cluster.write(c, key, "new");
    await pass(cluster, 20_000);
    assert.ok(send !== undefined, "a completion was sent");
    await staysSo(cluster, c, { key, send }, "new");
  });
});
