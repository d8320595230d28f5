/**
 * A cluster over a bucket: what reaches it, in how many requests, and what weir makes of objects that were there
 * before. The bucket is looked at with AWS's own client, and requests are counted by a proxy before the server. Nothing
 * is cached, so that every value that has been flushed is read from the bucket again.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestBucket } from "../harness/bucket.ts";
import { TestCluster } from "../harness/cluster.ts";
import { noise } from "../harness/noise.ts";
import { RecordedClients } from "../harness/recorded-clients.ts";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { setStage } from "../harness/stage.ts";
import { StoreProxy } from "../harness/store-proxy.ts";

const server = s3ServerFromEnvironment();

/** How long a value waits for later ones of its key. */
const delayMs = 1_000;

if (typeof server === "string") test("cluster over a bucket", { skip: server });
else {
  describe("cluster over a bucket", () => {
    const stage = setStage(async (stack) => {
      const bucket = stack.use(await TestBucket.create(server));
      const proxy = stack.use(await StoreProxy.start(server.endpoint));
      const config = { buffer: { cacheBytes: 0 }, flush: { delayMs } };
      const options = { ...bucket.clusterOptions(proxy.url), config };
      return { bucket, proxy, cluster: stack.use(await TestCluster.start(options)) };
    });

    test("a value reaches the bucket byte for byte with its headers, and comes back the same", async (t) => {
      const { bucket, cluster } = stage();
      const value = noise(new SimRandom(seedOf(t)), 300_003);
      const headers = {
        "content-type": "image/png",
        "content-encoding": "gzip",
        "cache-control": "max-age=60, public",
        "content-disposition": "attachment; filename=a.png",
        "x-weir-meta-colour": "blue",
      };
      const put = await cluster.put("a", "photos/ü a.png", value, headers);
      assert.equal(put.status, 204);
      await cluster.untilFlushed();
      const stored = await bucket.get("photos/ü a.png");
      assert.ok(stored !== undefined);
      assert.ok(stored.body.equals(value));
      assert.equal(stored.contentType, "image/png");
      assert.equal(stored.contentEncoding, "gzip");
      assert.equal(stored.cacheControl, "max-age=60, public");
      assert.equal(stored.contentDisposition, "attachment; filename=a.png");
      const { "weir-version": version, ...metadata } = stored.metadata;
      assert.deepEqual(metadata, { colour: "blue" });
      assert.ok(version?.endsWith(`.${put.headers["weir-version"]}`), String(version));
      for (const id of cluster.ids) {
        const read = await cluster.get(id, "photos/ü a.png");
        assert.ok(read.body.equals(value));
        for (const [name, sent] of Object.entries(headers)) assert.equal(read.headers[name], sent, name);
        assert.equal(read.headers["etag"], put.headers["etag"]);
        assert.equal(read.headers["weir-version"], put.headers["weir-version"]);
      }
    });

    test("a value without content type gets none of weir's making, and an empty value is an object too", async () => {
      const { bucket, cluster } = stage();
      assert.equal((await cluster.put("b", "untyped", "")).status, 204);
      await cluster.untilFlushed();
      const stored = await bucket.get("untyped");
      assert.equal(stored?.body.length, 0);
      // The server's default, which says nothing; that there was none is in the metadata.
      assert.equal(stored.metadata["weir-content-type"], "none");
      const read = await cluster.get("c", "untyped");
      assert.deepEqual([read.status, read.body.length], [200, 0]);
    });

    test("a hundred overwrites of a key are a write to the bucket for each delay they took, and one of the last value", async () => {
      const { bucket, proxy, cluster } = stage();
      const began = performance.now();
      for (let n = 0; n < 100; n++) {
        assert.equal((await cluster.put(cluster.ids[n % 3] as string, "busy", `value ${n}`)).status, 204);
      }
      // None on a machine that has time for them within one delay.
      const most = Math.floor((performance.now() - began) / delayMs);
      const meanwhile = proxy.count("PUT", bucket.name, "busy");
      assert.ok(meanwhile <= most, `${meanwhile} writes, at most ${most}`);
      await cluster.untilFlushed();
      assert.equal((await bucket.get("busy"))?.body.toString(), "value 99");
      const all = proxy.count("PUT", bucket.name, "busy");
      assert.ok(all <= most + 2, `${all} writes, at most ${most} + 2`);
    });

    test("a key that was deleted before its flush never reaches the bucket, and one deleted later leaves it", async () => {
      const { bucket, cluster } = stage();
      await Promise.all(["brief", "long"].map(async (key) => await cluster.put("a", key, "v")));
      assert.equal((await cluster.remove("b", "brief")).status, 204);
      await cluster.untilFlushed();
      assert.deepEqual([await bucket.get("brief"), (await bucket.get("long"))?.body.toString()], [undefined, "v"]);
      assert.equal((await cluster.remove("c", "long")).status, 204);
      for (const id of cluster.ids) assert.equal((await cluster.get(id, "long")).status, 404);
      await cluster.untilFlushed();
      assert.equal(await bucket.get("long"), undefined);
      for (const id of cluster.ids) assert.equal((await cluster.get(id, "long")).status, 404);
    });

    test("objects that the old service left in the bucket are served by both APIs, overwritten and deleted", async (t) => {
      const { bucket, cluster } = stage();
      const value = noise(new SimRandom(seedOf(t)), 5_000);
      const keys = ["old/1", "old/2"] as const;
      for (const key of keys) await bucket.put(key, value, { metadata: { extension: "jpg", key } });
      for (const id of cluster.ids) {
        const read = await cluster.get(id, "old/1");
        assert.ok(read.body.equals(value));
        assert.equal(read.headers["x-weir-meta-extension"], "jpg");
        assert.equal(read.headers["weir-version"], "0.0");
        assert.deepEqual(await cluster.http.json(cluster.url(id), "/get/old%2F1"), {
          key: "old/1",
          extension: "jpg",
          data: value.toString("base64"),
        });
      }
      const race = await cluster.put("a", "old/1", "x", { "if-none-match": "*" });
      assert.equal(race.status, 412);
      const fields = { key: "old/1", extension: "gif", data: Buffer.from("new").toString("base64") };
      const put = await cluster.http.request(cluster.url("b"), "POST", "/put/", { body: JSON.stringify(fields) });
      assert.equal(put.status, 200);
      assert.equal((await cluster.remove("c", "old/2")).status, 204);
      await cluster.untilFlushed();
      const stored = await bucket.get("old/1");
      assert.equal(stored?.body.toString(), "new");
      // As the old service would have left it, so that it can go on with the bucket.
      assert.deepEqual([stored.metadata["extension"], stored.metadata["key"]], ["gif", "old/1"]);
      assert.equal(await bucket.get("old/2"), undefined);
    });

    test("concurrent clients of a few keys see one register per key, and the bucket ends with its last value", async (t) => {
      const { bucket, cluster } = stage();
      const random = new SimRandom(seedOf(t));
      const keys = Array.from({ length: 5 }, (_, n) => `order/${n}`);
      const clients = new RecordedClients({ cluster, keys, random, faults: false });
      await clients.run(10, 100);
      const [first, ...others] = await Promise.all(cluster.ids.map(async (id) => await clients.readAll(id)));
      for (const other of others) assert.deepEqual(other, first);
      assert.deepEqual(clients.violations(), []);
      t.diagnostic(`${clients.answered} operations`);
      await cluster.untilFlushed();
      for (const key of keys) assert.equal((await bucket.get(key))?.body.toString(), first?.get(key), key);
    });
  });
}
