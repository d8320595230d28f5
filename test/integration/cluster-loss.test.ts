/**
 * Nodes whose disks are lost or full: what only they had is given up by name and never by accident, and a node that can't write its journal acknowledges
 * nothing more.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SimRandom } from "../simulation/sim-random.ts";
import { neverFlush, TestCluster } from "../support/cluster.ts";
import { weir } from "../support/command.ts";
import { noise } from "../support/noise.ts";

const mebibyte = 1024 ** 2;
const keys = Array.from({ length: 60 }, (_, index) => `key ${index}`);

function contentOf(index: number): Buffer {
  return noise(new SimRandom(index), mebibyte);
}

async function putAll(cluster: TestCluster): Promise<void> {
  await Promise.all(
    keys.map(async (key) => assert.equal((await cluster.put("a", key, `value of ${key}`)).status, 204)),
  );
}

/** How many of the keys the node has, which answers for all. */
async function countFound(cluster: TestCluster, node: string): Promise<number> {
  const answers = await Promise.all(keys.map((key) => cluster.get(node, key)));
  for (const { status, body } of answers) assert.ok(status === 200 || status === 404, body.toString());
  return answers.filter(({ status }) => status === 200).length;
}

describe("weir forget", () => {
  test("gives up lost nodes one by one, by force where too few are left to be sure, and says what is lost", async () => {
    await using cluster = await TestCluster.start({ config: { ...neverFlush, request: { deadlineMs: 4_000 } } });
    await putAll(cluster);
    // It needs no secret: it talks to the store only.
    const forget = (...args: readonly string[]) => weir(["forget", ...args, "--config", cluster.configPath]);
    const running = await forget("c", "--yes", "--force");
    assert.equal(running.code, 1);
    assert.match(running.stderr, /c runs: it answers at http.*weir leave/);

    for (const id of ["b", "c"]) {
      await cluster.process(id).kill();
    }
    for (const id of ["b", "c"]) cluster.loseData(id);
    await cluster.until(10_000, "a answers for nothing", async () => (await cluster.get("a", "key 0")).status === 503);
    const unconfirmed = await forget("b");
    assert.equal(unconfirmed.code, 2);
    assert.match(unconfirmed.stderr, /--yes is needed/);
    const unforced = await forget("b", "--yes");
    assert.equal(unforced.code, 1);
    assert.match(unforced.stderr, /b is a node of view \d+ \(a, b, c\)/);

    const first = await forget("b", "--yes", "--force");
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^b is taken out of the cluster\.\nNothing is lost: .*\nb is forgotten/);
    // With b vouched for, a may drop c by itself; then it waits for what only these two had.
    await cluster.until(10_000, "keys are in doubt", async () => {
      const { settled, awaited, members } = await cluster.status("a");
      return settled && members.length === 1 && awaited.join() === "c";
    });
    assert.match((await weir(["status", "--url", cluster.url("a")])).stdout, /In doubt: .* on c only/);
    const second = await forget("c", "--yes", "--json");
    const { lost, inDoubt } = JSON.parse(second.stdout) as { lost: number; inDoubt: number };
    assert.ok(lost > 0.15 && lost < 0.55, `${lost} of the keys`);
    assert.equal(inDoubt, 0);

    await cluster.until(20_000, "a serves all keys", async () => {
      const statuses = await Promise.all(keys.map(async (key) => (await cluster.get("a", key)).status));
      return !statuses.includes(503);
    });
    const found = await countFound(cluster, "a");
    // An estimate over all keys, and sixty of them.
    assert.ok(Math.abs(1 - lost - found / keys.length) < 0.25, `${found} of ${keys.length}, ${lost} lost`);
  });
});

describe("a node whose journal can't be written", () => {
  test("ends at once with what to do, and the others have every value that was acknowledged", async () => {
    await using cluster = await TestCluster.start({ config: neverFlush });
    await cluster.process("c").kill();
    await cluster.until(10_000, "c is dropped", async () => (await cluster.status("a")).members.length === 2);
    cluster.restart("c", { fileBytes: 4 * mebibyte });
    await cluster.untilReady();
    const node = cluster.process("c");
    const ended = node.expectEnd();
    const acknowledged: string[] = [];
    for (let index = 0; node.isRunning && index < 100; index++) {
      const answer = await cluster.put("a", `large ${index}`, contentOf(index));
      if (answer.status === 204) acknowledged.push(`large ${index}`);
    }
    assert.deepEqual(await ended, { code: 1, signal: null });
    assert.match(node.lines.join("\n"), /the disk of the data folder [^ ]*weir-data\/c failed.*the node can't go on/);
    assert.ok(acknowledged.length > 2, "it was not full from the beginning");
    await cluster.until(10_000, "the others go on", async () => (await cluster.status("a")).settled);
    for (const key of acknowledged) {
      const { status, body } = await cluster.get("b", key);
      assert.equal(status, 200, key);
      assert.ok(body.equals(contentOf(Number(key.slice("large ".length)))), key);
    }
  });
});
