/**
 * Large values over a bucket: in parts, which a cluster that is lost, a client that goes away and a server that fails
 * leave nothing of.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import http from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { noHeaders } from "../../src/core/entry.ts";
import { S3Store } from "../../src/store/s3/s3-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { TestBucket } from "../harness/bucket.ts";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import { noise } from "../harness/noise.ts";
import { type S3Server, s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { setStage } from "../harness/stage.ts";
import { StoreProxy } from "../harness/store-proxy.ts";

const server = s3ServerFromEnvironment();

const mebibyte = 1024 ** 2;
/** Seven parts, of which the last is short. */
const size = 33 * mebibyte + 1;
const partBytes = 5 * mebibyte;
/** S3's own limit. */
const pageUploads = 1_000;
const options = { deadlineMs: 20_000 };

if (typeof server === "string") test("large values over a bucket", { skip: server });
else {
  describe("large values over a bucket", () => {
    const stage = setStage(async (stack) => {
      const bucket = stack.use(await TestBucket.create(server));
      const proxy = stack.use(await StoreProxy.start(server.endpoint));
      const config = { buffer: { maxValueBytes: mebibyte, cacheBytes: 0 }, large: { partBytes } };
      const store = stack.use(storeOf(server, bucket.name));
      const cluster = stack.use(await TestCluster.start({ ...bucket.clusterOptions(proxy.url), config }));
      return { bucket, proxy, store, cluster };
    });

    test("a value of 33 MiB is one object of seven parts when its put is answered, and comes back from every node", async (t) => {
      const { bucket, cluster } = stage();
      const value = noise(new SimRandom(seedOf(t)), size);
      const put = await cluster.put("a", "films/ü a", value, { "content-type": "video/x", "x-weir-meta-a": "b" });
      assert.equal(put.status, 204, put.body.toString());
      assert.equal(put.headers["etag"], tagOfParts(value));
      const stored = await bucket.get("films/ü a");
      assert.ok(stored !== undefined);
      assert.ok(stored.body.equals(value));
      assert.equal(stored.contentType, "video/x");
      assert.deepEqual(Object.keys(stored.metadata).toSorted(), ["a", "weir-upload"]);
      for (const id of cluster.ids) {
        const read = await cluster.get(id, "films/ü a");
        assert.equal(read.status, 200, `${id}: ${read.body.toString("utf8", 0, 500)}`);
        assert.ok(read.body.equals(value), id);
        assert.equal(read.headers["etag"], put.headers["etag"]);
        assert.equal(read.headers["x-weir-meta-a"], "b");
        assert.equal(read.headers["weir-upload"], undefined);
        const part = await cluster.get(id, "films/ü a", { range: `bytes=${partBytes - 2}-${partBytes + 2}` });
        assert.deepEqual([part.status, part.body], [206, value.subarray(partBytes - 2, partBytes + 3)]);
      }
    });

    test("small and large values of a key and its removal replace each other in order, in the bucket too", async (t) => {
      const { bucket, cluster } = stage();
      const random = new SimRandom(seedOf(t));
      const values = [
        noise(random, size),
        Buffer.from("small"),
        noise(random, 2 * mebibyte),
        undefined,
        noise(random, 6 * mebibyte),
      ];
      for (const [step, value] of values.entries()) {
        const writer = cluster.ids[step % 3] as string;
        const answer = value ? await cluster.put(writer, "turns", value) : await cluster.remove(writer, "turns");
        assert.equal(answer.status, 204, answer.body.toString());
        for (const id of cluster.ids) {
          const read = await cluster.get(id, "turns");
          assert.equal(read.status, value ? 200 : 404, `step ${step}: ${read.body.toString("utf8", 0, 500)}`);
          if (value) assert.ok(read.body.equals(value), `step ${step}`);
        }
      }
      await cluster.untilFlushed();
      assert.ok((await bucket.get("turns"))?.body.equals(values.at(-1) as Buffer));
    });

    test("a client that goes away leaves no parts in the bucket", async (t) => {
      const { cluster, store } = stage();
      const request = http.request(`${cluster.url("b")}/kv/gone`, {
        method: "PUT",
        headers: { "content-length": String(size) },
      });
      request.on("error", () => undefined);
      request.write(noise(new SimRandom(seedOf(t)), 12 * mebibyte));
      await cluster.until(10_000, "an upload is begun", async () => (await store.listUploads(options)).length === 1);
      await sleep(systemClock, 100);
      request.destroy();
      await cluster.until(10_000, "it is aborted", async () => (await store.listUploads(options)).length === 0);
      assert.equal((await cluster.get("a", "gone")).status, 404);
    });

    test("what the server refuses for a while, the beginning and the parts, is sent again", async (t) => {
      const { bucket, proxy, store, cluster } = stage();
      const value = noise(new SimRandom(seedOf(t)), size);
      const begun = proxy.total("POST");
      proxy.setPace({ bytesPerSecond: 30 * mebibyte });
      proxy.refuse({ status: 503, code: "SlowDown" });
      const put = cluster.put("c", "again", value);
      await cluster.until(10_000, "its beginning is refused", () => Promise.resolve(proxy.total("POST") > begun));
      proxy.pass();
      await cluster.until(10_000, "an upload is begun", async () => (await store.listUploads(options)).length === 1);
      proxy.setPace({});
      const refused = proxy.total("PUT");
      proxy.refuse({ status: 503, code: "SlowDown" });
      await cluster.until(10_000, "parts are refused", () => Promise.resolve(proxy.total("PUT") > refused + 2));
      proxy.pass();
      const answer = await put;
      assert.equal(answer.status, 204, answer.body.toString());
      assert.ok((await bucket.get("again"))?.body.equals(value));
    });

    test("a sender hears at once that the server refuses its parts, however long it takes for the next byte", async (t) => {
      const { cluster, proxy, store } = stage();
      const request = http.request(`${cluster.url("a")}/kv/refused`, {
        method: "PUT",
        headers: { "content-length": String(size) },
      });
      request.on("error", () => undefined);
      const answered = once(request, "response") as Promise<[http.IncomingMessage]>;
      request.flushHeaders();
      await cluster.until(10_000, "an upload is begun", async () => (await store.listUploads(options)).length === 1);
      proxy.refuse({ status: 403, code: "AccessDenied" });
      const sentAt = systemClock.now();
      request.write(noise(new SimRandom(seedOf(t)), partBytes + 1));
      const [response] = await answered;
      // By default the node would wait for 30 s.
      assert.ok(systemClock.now() - sentAt < 10_000);
      assert.equal(response.statusCode, 503);
      response.resume();
      request.destroy();
      proxy.pass();
      for (const { name, id } of await store.listUploads(options)) await store.abortUpload(name, id, options);
    });

    test("a value that the server refuses when its parts are there is given up: its sender hears why, and later writes go on", async (t) => {
      const { cluster, proxy, bucket, store } = stage();
      const value = noise(new SimRandom(seedOf(t)), 6 * mebibyte);
      for (const id of cluster.ids) {
        const key = `unwanted/${id}`;
        assert.equal((await cluster.put(id, key, "earlier")).status, 204);
        const isCompletion = (method: string, url: string): boolean => method === "POST" && url.includes("uploadId=");
        proxy.refuse({ status: 403, code: "QuotaExceeded", only: isCompletion });
        const sentAt = systemClock.now();
        const large = cluster.put(id, key, value);
        await cluster.until(10_000, "its parts are there", async () => (await store.listUploads(options)).length === 1);
        const later = cluster.put(id, `${key}/other`, "as ever");
        const { status, body } = await large;
        const problem = JSON.parse(body.toString()) as { code: string; detail: string };
        assert.equal(status, 503);
        assert.equal(problem.code, "store_refused");
        assert.match(problem.detail, /QuotaExceeded.*nothing was stored/);
        assert.ok(systemClock.now() - sentAt < 5_000, "it need not wait for its deadline");
        assert.equal((await later).status, 204);
        assert.deepEqual(await store.listUploads(options), []);
        assert.equal((await cluster.get("b", key)).body.toString(), "earlier");
        assert.equal((await cluster.put("c", key, "later")).status, 204);
        assert.equal((await cluster.get("a", key)).body.toString(), "later");
        proxy.pass();
        assert.equal((await cluster.put(id, key, value)).status, 204);
        assert.ok((await bucket.get(key))?.body.equals(value));
      }
    });

    test("what the server refuses whatever it is asked is kept, and done when it does not any more", async (t) => {
      const { cluster, proxy, bucket } = stage();
      const value = noise(new SimRandom(seedOf(t)), 6 * mebibyte);
      const isOfAnUpload = (method: string, url: string): boolean => method !== "PUT" && url.includes("uploadId=");
      proxy.refuse({ status: 403, code: "InvalidAccessKeyId", only: isOfAnUpload });
      const deletes = proxy.total("DELETE");
      const large = cluster.put("a", "kept", value);
      await cluster.until(10_000, "its abortion is refused, too", () =>
        Promise.resolve(proxy.total("DELETE") > deletes),
      );
      proxy.pass();
      assert.equal((await large).status, 204);
      assert.ok((await bucket.get("kept"))?.body.equals(value));
    });

    test("a large value comes in although its key is written all the time", async (t) => {
      const { cluster } = stage();
      const value = noise(new SimRandom(seedOf(t)), 6 * mebibyte);
      let isOver = false;
      const writing = cluster.ids.map(async (id) => {
        for (let n = 0; !isOver; n++) {
          assert.equal((await cluster.put(id, "hot", `${id} ${n}`)).status, 204);
          await sleep(systemClock, 2);
        }
      });
      await sleep(systemClock, 300);
      try {
        for (const id of cluster.ids) assert.equal((await cluster.put(id, "hot", value)).status, 204);
      } finally {
        isOver = true;
        await Promise.all(writing);
      }
      await cluster.untilFlushed();
    });

    test("weir import and export leave a large value alone that is the same in the bucket, and no other", async (t) => {
      const { cluster } = stage();
      const value = noise(new SimRandom(seedOf(t)), 12 * mebibyte);
      const folder = join(cluster.folder, "films");
      await mkdir(folder);
      await writeFile(join(folder, "film"), value);
      const copied = async (command: "import" | "export"): Promise<number> => {
        const args = [command, folder, "--prefix", "copied/", "--json", "--url", cluster.url("a")];
        const { code, stdout, stderr } = await weir(args);
        assert.equal(code, 0, stderr);
        return (JSON.parse(stdout) as { copied: number }).copied;
      };
      assert.deepEqual([await copied("import"), await copied("import"), await copied("export")], [1, 0, 0]);
      value[0] = (value[0] as number) ^ 1;
      await writeFile(join(folder, "film"), value);
      assert.deepEqual([await copied("import"), await copied("import")], [1, 0]);
      assert.ok((await cluster.get("b", "copied/film")).body.equals(value));
    });

    test("more uploads than a page of the server's list has are all told of, and nobody else's", async () => {
      const { store, bucket } = stage();
      await using one = storeOf(server, bucket.name, "one & <only>/");
      const begin = async (at: S3Store, n: number): Promise<string> => {
        // A key has several: the next page may begin between two of them.
        return (await at.beginUpload(`ü & <${n % 7}>`, { headers: noHeaders, token: "t" }, options)).id;
      };
      const begun = await Promise.all(Array.from({ length: pageUploads + 1 }, async (_, n) => await begin(one, n)));
      await begin(store, 0);
      const found = await one.listUploads(options);
      assert.deepEqual(found.map(({ id }) => id).toSorted(), begun.toSorted());
      assert.equal(new Set(found.map(({ name }) => name)).size, 7);
      await Promise.all(found.map(async ({ name, id }) => await one.abortUpload(name, id, options)));
      assert.deepEqual(await one.listUploads(options), []);
      assert.equal((await store.listUploads(options)).length, 1);
    });
  });
}

function storeOf({ endpoint, accessKeyId, secretAccessKey, region }: S3Server, bucket: string, prefix = ""): S3Store {
  const settings = { endpoint, accessKeyId, secretAccessKey, region, bucket, prefix };
  return new S3Store(
    { ...settings, forcePathStyle: true, connections: 16 },
    { clock: systemClock, random: systemRandom },
  );
}

/** As S3 makes it: of the parts' hashes. */
function tagOfParts(value: Buffer): string {
  const whole = createHash("md5");
  let count = 0;
  for (let offset = 0; offset < value.length; offset += partBytes, count++) {
    whole.update(
      createHash("md5")
        .update(value.subarray(offset, offset + partBytes))
        .digest(),
    );
  }
  return `"${whole.digest("hex")}-${count}"`;
}
