/**
 * A cluster whose store is away, refuses, or does not answer: what is in memory stays readable and writable, what is
 * not is never taken for missing, and once the store is back everything is in it.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestBucket } from "../harness/bucket.ts";
import { TestCluster } from "../harness/cluster.ts";
import type { Answer } from "../harness/http-client.ts";
import { noise } from "../harness/noise.ts";
import { OwnGateway } from "../harness/own-gateway.ts";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { setStage } from "../harness/stage.ts";
import { type Refusal, StoreProxy } from "../harness/store-proxy.ts";

const server = s3ServerFromEnvironment();

/** Nothing is kept for reading, so that what has been flushed is "not in memory". */
const buffer = { cacheBytes: 0 };

function assertUnavailable(answer: Answer, what: string): void {
  assert.equal(answer.status, 503, `${what}: ${answer.status} ${answer.body.toString()}`);
  assert.equal(answer.headers["retry-after"], "1", what);
}

/** Reads of all kinds through all nodes, of a key that is in the store only and of one that is nowhere. */
async function assertReadsUnavailable(cluster: TestCluster, code: string | undefined): Promise<void> {
  for (const id of cluster.ids) {
    for (const key of ["flushed", "nowhere"]) {
      const read = await cluster.get(id, key);
      assertUnavailable(read, `GET ${key} through ${id}`);
      if (code !== undefined) assert.equal(read.code, code);
      assertUnavailable(await cluster.http.request(cluster.url(id), "HEAD", `/kv/${key}`), `HEAD ${key}`);
      assertUnavailable(await cluster.http.request(cluster.url(id), "GET", `/get/${key}`), `GET /get/${key}`);
      // Whether it is there is not known, so it can't be judged either.
      assertUnavailable(await cluster.put(id, key, "x", { "if-none-match": "*" }), `conditional PUT ${key}`);
    }
  }
}

/** Writes to all nodes, and reads of what was written, as if nothing were the matter. */
async function assertWritesGoOn(cluster: TestCluster, prefix: string): Promise<Map<string, string>> {
  const written = new Map<string, string>();
  for (let n = 0; n < 30; n++) {
    const key = `${prefix}/${n % 20}`;
    const id = cluster.ids[n % 3] as string;
    assert.equal((await cluster.put(id, key, `${n}`)).status, 204);
    written.set(key, `${n}`);
    for (const each of cluster.ids) assert.equal((await cluster.get(each, key)).body.toString(), `${n}`);
  }
  assert.equal((await cluster.remove("b", `${prefix}/0`)).status, 204);
  written.delete(`${prefix}/0`);
  for (const id of cluster.ids) assert.equal((await cluster.get(id, `${prefix}/0`)).status, 404);
  return written;
}

