/**
 * `buffer.maxDirtyAgeMs` in a real cluster whose store is away: writers wait and are refused, reads and the nodes' own
 * work go on, and it ends by itself.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { TestBucket } from "../harness/bucket.ts";
import { TestCluster } from "../harness/cluster.ts";
import { parseExposition, sumOf } from "../harness/exposition.ts";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { setStage } from "../harness/stage.ts";
import { StoreProxy } from "../harness/store-proxy.ts";
import { refuseStubbornKeys, stubbornPrefix, takeStoreAway } from "../harness/stubborn-keys.ts";

const config = {
  buffer: { maxDirtyAgeMs: 3_000, waitMs: 200, cacheBytes: 0 },
  flush: { delayMs: 20, deadlineMs: 1_000, retryMaxMs: 200 },
};

describe("cluster with a bound on the age of what the store lacks", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ nodes: 2, config })) }));

  const slowing = async (cluster: TestCluster): Promise<string[]> => {
    const figures = await Promise.all(cluster.ids.map((id) => cluster.figures(id)));
    return figures.filter((each) => each.slowing).map(({ id }) => id);
  };

  test("refuses writes while the store is away for longer, and takes them again when it is back", async () => {
    const { cluster } = stage();
    const giveBack = takeStoreAway(cluster.storeFolder);
    const acknowledged: string[] = [];
    // Both nodes have something that gets old.
    for (let n = 0; n < 20; n++) {
      assert.equal((await cluster.put("a", `old/${n}`, "v")).status, 204);
      acknowledged.push(`old/${n}`);
    }
    await cluster.until(10_000, "both let writers wait", async () => (await slowing(cluster)).length === 2);
    for (let n = 0; n < 10; n++) {
      const answer = await cluster.put("a", `new/${n}`, "v");
      assert.equal(answer.status, 503);
      assert.equal(answer.code, "buffer_full");
      assert.match(answer.body.toString(), /maxDirtyAgeMs/);
      assert.equal(answer.headers["retry-after"], "1");
    }
    for (const key of acknowledged) assert.equal((await cluster.get("b", key)).status, 200);
    const scraped = await cluster.http.request(cluster.url("a"), "GET", "/metrics");
    const families = parseExposition(scraped.body.toString());
    assert.equal(sumOf(families, "weir_buffer_slowing"), 1);
    assert.ok((sumOf(families, "weir_buffer_oldest_dirty_age_seconds") ?? 0) > 3);
    giveBack();
    await cluster.until(10_000, "nobody waits", async () => (await slowing(cluster)).length === 0);
    assert.equal((await cluster.put("a", "new/0", "v")).status, 204);
    await cluster.untilFlushed();
  });

  test("goes on for all other keys while the store refuses one for good", async (t) => {
    const { cluster } = stage();
    const relent = refuseStubbornKeys(cluster.storeFolder);
    t.after(relent);
    assert.equal((await cluster.put("a", `${stubbornPrefix}x`, "v")).status, 204);
    const endAt = performance.now() + 6_000;
    for (let n = 0; performance.now() < endAt; n++) {
      assert.equal((await cluster.put("a", `others/${n % 50}`, `${n}`)).status, 204, `write ${n}`);
      assert.deepEqual(await slowing(cluster), []);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { failing, refusedKeys, oldestDirtyMs } =
      (await Promise.all(cluster.ids.map((id) => cluster.figures(id)))).find((each) => each.refusedKeys > 0) ??
      assert.fail("nobody tells of the refused key");
    assert.equal(refusedKeys, 1);
    assert.ok(oldestDirtyMs > 5_000);
    assert.deepEqual(
      failing.map(({ key, code, size }) => [key, code, size]),
      [[`${stubbornPrefix}x`, "store_refused", 1]],
    );
  });
});

const server = s3ServerFromEnvironment();

if (typeof server === "string") test("cluster with a hot key over a slow store", { skip: server });
else {
  test("a key that is overwritten again and again is as old as its last flush, however slow the store", async () => {
    await using bucket = await TestBucket.create(server);
    await using proxy = await StoreProxy.start(server.endpoint, { delayMs: 100 });
    await using cluster = await TestCluster.start({
      ...bucket.clusterOptions(proxy.url),
      nodes: 2,
      config: { flush: config.flush },
    });
    const endAt = performance.now() + 11_000;
    // Whenever a flush lands there is a newer state.
    const writer = async (): Promise<void> => {
      while (performance.now() < endAt) {
        assert.equal((await cluster.put("a", "hot", "v")).status, 204);
        await sleep(systemClock, 10);
      }
    };
    const writers = Promise.all(Array.from({ length: 4 }, writer));
    // The first flushes wait for requests of owners before.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    let oldestMs = 0;
    while (performance.now() < endAt) {
      for (const id of cluster.ids) oldestMs = Math.max(oldestMs, (await cluster.figures(id)).oldestDirtyMs);
      await sleep(systemClock, 10);
    }
    await writers;
    assert.ok(oldestMs > 100 && oldestMs < 4_000, `${oldestMs} ms`);
  });
}
