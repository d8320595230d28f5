/**
 * A store that hangs has a value and its removal. When it goes on it does both at one moment: it leaves the value, and
 * answers both with success, as Ceph 16 does. What is deleted must not be seen again (F29).
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { deleteOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

const key = "k";

it("what is removed stays so, though the store has said that it is gone and has left an earlier value", async () => {
  const cluster = new StagedCluster(["a", "b", "c"], { lateEffectMs: 60_000, ignoresRemoveConditions: true });
  const { world, store, hosts } = cluster;
  await world.run(10_000);
  const primary = hosts.find(({ member }) => member?.servesNow?.(key) === true) as SimHost;
  cluster.write(primary, key, "first");
  await world.run(world.now + 5_000);
  let late: (() => void) | undefined;
  cluster.intercept = (name, content, condition) => {
    if (name !== key || late !== undefined) return undefined;
    late = (): void => void store.write(name, content, condition);
    return Promise.reject(new OperatingError("store_unavailable", "the store did not answer"));
  };
  cluster.write(primary, key, "second");
  await world.run(world.now + 1_500);
  let raced = 0;
  cluster.interceptRemoval = (name) => {
    if (name !== key || raced++ > 0) return undefined;
    late?.();
    return Promise.resolve({ kind: "written", tag: "" });
  };
  cluster.ask(primary, (member) => member.operations.write(deleteOf(key)));
  await world.run(world.now + 50_000);
  assert.ok(raced > 0, "a removal was sent");
  assert.deepEqual([store.peek(key)?.body.toString(), await cluster.read(primary, key)], [undefined, undefined]);
});
