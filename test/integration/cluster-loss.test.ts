/**
 * Nodes whose disks are lost or full: what only they had is given up by name and never by accident, and a node that
 * can't write its journal acknowledges nothing more.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../../src/system.ts";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import type { Answer } from "../harness/http-client.ts";
import { noise } from "../harness/noise.ts";
import { SimRandom } from "../harness/sim-random.ts";

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
  const answers = await answersOf(cluster, node);
  for (const { status, body } of answers) assert.ok(status === 200 || status === 404, body.toString());
  return answers.filter(({ status }) => status === 200).length;
}

/** For each key, what a client of the node gets. */
async function answersOf(cluster: TestCluster, node: string): Promise<Answer[]> {
  return await Promise.all(keys.map((key) => cluster.get(node, key)));
}

/** Resolves once the node answers for all keys, which takes no restart of anything. */
async function untilNoneRefused(cluster: TestCluster, node: string): Promise<number> {
  const since = performance.now();
  await cluster.until(10_000, "all keys are served", async () => {
    return (await answersOf(cluster, node)).every(({ status }) => status !== 503);
  });
  return Math.round(performance.now() - since);
}

describe("weir forget", { concurrency: 2 }, () => {
  /** Requests for keys in doubt are given up sooner, since there are many. */
  const config = { ...neverFlush, request: { deadlineMs: 4_000 } };

  test("gives up what nodes had that are back on empty disks, while all run, and keys in doubt are served again within seconds", async (t) => {
    await using cluster = await TestCluster.start({ nodes: 4, config });
    await putAll(cluster);
    // It needs no secret: it talks to the store only.
    const forget = (...args: readonly string[]) => weir(["forget", ...args, "--config", cluster.configPath]);
    const gone = ["b", "c"];
    await Promise.all(gone.map(async (id) => await cluster.process(id).kill()));
    for (const id of gone) cluster.loseData(id);
    await cluster.until(10_000, "the others go on without them", async () => {
      const { settled, awaited } = await cluster.status("a");
      return settled && awaited.join() === "b,c";
    });
    for (const id of gone) cluster.restart(id);
    await cluster.untilReady();

    const refused = (await answersOf(cluster, "b")).filter(({ status }) => status !== 200);
    t.diagnostic(`${refused.length} of ${keys.length} keys are in doubt`);
    assert.ok(refused.length > 0 && refused.length < keys.length / 2);
    for (const { status, body, code } of refused) {
      assert.deepEqual([status, code], [503, "not_ready"]);
      assert.match(body.toString(), /start one of b, c with its data folder, or give them up with weir forget/);
    }
    const { code, stdout, stderr } = await forget("b", "--yes");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /stay in doubt, and are not served, until c is back with its data folder, or given up, too/);
    const last = await forget("c", "--yes");
    assert.match(last.stdout, /For about \d+\.\d % of the keys nobody else has .*: THAT IS LOST/);
    t.diagnostic(`all keys were served ${await untilNoneRefused(cluster, "d")} ms after weir forget had ended`);
    assert.equal(await countFound(cluster, "c"), keys.length - refused.length);
  });

  test("by force, where too few are left to be sure, has those join who wait on empty disks, and says what is lost", async () => {
    await using cluster = await TestCluster.start({ config });
    await putAll(cluster);
    const forget = (...args: readonly string[]) => weir(["forget", ...args, "--config", cluster.configPath]);
    const running = await forget("c", "--yes", "--force");
    assert.equal(running.code, 1);
    assert.match(running.stderr, /c runs: it answers at http.*weir leave/);

    const gone = ["b", "c"];
    await Promise.all(gone.map(async (id) => await cluster.process(id).kill()));
    for (const id of gone) cluster.loseData(id);
    cluster.restart("b");
    await cluster.until(10_000, "b has joined", async () => {
      const status = await cluster.status("b").catch(() => undefined);
      return status !== undefined && status.epoch > 0;
    });
    // With it, two of the three folders that there were are gone: a does not know whether they go on without it.
    cluster.restart("c");
    const waits = cluster.process("c").printed("more than half of the data folders of an earlier view would be gone");
    const refused = cluster.get("a", "key 0");
    const unconfirmed = await forget("c");
    assert.equal(unconfirmed.code, 2);
    assert.match(unconfirmed.stderr, /--yes is needed/);
    const unforced = await forget("c", "--yes");
    assert.equal(unforced.code, 1);
    assert.match(unforced.stderr, /without c, 1 of the 3 nodes of view \d+ \(a, b, c\) would be left/);
    assert.equal((await refused).status, 503);
    await waits;

    const first = await forget("c", "--yes", "--force");
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^c is taken out of the cluster\.\n(?:.*\n)+c is forgotten/);
    // With c vouched for, all go on; the keys of which b and c were the owners wait for what only b may have now.
    await cluster.untilReady();
    assert.deepEqual((await cluster.status("a")).awaited, ["b"]);
    assert.match((await weir(["status", "--url", cluster.url("a")])).stdout, /In doubt: .* on b only/);
    const second = await forget("b", "--yes", "--json");
    const { lost, inDoubt } = JSON.parse(second.stdout) as { lost: number; inDoubt: number };
    assert.ok(lost > 0.15 && lost < 0.55, `${lost} of the keys`);
    assert.equal(inDoubt, 0);
    await untilNoneRefused(cluster, "a");
    const found = await countFound(cluster, "c");
    // An estimate over all keys, and sixty of them.
    assert.ok(Math.abs(1 - lost - found / keys.length) < 0.25, `${found} of ${keys.length}, ${lost} lost`);
  });
});

