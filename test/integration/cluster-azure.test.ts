/**
 * A cluster over a container of Azure: what reaches it, what comes back, and what becomes of it when nodes restart and
 * are lost. The container is looked at with Azure's own client. Nothing is cached, so that every value that has been
 * flushed is read from the container again.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { azureServerFromEnvironment, freshContainer } from "../harness/azure-server.ts";
import { TestCluster } from "../harness/cluster.ts";
import { noise } from "../harness/noise.ts";
import { RecordedClients } from "../harness/recorded-clients.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { setStage } from "../harness/stage.ts";

const server = azureServerFromEnvironment();

if (typeof server === "string") test("cluster over a container of Azure", { skip: server });
else {
  describe("cluster over a container of Azure", () => {
    const stage = setStage(async (stack) => {
      const container = await freshContainer(server);
      const cluster = await TestCluster.start({
        store: {
          type: "azure",
          container: container.containerName,
          prefix: "p/",
          account: server.account,
          endpoint: server.endpoint,
          accountKey: "env:WEIR_TEST_ACCOUNT_KEY",
        },
        env: { WEIR_TEST_ACCOUNT_KEY: server.accountKey },
        config: { buffer: { cacheBytes: 0 } },
      });
      return { container, cluster: stack.use(cluster) };
    });

    test("a value reaches the container byte for byte with its headers, and comes back the same from every node", async (t) => {
      const { container, cluster } = stage();
      const value = noise(new SimRandom(seedOf(t)), 300_003);
      const headers = { "content-type": "image/png", "cache-control": "no-cache", "x-weir-meta-colour": "blue" };
      const put = await cluster.put("a", "photos/ü a.png", value, headers);
      assert.equal(put.status, 204);
      await cluster.untilFlushed();
      const blob = container.getBlobClient("p/photos/ü a.png");
      assert.ok((await blob.downloadToBuffer()).equals(value));
      const properties = await blob.getProperties();
      assert.deepEqual([properties.contentType, properties.cacheControl], ["image/png", "no-cache"]);
      const { weir_version: version, ...metadata } = properties.metadata ?? {};
      assert.deepEqual(metadata, { colour: "blue" });
      assert.ok(version?.endsWith(`.${put.headers["weir-version"]}`), String(version));
      for (const id of cluster.ids) {
        const read = await cluster.get(id, "photos/ü a.png");
        assert.ok(read.body.equals(value));
        for (const [name, sent] of Object.entries(headers)) assert.equal(read.headers[name], sent, name);
        assert.equal(read.headers["etag"], put.headers["etag"]);
      }
    });

    test("keys that Azure holds under no name of their own are values like any other, and can be deleted", async () => {
      const { cluster } = stage();
      const keys = ["a\\b", "odd/../b.", "end.", "\u{1F600}", "tab\there", "d/".repeat(300)];
      for (const key of keys) assert.equal((await cluster.put("b", key, `of ${key}`)).status, 204);
      await cluster.untilFlushed();
      for (const key of keys) assert.equal((await cluster.get("c", key)).body.toString(), `of ${key}`);
      for (const key of keys) assert.equal((await cluster.remove("a", key)).status, 204);
      await cluster.untilFlushed();
      for (const key of keys) assert.equal((await cluster.get("b", key)).status, 404);
    });

    test("a blob that others put there is served, created only once, overwritten and deleted", async () => {
      const { container, cluster } = stage();
      await container.getBlockBlobClient("p/theirs").upload("old", 3, { metadata: { Extension: "jpg" } });
      const read = await cluster.get("c", "theirs");
      assert.deepEqual([read.body.toString(), read.headers["x-weir-meta-extension"]], ["old", "jpg"]);
      assert.equal((await cluster.put("a", "theirs", "x", { "if-none-match": "*" })).status, 412);
      assert.equal((await cluster.put("a", "theirs", "new")).status, 204);
      await cluster.untilFlushed();
      assert.equal((await container.getBlobClient("p/theirs").downloadToBuffer()).toString(), "new");
      assert.equal((await cluster.remove("b", "theirs")).status, 204);
      await cluster.untilFlushed();
      assert.equal(await container.getBlobClient("p/theirs").exists(), false);
    });

    test("while a node is killed and comes back, clients see one register per key, and the container ends with its last value", async (t) => {
      const { container, cluster } = stage();
      const random = new SimRandom(seedOf(t));
      const keys = Array.from({ length: 6 }, (_, n) => `order/${n}`);
      const clients = new RecordedClients({ cluster, keys, random, faults: true });
      const running = clients.run(6, 150);
      await cluster.process("b").kill();
      cluster.restart("b");
      await running;
      const [first, ...others] = await Promise.all(cluster.ids.map(async (id) => await clients.readAll(id)));
      for (const other of others) assert.deepEqual(other, first);
      assert.deepEqual(clients.violations(), []);
      await cluster.untilFlushed();
      for (const key of keys) {
        const blob = container.getBlobClient(`p/${key}`);
        const stored = (await blob.exists()) ? (await blob.downloadToBuffer()).toString() : undefined;
        assert.equal(stored, first?.get(key), key);
      }
    });
  });
}
