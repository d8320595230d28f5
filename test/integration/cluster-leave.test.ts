/**
 * Nodes that leave because somebody wants them to, by command, by configuration or by signal: what they hold goes to
 * the others, and their processes end well.
 */

import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";

const keys = Array.from({ length: 60 }, (_, index) => `key ${index}`);

async function putAll(cluster: TestCluster): Promise<void> {
  await Promise.all(
    keys.map(async (key, index) => {
      const node = cluster.ids[index % cluster.ids.length] as string;
      assert.equal((await cluster.put(node, key, `value of ${key}`)).status, 204);
    }),
  );
}

async function assertAll(cluster: TestCluster, node: string): Promise<void> {
  for (const key of keys) assert.equal((await cluster.get(node, key)).body.toString(), `value of ${key}`);
}

async function membersSeenBy(cluster: TestCluster, node: string): Promise<readonly string[]> {
  return (await cluster.status(node)).members.map(({ id }) => id);
}

describe("a node that leaves", { concurrency: 2 }, () => {
  test("because weir leave asks it to, hands over what is in no store yet, and its process ends with 0", async () => {
    await using cluster = await TestCluster.start({ config: neverFlush });
    await putAll(cluster);
    const ended = cluster.process("c").expectEnd();
    const { code, stdout, stderr } = await weir(["leave", "--url", cluster.url("c")]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^c has left the cluster: a, b are in view \d+\n$/);
    assert.match(stderr, /^c /);
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.deepEqual(await membersSeenBy(cluster, "a"), ["a", "b"]);
    await assertAll(cluster, "b");
  });

  test("because its entry was removed from the file that all watch, ends by itself, and no client notices", async () => {
    await using cluster = await TestCluster.start({ config: neverFlush });
    await putAll(cluster);
    const ended = cluster.process("b").expectEnd();
    let hasEnded = false;
    void ended.then(() => {
      hasEnded = true;
    });
    cluster.listOnly(["a", "c"]);
    while (!hasEnded) {
      for (const node of ["a", "c"]) {
        const key = keys[0] as string;
        assert.equal((await cluster.get(node, key)).status, 200);
        assert.equal((await cluster.put(node, key, `value of ${key}`)).status, 204);
      }
      await sleep(systemClock, 5);
    }
    assert.deepEqual(await ended, { code: 0, signal: null });
    await cluster.process("b").printed("this node is no longer in the configuration");
    await cluster.until(20_000, "the others know", async () => (await membersSeenBy(cluster, "c")).length === 2);
    await assertAll(cluster, "a");
  });

  test("because the others' file does not name it any more, is asked by them, though its own file does, and drains first", async () => {
    await using cluster = await TestCluster.start({ nodes: 2, config: { ...neverFlush, http: { drainMs: 3_000 } } });
    const id = await cluster.add();
    cluster.listOnly(["a", "b", id]);
    await cluster.process("a").printed('"added":["c"]');
    await cluster.untilReady();
    await putAll(cluster);
    const ended = cluster.process(id).expectEnd();
    const url = cluster.url(id);
    cluster.listOnly(["a", "b"]);
    await cluster.until(20_000, "it is not ready any more", async () => {
      return (await cluster.http.request(url, "GET", "/readyz")).status === 503;
    });
    // A member like any other, meanwhile.
    await sleep(systemClock, 1_000);
    const { members } = await cluster.status("a");
    assert.ok((members.find((member) => member.id === id)?.weight ?? 0) > 0);
    assert.deepEqual(await ended, { code: 0, signal: null });
    await assertAll(cluster, "a");
  });

  test("stays when a single other node's file does not name it, and says who asks", async () => {
    await using cluster = await TestCluster.start({ config: neverFlush });
    const id = await cluster.add();
    await cluster.untilReady();
    await cluster.until(20_000, "it is in", async () => (await membersSeenBy(cluster, "a")).length === 4);
    await putAll(cluster);
    const { nodes } = JSON.parse(readFileSync(join(cluster.folder, `cluster-${id}.json`), "utf8")) as {
      nodes: { id: string }[];
    };
    cluster.writeOther(`cluster-${id}.json`, { nodes: nodes.filter((node) => node.id === id) });
    await cluster.process(id).printed('"removed":["a","b","c"]');
    for (const other of ["a", "b", "c"]) {
      await cluster.process(other).printed("ask it to leave; it stays");
      await cluster.process(other).printed(`"asking":["${id}"]`);
    }
    await cluster.process(id).printed("was asked to leave, and stays");
    assert.deepEqual(await membersSeenBy(cluster, id), ["a", "b", "c", id]);
    await assertAll(cluster, id);
    cluster.writeOther(`cluster-${id}.json`, { nodes });
    await cluster.process(id).printed('"added":["a","b","c"]');
  });

  test("as the last one sends everything to the store first, and the next start finds it", async () => {
    await using cluster = await TestCluster.start({ nodes: 1, config: { ...neverFlush, replicas: 1 } });
    await putAll(cluster);
    assert.ok((await cluster.figures("a")).dirtyKeys > 0);
    const ended = cluster.process("a").expectEnd();
    const { code, stdout } = await weir(["leave", "--config", cluster.configPath, "--node", "a", "--json"]);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), { node: "a", kind: "ended", left: true });
    assert.deepEqual(await ended, { code: 0, signal: null });
    cluster.loseData("a");
    cluster.restart("a");
    await cluster.untilReady();
    await assertAll(cluster, "a");
  });
});

