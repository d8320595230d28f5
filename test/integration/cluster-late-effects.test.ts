/**
 * A real gateway whose disk is stuck for longer than F: it has accepted requests, and does them when the disk goes on.
 * What was deleted meanwhile, or replaced, does not come back (F24).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { TestBucket } from "../harness/bucket.ts";
import { TestCluster } from "../harness/cluster.ts";
import { OwnGateway } from "../harness/own-gateway.ts";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";

const server = s3ServerFromEnvironment();
const deadlineMs = 1_500;
const lateEffectMs = 15_000;
const keys = Array.from({ length: 30 }, (_, index) => `late/${index}`);

if (typeof server === "string") test("cluster whose store does what it accepted much later", { skip: server });
else {
  test("cluster whose store does what it accepted much later: no deleted key comes back, and no old value", async () => {
    await using gateway = await OwnGateway.start();
    await using bucket = await TestBucket.create(gateway.server);
    const flush = { delayMs: 10, deadlineMs, lateEffectMs, retryMaxMs: 500 };
    await using cluster = await TestCluster.start({ ...bucket.clusterOptions(), config: { flush } });
    const nodeFor = (index: number): string => cluster.ids[index % cluster.ids.length] as string;
    gateway.pauseDisk();
    try {
      for (const [index, key] of keys.entries())
        assert.equal((await cluster.put(nodeFor(index), key, "old")).status, 204);
      // The requests are with the gateway by now, and their answers are given up.
      await sleep(systemClock, 2 * deadlineMs);
      for (const [index, key] of keys.entries()) {
        const isReplaced = index % 3 === 0;
        const answer = isReplaced
          ? await cluster.put(nodeFor(index), key, "new")
          : await cluster.remove(nodeFor(index), key);
        assert.equal(answer.status, 204);
      }
      await sleep(systemClock, 3 * deadlineMs);
    } finally {
      gateway.resumeDisk();
    }
    const held = await Promise.all(cluster.ids.map(async (id) => (await cluster.figures(id)).heldKeys));
    await cluster.untilFlushed();
    for (const id of cluster.ids) assert.equal((await cluster.figures(id)).heldKeys, 0);
    // Whatever the gateway still had to do is done.
    await sleep(systemClock, 2_000);
    for (const [index, key] of keys.entries()) {
      const expected = index % 3 === 0 ? "new" : undefined;
      assert.equal((await bucket.get(key))?.body.toString(), expected, `${key} in the store`);
      const read = await cluster.get(nodeFor(index + 1), key);
      assert.equal(read.status === 200 ? read.body.toString() : undefined, expected, key);
    }
    assert.ok(
      held.some((count) => count > 0),
      "some deletes were held back",
    );
  });
}
