/**
 * A cluster whose view is removed from the store, or that is led to another store, stays one cluster: no node founds a
 * second one, and the log says what to do.
 */

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import { NodeProcess } from "../harness/node-process.ts";
import { ownPorts } from "../harness/own-ports.ts";

const viewOf = (cluster: TestCluster): string => join(cluster.storeFolder, ".weir", "view.json");

async function untilWaits(cluster: TestCluster, id: string, why: RegExp): Promise<void> {
  await cluster.until(20_000, `${id} waits`, async () => cluster.process(id).lines.some((line) => why.test(line)));
  assert.equal((await cluster.status(id)).epoch, 0);
}

describe("a stray copy of a node over another store", () => {
  test("gets no link, founds no cluster, and is named in the logs, while the cluster goes on undisturbed", async () => {
    await using cluster = await TestCluster.start();
    const { epoch } = await cluster.status("a");
    mkdirSync(join(cluster.folder, "other"));
    const port = (await ownPorts(1))[0] as number;
    const { nodes } = JSON.parse(readFileSync(cluster.configPath, "utf8")) as { nodes: { id: string; url: string }[] };
    const moved = nodes.map((node) => (node.id === "b" ? { ...node, url: `http://127.0.0.1:${port}` } : node));
    const configPath = cluster.writeOther("stray.json", {
      nodes: moved,
      store: { type: "file", path: "other" },
      data: "stray",
    });
    const stray = new NodeProcess({ id: "b", configPath, env: { WEIR_TEST_SECRET: cluster.secret } });
    try {
      const waits = /this node waits: the store has no cluster, and other nodes are in one/;
      await cluster.until(20_000, "it waits", async () => stray.lines.some((line) => waits.test(line)));
      const named = /the node \\"b\\" of this cluster is running.*a peer's call was refused/;
      await cluster.until(5_000, "it is named", async () =>
        cluster.process("a").lines.some((line) => named.test(line)),
      );
      assert.ok(stray.lines.some((line) => /a second node with the same id.*no link to a peer/.test(line)));
      for (const id of cluster.ids) {
        const status = await cluster.status(id);
        assert.equal(status.epoch, epoch);
        for (const member of status.members) assert.equal(member.state, "serving");
      }
    } finally {
      await stray.kill();
    }
  });
});

describe("a data folder that was brought back from a snapshot, while its view still stands", () => {
  test("is refused: its node waits, the others go on without it, and on an empty folder it is back", async () => {
    await using cluster = await TestCluster.start({ nodes: 2 });
    const data = join(cluster.folder, "weir-data", "a");
    const snapshot = join(cluster.folder, "snapshot");
    await cluster.put("a", "k", "old");
    cpSync(data, snapshot, { recursive: true });
    await cluster.remove("b", "k");
    await cluster.untilFlushed();
    await sleep(systemClock, 2_000);
    await cluster.process("a").kill();
    rmSync(data, { recursive: true });
    cpSync(snapshot, data, { recursive: true });
    cluster.restart("a");
    await untilWaits(cluster, "a", /this node waits: its data folder is an earlier state of itself/);
    const named = /the data folder of a peer is an earlier state of itself/;
    assert.ok(cluster.process("b").lines.some((line) => named.test(line)));
    await cluster.untilReady(["b"]);
    assert.equal((await cluster.get("b", "k")).status, 404);
    assert.equal((await cluster.process("a").stop(15_000)).code, 0);
    cluster.loseData("a");
    cluster.restart("a");
    await cluster.untilReady();
    assert.equal((await cluster.get("a", "k")).status, 404);
  });
});

