/**
 * A healthy cluster over a folder, as its clients see it: what was put on one node is there on all, at once and
 * unchanged.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openStore } from "../../src/store/open-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { TestCluster } from "../harness/cluster.ts";
import { noise } from "../harness/noise.ts";
import { RecordedClients } from "../harness/recorded-clients.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { setStage } from "../harness/stage.ts";

const mebibyte = 1024 ** 2;

describe("cluster", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start()) }));

  test("a value put on one node is read from the others at once, by many clients at the same time", async () => {
    const { cluster } = stage();
    const clients = 16;
    const rounds = 40;
    let stale = 0;
    await Promise.all(
      Array.from({ length: clients }, async (_, client) => {
        for (let round = 0; round < rounds; round++) {
          // Some keys are written once, some again and again, each time through the next node.
          const key = round % 2 === 0 ? `many/${client}` : `many/${client}/${round}`;
          const writer = cluster.ids[(client + round) % 3] as string;
          const value = `${client}.${round}`;
          const put = await cluster.put(writer, key, value);
          assert.equal(put.status, 204, put.body.toString());
          const reads = await Promise.all(cluster.ids.map(async (id) => await cluster.get(id, key)));
          for (const read of reads) {
            assert.equal(read.status, 200, read.body.toString());
            assert.equal(read.headers["etag"], put.headers["etag"]);
            assert.equal(read.headers["weir-version"], put.headers["weir-version"]);
            if (read.body.toString() !== value) stale++;
          }
        }
      }),
    );
    assert.equal(stale, 0);
  });

  test("concurrent clients of a few keys see one register per key, and the folder ends with its last value", async (t) => {
    const { cluster } = stage();
    const random = new SimRandom(seedOf(t));
    const keys = ["order/1", "order/2", "order/3", "order/4", "order/5", "order/6"];
    const clients = new RecordedClients({ cluster, keys, random, faults: false });
    await clients.run(12, 150);
    const [first, ...others] = await Promise.all(cluster.ids.map(async (id) => await clients.readAll(id)));
    for (const other of others) assert.deepEqual(other, first);
    await cluster.untilFlushed();
    // What is read now is not what was written, but what was kept when it had been flushed.
    assert.deepEqual(await clients.readAll("a"), first);
    assert.deepEqual(clients.violations(), []);
    t.diagnostic(`${clients.answered} operations`);
    for (const key of keys) {
      const stored = await readFile(join(cluster.storeFolder, key), "utf8").catch(() => undefined);
      assert.equal(stored, first?.get(key), key);
    }
  });

  test("of many conditional creations of a key through all nodes, exactly one wins", async () => {
    const { cluster } = stage();
    for (let round = 0; round < 20; round++) {
      const key = `race/${round}`;
      const racers = cluster.ids.flatMap((id) => [`${id}1`, `${id}2`]);
      const answers = await Promise.all(
        racers.map(async (name) => await cluster.put(name.charAt(0), key, name, { "if-none-match": "*" })),
      );
      const winners = racers.filter((_, index) => answers[index]?.status === 204);
      assert.equal(winners.length, 1, `won: ${winners.join(", ")}`);
      for (const answer of answers) assert.ok(answer.status === 204 || answer.code === "precondition_failed");
      for (const id of cluster.ids) assert.equal((await cluster.get(id, key)).body.toString(), winners[0]);
    }
  });

  test("values of 4 MiB go through together with small ones, each whole and none in the other's way", async (t) => {
    const { cluster } = stage();
    const random = new SimRandom(seedOf(t));
    const large = noise(random, 4 * mebibyte);
    let isBusy = true;
    const bulk = Promise.all(
      cluster.ids.flatMap((id) => [1, 2].map(async (n) => await cluster.put(id, `large/${id}${n}`, large))),
    ).then((answers) => {
      isBusy = false;
      for (const answer of answers) assert.equal(answer.status, 204, answer.body.toString());
    });
    let small = 0;
    while (isBusy) {
      const value = `small ${small}`;
      assert.equal((await cluster.put(cluster.ids[small % 3] as string, "small", value)).status, 204);
      const read = await cluster.get(cluster.ids[(small + 1) % 3] as string, "small");
      assert.equal(read.body.toString(), value);
      small++;
    }
    await bulk;
    t.diagnostic(`${small} small values meanwhile`);
    const reads = await Promise.all(
      cluster.ids.flatMap((id) => ["large/a1", "large/b2", "large/c1"].map(async (key) => await cluster.get(id, key))),
    );
    for (const read of reads) assert.ok(read.body.equals(large));
  });

  test("both APIs hold the same values: what one put, the other gives, and overwrites and deletes it", async (t) => {
    const { cluster } = stage();
    const value = noise(new SimRandom(seedOf(t)), 1000);
    const key = "legacy/ü & more.bin";
    const path = `/get/${encodeURIComponent(key)}`;
    const fields = { key, extension: "bin", data: value.toString("base64") };
    const put = await cluster.http.request(cluster.url("a"), "POST", "/put/", { body: JSON.stringify(fields) });
    assert.deepEqual([put.status, put.body.toString()], [200, '{"msg":"OK!"}']);
    for (const id of cluster.ids) {
      assert.deepEqual(await cluster.http.json(cluster.url(id), path), fields);
      const read = await cluster.get(id, key);
      assert.ok(read.body.equals(value));
      assert.equal(read.headers["x-weir-meta-extension"], "bin");
    }
    assert.equal((await cluster.put("b", key, "by the new one", { "x-weir-meta-extension": "txt" })).status, 204);
    const again = { key, extension: "txt", data: Buffer.from("by the new one").toString("base64") };
    for (const id of cluster.ids) assert.deepEqual(await cluster.http.json(cluster.url(id), path), again);
    assert.equal((await cluster.remove("c", key)).status, 204);
    const gone = await cluster.http.request(cluster.url("a"), "GET", path);
    assert.deepEqual([gone.status, gone.body.toString()], [404, `{"msg":"File with key ${key} not found!"}`]);
    const incomplete = await cluster.http.request(cluster.url("b"), "POST", "/put/", { body: '{"key":"x"}' });
    assert.deepEqual(
      [incomplete.status, incomplete.body.toString()],
      [409, `{"msg":"Required field 'data' is missing!"}`],
    );
  });

  test("a value reaches the folder byte for byte, with its headers, and leaves it when it is deleted", async (t) => {
    const { cluster } = stage();
    const value = noise(new SimRandom(seedOf(t)), 100_001);
    const headers = {
      "content-type": "image/png",
      "content-encoding": "gzip",
      "cache-control": "max-age=60",
      "content-disposition": 'attachment; filename="a.png"',
      "x-weir-meta-colour": "blue",
    };
    assert.equal((await cluster.put("a", "folder/a.png", value, headers)).status, 204);
    assert.equal((await cluster.put("b", "folder/plain", "")).status, 204);
    await cluster.untilFlushed();
    assert.ok((await readFile(join(cluster.storeFolder, "folder", "a.png"))).equals(value));
    await using store = openStore(
      { type: "file", path: cluster.storeFolder },
      { clock: systemClock, random: systemRandom },
    );
    const stored = await store.stat("folder/a.png", { deadlineMs: 5_000 });
    assert.deepEqual({ ...stored?.headers }, headers);
    assert.match(stored?.version ?? "", /^[0-9a-f]+\.[0-9a-f]{8}\.\d+\.\d+$/);
    assert.deepEqual({ ...(await store.stat("folder/plain", { deadlineMs: 5_000 }))?.headers }, {});

    assert.equal((await cluster.remove("c", "folder/a.png")).status, 204);
    for (const id of cluster.ids) assert.equal((await cluster.get(id, "folder/a.png")).status, 404);
    await cluster.untilFlushed();
    for (const id of cluster.ids) assert.equal((await cluster.get(id, "folder/a.png")).status, 404);
    assert.equal(await store.stat("folder/a.png", { deadlineMs: 5_000 }), undefined);
  });
});
