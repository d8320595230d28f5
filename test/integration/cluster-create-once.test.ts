/**
 * `PUT If-None-Match: *` creates at most once, cluster-wide: of many at once through all nodes one wins, and what it
 * wrote is what everyone reads; also while a node is lost, and while the values flow to the store and leave memory.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestCluster } from "../harness/cluster.ts";
import type { Answer } from "../harness/http-client.ts";
import { setStage } from "../harness/stage.ts";

const writers = 100;
const keys = Array.from({ length: 6 }, (_, n) => `once-${n}`);

/**
 * Each key is put by `writers` clients at once, through these nodes by turns; the answers by key, in the order of the
 * clients.
 */
async function putAll(cluster: TestCluster, ids: readonly string[], prefix: string): Promise<Map<string, Answer[]>> {
  const all = keys.map(async (key): Promise<[string, Answer[]]> => {
    const puts = Array.from({ length: writers }, (_, n) =>
      cluster.put(ids[n % ids.length] as string, `${prefix}${key}`, `writer ${n}`, { "if-none-match": "*" }),
    );
    return [`${prefix}${key}`, await Promise.all(puts)];
  });
  return new Map(await Promise.all(all));
}

async function assertOneWinner(
  cluster: TestCluster,
  ids: readonly string[],
  key: string,
  answers: Answer[],
): Promise<void> {
  const winners = answers.flatMap((answer, n) => (answer.status === 204 ? [n] : []));
  const others = answers.filter((answer) => answer.status !== 204);
  assert.equal(winners.length, 1, `${key} was created by ${winners.join(", ") || "nobody"}`);
  for (const answer of others) assert.deepEqual([answer.status, answer.code], [412, "precondition_failed"]);
  for (const id of ids) assert.equal((await cluster.get(id, key)).body.toString(), `writer ${winners[0]}`);
}

describe("values that are created at most once", () => {
  // Nothing stays in memory once it is in the store, so that conditions are judged by the store, too.
  const config = { buffer: { cacheBytes: 0 }, flush: { delayMs: 1 } };
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ config })) }));

  test(`of ${writers} writers at once, through three nodes, one wins; after a delete again`, async () => {
    const { cluster } = stage();
    for (let round = 0; round < 3; round++) {
      const all = await putAll(cluster, cluster.ids, "");
      for (const [key, answers] of all) await assertOneWinner(cluster, cluster.ids, key, answers);
      await cluster.untilFlushed();
      const late = await putAll(cluster, cluster.ids, "");
      for (const answers of late.values()) for (const each of answers) assert.equal(each.status, 412);
      await Promise.all(keys.map((key) => cluster.remove("b", key)));
    }
  });

  test("while a node is lost one wins, too, and the clients of the others hear of nothing", async () => {
    const { cluster } = stage();
    const survivors = ["a", "b"];
    const puts = putAll(cluster, survivors, "lost/");
    await cluster.process("c").kill();
    for (const [key, answers] of await puts) await assertOneWinner(cluster, survivors, key, answers);
    cluster.restart("c");
    await cluster.untilReady();
  });
});
