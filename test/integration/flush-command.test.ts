/**
 * `weir flush` over a real cluster: what was acknowledged is in the store when it says so, and what can't get there is
 * named.
 */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import { setStage } from "../harness/stage.ts";
import { refuseStubbornKeys, stubbornPrefix, takeStoreAway } from "../harness/stubborn-keys.ts";

const keyCount = 60;

async function putAll(cluster: TestCluster, prefix: string): Promise<void> {
  for (let n = 0; n < keyCount; n++) assert.equal((await cluster.put("a", `${prefix}${n}`, `${n}`)).status, 204);
}

function stored(cluster: TestCluster, prefix: string): number {
  return readdirSync(cluster.storeFolder).filter((name) => name.startsWith(prefix)).length;
}

describe("weir flush, of a cluster that would flush in an hour", () => {
  const stage = setStage(async (stack) => ({
    cluster: stack.use(await TestCluster.start({ nodes: 3, config: neverFlush })),
  }));
  const flush = (...args: string[]) => weir(["flush", "--config", stage().cluster.configPath, ...args]);

  test("waits until all that was put is in the store", async () => {
    const { cluster } = stage();
    await putAll(cluster, "first-");
    assert.equal(stored(cluster, "first-"), 0);
    const { code, stdout, stderr } = await flush();
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "everything is in the store\n");
    assert.equal(stored(cluster, "first-"), keyCount);
    // What comes later waits as ever.
    await putAll(cluster, "second-");
    assert.equal(stored(cluster, "second-"), 0);
    const again = await flush("--json");
    assert.equal(again.code, 0);
    const { outcome, keys, bytes, failing } = JSON.parse(again.stdout);
    assert.deepEqual({ outcome, keys, bytes, failing }, { outcome: "stored", keys: 0, bytes: 0, failing: [] });
    assert.equal(stored(cluster, "second-"), keyCount);
    assert.deepEqual(JSON.parse((await flush("--json")).stdout).outcome, "stored", "nothing to do is done");
  });

  test("says with --no-wait how much is on its way, and that it goes", async () => {
    const { cluster } = stage();
    await putAll(cluster, "third-");
    const { code, stdout } = await flush("--no-wait");
    assert.equal(code, 0);
    assert.match(stdout, /^60 keys, 110 B, are on their way to the store\n$/);
    await cluster.untilFlushed();
    assert.equal(stored(cluster, "third-"), keyCount);
  });

  test("waits for a store that is away, and gives up after --timeout with what is left and why", async () => {
    const { cluster } = stage();
    await putAll(cluster, "fourth-");
    const giveBack = takeStoreAway(cluster.storeFolder);
    const late = await flush("--timeout", "0.5");
    giveBack();
    assert.equal(late.code, 1);
    assert.match(late.stderr, /weir: 60 keys, 110 B, are not in the store/);
    const again = await flush();
    assert.equal(again.code, 0, again.stderr);
    assert.equal(stored(cluster, "fourth-"), keyCount);
  });

  test("ends with the keys that the store refuses for good, once all others are there", async (t) => {
    const { cluster } = stage();
    t.after(refuseStubbornKeys(cluster.storeFolder));
    await cluster.put("b", `${stubbornPrefix}x`, "value");
    await putAll(cluster, "fifth-");
    const { code, stdout, stderr } = await flush();
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /weir: 1 key, 5 B, is not in the store, which refuses it\n/);
    assert.match(stderr, /^ {6}"looped\/x" \(5 B, for .*\): .*\(store_refused\)$/m);
    assert.equal(stored(cluster, "fifth-"), keyCount);
    // As weir drop writes and takes it.
    const { failing } = JSON.parse((await flush("--json")).stdout) as { failing: { key: string; version: string }[] };
    assert.deepEqual(
      failing.map(({ key, version }) => [key, /^[1-9]\d*\.[1-9]\d*$/.test(version)]),
      [[`${stubbornPrefix}x`, true]],
    );
  });

  test("of a cluster that has lost a node waits for what the others took over", async () => {
    const { cluster } = stage();
    await putAll(cluster, "sixth-");
    const ended = cluster.process("c").expectEnd();
    cluster.process("c").signal("SIGKILL");
    await ended;
    // It may be asked before anybody has noticed.
    const { code, stderr } = await weir(["flush", "--url", cluster.url("a"), "--timeout", "30"]);
    assert.equal(code, 0, stderr);
    assert.equal(stored(cluster, "sixth-"), keyCount);
  });
});
