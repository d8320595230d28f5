/**
 * A cluster of processes in which one node owns nothing and the other everything: the first waits for the second, and
 * for nothing else.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/system.ts";
import { TestCluster } from "../harness/cluster.ts";

/**
 * Longer than two nodes need to start, on a machine that is busy; much shorter than a node waits for a view that does
 * not settle.
 */
const startMs = 15_000;
/** As long as a node that has left, or can't, tries to. */
const leaveMs = 8_000;

async function serveAgain(cluster: TestCluster, id: string): Promise<void> {
  cluster.restart(id);
  await cluster.until(startMs, `node ${id} is back, and every node ready`, async () => {
    for (const each of cluster.ids) {
      const answer = await cluster.http.request(cluster.url(each), "GET", "/readyz").catch(() => undefined);
      if (answer?.status !== 200) return false;
    }
    return true;
  });
}

test("a node of weight 0 serves as soon as the only owner is there, before or after it, and leaves when that is gone", async () => {
  await using cluster = await TestCluster.start({ nodes: 2, weights: { a: 0 } });
  assert.equal((await cluster.put("a", "key", "value")).status, 204);

  await cluster.process("b").stop(leaveMs);
  await cluster.until(leaveMs, "node a says that nobody owns anything", async () => {
    const { status, body } = await cluster.http.request(cluster.url("a"), "GET", "/readyz");
    return status === 503 && body.includes("no node owns any key");
  });
  await serveAgain(cluster, "b");
  assert.equal((await cluster.get("a", "key")).body.toString(), "value");

  await cluster.process("b").stop(leaveMs);
  const since = systemClock.now();
  const { code } = await cluster.process("a").stop(leaveMs);
  assert.deepEqual([code, cluster.log().includes("without having left")], [0, false]);
  assert.ok(systemClock.now() - since < leaveMs);

  cluster.restart("a");
  await cluster.process("a").printed("view settled");
  await serveAgain(cluster, "b");
  assert.equal((await cluster.get("a", "key")).body.toString(), "value");
});