describe("nodes over two stores", { concurrency: 2 }, () => {
  test("that are started at once are no cluster, and each says so", async () => {
    await using cluster = await TestCluster.start({ nodes: 1, config: { journal: "off" } });
    const ports = await ownPorts(2);
    const nodes = ports.map((port, index) => ({ id: `n${index}`, url: `http://127.0.0.1:${port}` }));
    const env = { WEIR_TEST_SECRET: cluster.secret };
    const started = nodes.map(({ id }) => {
      mkdirSync(join(cluster.folder, `store-${id}`));
      const store = { type: "file", path: `store-${id}` };
      return new NodeProcess({ id, configPath: cluster.writeOther(`${id}.json`, { nodes, store }), env });
    });
    try {
      const says = /the store has no cluster, and other nodes are in one|one of the two nodes is over another store/;
      await cluster.until(20_000, "one says so", async () =>
        started.some(({ lines }) => lines.some((line) => says.test(line))),
      );
      await sleep(systemClock, 3_000);
      const views = nodes.flatMap(({ id }) => {
        const path = join(cluster.folder, `store-${id}`, ".weir", "view.json");
        return existsSync(path) ? [JSON.parse(readFileSync(path, "utf8")) as { members: { id: string }[] }] : [];
      });
      assert.ok(views.length > 0);
      for (const view of views) assert.equal(view.members.length, 1);
    } finally {
      for (const process of started) await process.kill();
    }
  });

  test("without a journal: a rolling restart onto another cluster's store is refused, and the nodes go on", async () => {
    await using other = await TestCluster.start({ nodes: 3, config: { journal: "off" } });
    const elsewhere = readFileSync(viewOf(other));
    await using cluster = await TestCluster.start({ config: { journal: "off" } });
    await cluster.put("a", "k", "v");
    assert.equal((await cluster.process("a").stop(15_000)).code, 0);
    mkdirSync(join(cluster.folder, "other", ".weir"), { recursive: true });
    writeFileSync(join(cluster.folder, "other", ".weir", "view.json"), elsewhere);
    cluster.configure({ store: { type: "file", path: "other" } });
    cluster.restart("a");
    await untilWaits(cluster, "a", /this node waits: the store's cluster is not the one that other nodes/);
    assert.deepEqual(readFileSync(join(cluster.folder, "other", ".weir", "view.json")), elsewhere);
    assert.equal((await cluster.get("b", "k")).body.toString(), "v");
    await cluster.process("a").stop(15_000);
    cluster.configure({ store: { type: "file", path: "store" } });
    cluster.restart("a");
    await cluster.untilReady();
  });
});

describe("a cluster without its view", { concurrency: 2 }, () => {
  test("is joined by no node, whether its disk is lost or not, until the view is back", async () => {
    await using cluster = await TestCluster.start({ config: neverFlush });
    for (let number = 0; number < 10; number++) await cluster.put("a", `k${number}`, "v");
    const record = readFileSync(viewOf(cluster));
    await Promise.all(["b", "c"].map(async (id) => await cluster.process(id).kill()));
    rmSync(viewOf(cluster));
    cluster.loseData("b");
    for (const id of ["b", "c"]) cluster.restart(id);
    await untilWaits(cluster, "b", /this node waits: the store has no cluster, and other nodes are in one/);
    await untilWaits(cluster, "c", /this node waits: its data folder has acknowledged .*put that object back/);
    // A node that reads half of it ends: it must come at once.
    const aside = join(cluster.folder, "view.json");
    writeFileSync(aside, record);
    renameSync(aside, viewOf(cluster));
    await cluster.untilReady();
    assert.equal((await cluster.get("b", "k0")).body.toString(), "v");
  });

  test("puts it back by itself while all nodes run, and says meanwhile that it is gone", async () => {
    await using cluster = await TestCluster.start({ config: { peers: { viewCheckMs: 2_000 } } });
    const { epoch } = await cluster.status("a");
    rmSync(viewOf(cluster));
    await cluster.until(20_000, "a notices", async () => (await cluster.status("a")).recordTrouble !== undefined);
    assert.match((await cluster.http.request(cluster.url("a"), "GET", "/metrics")).body.toString(), /record_wrong 1/);
    await cluster.until(30_000, "it is back", async () => existsSync(viewOf(cluster)));
    await cluster.until(10_000, "all go by it", async () => (await cluster.status("c")).epoch > epoch);
    await cluster.untilReady();
    await cluster.process("c").kill();
    cluster.restart("c");
    await cluster.untilReady();
  });

  test("that is led to another store by a rolling restart goes on over its own, and says so", async () => {
    await using cluster = await TestCluster.start();
    await cluster.put("a", "k", "v");
    mkdirSync(join(cluster.folder, "other"));
    cluster.configure({ store: { type: "file", path: "other" } });
    assert.equal((await cluster.process("a").stop(15_000)).code, 0);
    cluster.restart("a");
    await untilWaits(cluster, "a", /this node waits: its data folder has been in a cluster, and the store has none/);
    assert.equal((await cluster.get("b", "k")).body.toString(), "v");
    await cluster.process("a").stop(15_000);
    cluster.configure({ store: { type: "file", path: "store" } });
    cluster.restart("a");
    await cluster.untilReady();
  });
});