test("while a majority is lost for long, requests that need it fail within a second or two, and the rest is served", async () => {
  await using cluster = await TestCluster.start({ config: { ...neverFlush, request: { deadlineMs: 4_000 } } });
  await putAll(cluster);
  await Promise.all(["b", "c"].map((id) => cluster.process(id).kill()));
  const timed = async (): Promise<{ status: number; ms: number }[]> =>
    await Promise.all(
      keys.map(async (key) => {
        const startedAt = systemClock.now();
        const { status } = await cluster.put("a", key, "later");
        return { status, ms: systemClock.now() - startedAt };
      }),
    );
  await cluster.until(25_000, "requests fail soon", async () => (await timed()).every(({ ms }) => ms < 2_500));
  const answers = await timed();
  assert.ok(
    answers.every(({ status }) => status === 503),
    "no write has two nodes",
  );
  const metrics = await cluster.http.request(cluster.url("a"), "GET", "/metrics");
  assert.match(metrics.body.toString(), /^weir_view_majority_lost 1$/m);
  const { stdout } = await weir(["status", "--url", cluster.url("a")]);
  assert.match(stdout, /These are more than half, so nothing is taken over here/);
  for (const id of ["b", "c"]) cluster.restart(id);
  await cluster.untilReady();
  assert.equal((await cluster.put("a", "key 0", "back")).status, 204);
});

describe("a node whose journal can't be written", () => {
  test("takes no part any more and says what to do, and the others have every value that was acknowledged", async () => {
    await using cluster = await TestCluster.start({ config: neverFlush });
    await cluster.process("c").kill();
    await cluster.until(10_000, "c is dropped", async () => (await cluster.status("a")).members.length === 2);
    cluster.restart("c", { fileBytes: 4 * mebibyte });
    await cluster.untilReady();
    const node = cluster.process("c");
    const isOut = async (): Promise<boolean> => (await cluster.status("c")).trouble !== undefined;
    const acknowledged: string[] = [];
    for (let index = 0; index < 100 && !(await isOut()); index++) {
      const answer = await cluster.put("a", `large ${index}`, contentOf(index));
      if (answer.status === 204) acknowledged.push(`large ${index}`);
    }
    assert.ok(await isOut());
    assert.match(
      node.lines.join("\n"),
      /the disk of the data folder [^ ]*weir-data\/c failed.*the journal has failed: this node takes no part/,
    );
    assert.ok(acknowledged.length > 2, "it was not full from the beginning");
    await cluster.until(10_000, "the others go on", async () => {
      const { settled, members } = await cluster.status("a");
      return settled && members.length === 2;
    });
    for (const key of acknowledged) {
      const { status, body } = await cluster.get("b", key);
      assert.equal(status, 200, key);
      assert.ok(body.equals(contentOf(Number(key.slice("large ".length)))), key);
    }
  });
});