if (typeof server === "string") test("cluster whose store is away", { skip: server });
else {
  describe("cluster whose store is killed and comes back", () => {
    const stage = setStage(async (stack) => {
      const gateway = stack.use(await OwnGateway.start());
      const bucket = stack.use(await TestBucket.create(gateway.server));
      const options = { ...bucket.clusterOptions(), config: { buffer } };
      return { gateway, bucket, cluster: stack.use(await TestCluster.start(options)) };
    });

    test("reads of what is not in memory are refused for now, writes go on, and all is flushed afterwards", async () => {
      const { gateway, bucket, cluster } = stage();
      assert.equal((await cluster.put("a", "flushed", "there")).status, 204);
      await cluster.untilFlushed();
      await gateway.kill();
      await assertReadsUnavailable(cluster, "store_unavailable");
      const written = await assertWritesGoOn(cluster, "outage");
      for (const id of cluster.ids) assert.ok((await cluster.figures(id)).dirtyKeys > 0);
      await gateway.restart();
      await cluster.untilFlushed();
      for (const [key, value] of written) assert.equal((await bucket.get(key))?.body.toString(), value, key);
      assert.equal(await bucket.get("outage/0"), undefined);
      for (const id of cluster.ids) {
        assert.equal((await cluster.get(id, "flushed")).body.toString(), "there");
        assert.equal((await cluster.get(id, "nowhere")).status, 404);
        assert.equal((await cluster.figures(id)).failingKeys, 0);
      }
    });
  });

  describe("cluster whose store refuses", () => {
    const stage = setStage(async (stack) => {
      const bucket = stack.use(await TestBucket.create(server));
      const proxy = stack.use(await StoreProxy.start(server.endpoint));
      // What is deleted after a create that got no word but "internal error" waits for L.
      const config = { buffer, flush: { deadlineMs: 2_000, lateEffectMs: 3_000 } };
      const options = { ...bucket.clusterOptions(proxy.url), config };
      return { bucket, proxy, cluster: stack.use(await TestCluster.start(options)) };
    });

    const refusals: readonly Refusal[] = [
      { status: 403, code: "AccessDenied" },
      { status: 404, code: "NoSuchBucket" },
      { status: 503, code: "SlowDown" },
      { status: 500, code: "InternalError" },
    ];
    for (const refusal of refusals) {
      test(`${refusal.code} is never taken for a missing key, and what was written meanwhile is flushed`, async () => {
        const { bucket, proxy, cluster } = stage();
        assert.equal((await cluster.put("a", "flushed", refusal.code)).status, 204);
        await cluster.untilFlushed();
        proxy.refuse(refusal);
        let written: Map<string, string>;
        try {
          await assertReadsUnavailable(cluster, undefined);
          written = await assertWritesGoOn(cluster, refusal.code);
        } finally {
          proxy.pass();
        }
        await cluster.untilFlushed();
        for (const [key, value] of written) assert.equal((await bucket.get(key))?.body.toString(), value, key);
        assert.equal(await bucket.get(`${refusal.code}/0`), undefined);
        for (const id of cluster.ids) assert.equal((await cluster.get(id, "flushed")).body.toString(), refusal.code);
      });
    }
  });

  describe("cluster whose buffer is full because its store does not answer", () => {
    const maxValueBytes = 65_536;
    const waitMs = 400;
    const stage = setStage(async (stack) => {
      const bucket = stack.use(await TestBucket.create(server));
      const proxy = stack.use(await StoreProxy.start(server.endpoint));
      const config = {
        buffer: { dirtyBytes: 16 * maxValueBytes, maxValueBytes, waitMs, cacheBytes: 0 },
        flush: { delayMs: 10, deadlineMs: 2_000, retryMaxMs: 300 },
        request: { deadlineMs: 4_000 },
      };
      const options = { ...bucket.clusterOptions(proxy.url), config };
      return { bucket, proxy, cluster: stack.use(await TestCluster.start(options)) };
    });

    test("writers wait, then are refused and may come back, and nothing acknowledged is lost", async (t) => {
      const { bucket, proxy, cluster } = stage();
      const value = noise(new SimRandom(seedOf(t)), maxValueBytes);
      proxy.hold();
      const acknowledged: string[] = [];
      const refused: string[] = [];
      let shortestWaitMs = Number.POSITIVE_INFINITY;
      for (let n = 0; n < 60; n++) {
        const key = `full/${n}`;
        const sentAt = performance.now();
        const answer = await cluster.put(cluster.ids[n % 3] as string, key, value);
        if (answer.status === 204) {
          acknowledged.push(key);
        } else {
          assertUnavailable(answer, key);
          assert.equal(answer.code, "buffer_full");
          shortestWaitMs = Math.min(shortestWaitMs, performance.now() - sentAt);
          refused.push(key);
          if (refused.length === 4) break;
        }
      }
      // Each value is held twice, so that three buffers of sixteen hold fewer than twenty-four.
      assert.ok(acknowledged.length > 8 && acknowledged.length < 24, `${acknowledged.length} were acknowledged`);
      assert.equal(refused.length, 4);
      assert.ok(shortestWaitMs >= waitMs - 10, `refused after ${shortestWaitMs} ms`);
      for (const id of cluster.ids) {
        const { dirtyBytes } = await cluster.figures(id);
        assert.ok(dirtyBytes <= 1.1 * 16 * maxValueBytes, `${id} holds ${dirtyBytes} bytes`);
        // What is in memory is read as ever.
        for (const key of acknowledged) assert.ok((await cluster.get(id, key)).body.equals(value));
      }

      // One more wave waits for room, and gets it from the store that is back.
      const late = Promise.all(cluster.ids.map(async (id) => await cluster.put(id, `late/${id}`, "v")));
      proxy.pass();
      for (const answer of await late) assert.equal(answer.status, 204, answer.body.toString());
      await cluster.untilFlushed();
      for (const key of acknowledged) assert.ok((await bucket.get(key))?.body.equals(value), key);
      // This refusal promises that there was no effect.
      for (const key of refused) assert.equal((await cluster.get("a", key)).status, 404);
    });
  });
}