describe("a node that is stopped", () => {
  test("by a second signal while the store keeps it from leaving, ends at once, and its journal has what it held", async () => {
    await using cluster = await TestCluster.start({ nodes: 2, config: neverFlush });
    await putAll(cluster);
    // A store whose folder is a file refuses everything.
    renameSync(cluster.storeFolder, `${cluster.storeFolder}.away`);
    writeFileSync(cluster.storeFolder, "");
    const ends = ["a", "b"].map((id) => cluster.process(id).expectEnd());
    for (const id of ["a", "b"]) cluster.process(id).signal("SIGTERM");
    // Sooner it would be taken for an echo of the first.
    await sleep(systemClock, 600);
    for (const id of ["a", "b"]) cluster.process(id).signal("SIGTERM");
    for (const end of ends) assert.deepEqual(await end, { code: 143, signal: null });
    await cluster.process("a").printed("stopped at once; nothing is lost");
    renameSync(cluster.storeFolder, `${cluster.storeFolder}.file`);
    renameSync(`${cluster.storeFolder}.away`, cluster.storeFolder);
    for (const id of ["a", "b"]) cluster.restart(id);
    await cluster.untilReady();
    await assertAll(cluster, "a");
  });
});

describe("a node whose configuration changes", { concurrency: 2 }, () => {
  test("reads it on SIGHUP, which does not stop it, and ignores it while it has mistakes", async () => {
    await using cluster = await TestCluster.start({ nodes: 1 });
    const node = cluster.process("a");
    node.signal("SIGHUP");
    await node.printed("the configuration was read again: nothing that can change while the node runs has changed");
    writeFileSync(cluster.configPath, "{");
    await node.printed("the configuration has changed and is wrong");
    cluster.listOnly(["a"]);
    assert.equal((await cluster.put("a", "k", "v")).status, 204);
    assert.equal(node.isRunning, true);
  });

  test("reaches a node that is added to it", async () => {
    await using cluster = await TestCluster.start({ nodes: 2 });
    const id = await cluster.add();
    cluster.listOnly(cluster.ids);
    await cluster.process("a").printed('"added":["c"]');
    await cluster.untilReady();
    assert.deepEqual(await membersSeenBy(cluster, "a"), ["a", "b", id]);
  });
});
