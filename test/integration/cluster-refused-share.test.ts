/**
 * What the store refuses fills a part of the buffers, and no more: then its writer is refused, and nobody else (W28).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import { refuseStubbornKeys, stubbornPrefix } from "../harness/stubborn-keys.ts";
import { bearer, tokenOf } from "../harness/tokens.ts";

const kibibyte = 1_024;
const spoiler = tokenOf("spoiler", ["read", "write"]);
const modest = tokenOf("modest", ["read", "write"]);
const operator = tokenOf("operator", ["read", "write", "admin"]);

const dirtyBytes = 8 * kibibyte * kibibyte;
const value = Buffer.alloc(64 * kibibyte, "x");
/** Several times what all buffers hold together. */
const attempts = 600;

test("a token whose keys the store refuses is refused above its share, and another one writes on, through each node", async () => {
  await using cluster = await TestCluster.start({
    config: {
      auth: { tokens: [spoiler.rule, modest.rule, operator.rule] } as never,
      buffer: { dirtyBytes, maxValueBytes: 128 * kibibyte, waitMs: 200 },
    },
    token: operator.token,
  });
  refuseStubbornKeys(cluster.storeFolder);
  const byToken = async (of: typeof spoiler, id: string, key: string) =>
    await cluster.put(id, key, value, bearer(of.token));
  const statuses = new Map<number, number>();
  const problems = new Set<string>();
  const keys = Array.from({ length: attempts }, (_, index) => `${stubbornPrefix}${index}`).values();
  // All of it comes through one node. Most of these keys have their primary elsewhere.
  const write = async (): Promise<void> => {
    for (const key of keys) {
      const { status, body } = await byToken(spoiler, "a", key);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status !== 204) problems.add(String(body));
    }
  };
  const spoil = Promise.all(Array.from({ length: 8 }, write));
  const answers: number[] = [];
  let isOver = false;
  const modestWork = (async () => {
    for (let count = 0; !isOver || count < 60; count++) {
      const id = cluster.ids[count % 3] as string;
      answers.push((await byToken(modest, id, `modest/${count % 40}`)).status);
    }
  })();
  await spoil;
  isOver = true;
  await modestWork;
  assert.deepEqual(new Set(answers), new Set([204]), "the other token's writes are taken");
  assert.deepEqual(new Set(statuses.keys()), new Set([204, 507]), [...problems].join("\n"));
  for (const problem of problems) {
    const { code, detail } = JSON.parse(problem) as { code: string; detail: string };
    assert.equal(code, "refused_full");
    assert.match(detail, /the store refuses .* that you wrote before, such as \\?"looped\//);
  }
  for (const id of cluster.ids) {
    const figures = await cluster.figures(id);
    assert.ok(figures.refusedBytes > 0.1 * dirtyBytes, `${id} has a part of it: ${figures.refusedBytes}`);
    assert.ok(figures.dirtyBytes < 0.8 * dirtyBytes, `${id} has room left: ${figures.dirtyBytes}`);
    const metrics = String((await cluster.http.request(cluster.url(id), "GET", "/metrics")).body);
    assert.match(metrics, /^weir_buffer_refused_bytes\{token="spoiler"\} [1-9]/m);
  }
  // The writer helps itself: what takes no more room than before is taken, and so is a large value's reference.
  assert.equal((await cluster.remove("b", `${stubbornPrefix}0`, bearer(spoiler.token))).status, 204);
  const env = { WEIR_TOKEN: operator.token };
  const args = ["drop", "--prefix", stubbornPrefix, "--config", cluster.configPath];
  assert.match((await weir(args, { env })).stdout, /by token spoiler/);
  // Until the store has refused the removal, too, the command leaves it, and says so.
  await cluster.until(20_000, "the removal is refused", async () => {
    const path = `/cluster/refused/${encodeURIComponent(`${stubbornPrefix}0`)}`;
    const { body } = await cluster.http.request(cluster.url("a"), "GET", path);
    return (JSON.parse(String(body)) as { isDelete?: boolean }).isDelete === true;
  });
  const given = await weir([...args, "--yes"], { env });
  assert.equal(given.code, 0, given.stderr);
  assert.equal((await byToken(spoiler, "a", `${stubbornPrefix}again`)).status, 204);
});
