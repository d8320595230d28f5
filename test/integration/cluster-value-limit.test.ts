/**
 * A limit that is lowered while a node holds values above it: they are handed over all the same, or nobody would serve
 * the keys that move.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { neverFlush, TestCluster } from "../harness/cluster.ts";

const mebibyte = 1024 ** 2;
const valueBytes = 20 * mebibyte;

function bufferOf(maxValueBytes: number) {
  return { dirtyBytes: 256 * mebibyte, cacheBytes: 32 * mebibyte, maxValueBytes };
}

test("nodes that are restarted one by one with a lower buffer.maxValueBytes take over the larger values that are held", async () => {
  const config = { ...neverFlush, buffer: bufferOf(32 * mebibyte) };
  await using cluster = await TestCluster.start({ nodes: 2, config });
  const keys = ["k1", "k2", "k3", "k4"];
  for (const key of keys) await cluster.store("a", key, Buffer.alloc(valueBytes, key));
  cluster.configure({ ...neverFlush, buffer: bufferOf(mebibyte) });
  for (const id of cluster.ids) {
    // Not in order: what it held is not in the store.
    await cluster.process(id).kill();
    cluster.restart(id);
    await cluster.untilReady();
  }
  for (const key of keys) assert.equal((await cluster.get("b", key)).body.length, valueBytes, key);
});
