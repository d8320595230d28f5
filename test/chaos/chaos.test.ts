/**
 * A minute of chaos: processes killed, suspended and cut from each other before a real S3 gateway, all at once too.
 * `npm run chaos` does it for longer and with more.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { runChaos } from "../harness/chaos/chaos.ts";
import { table } from "../harness/chaos/report.ts";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { seedOf } from "../harness/seed.ts";

const server = s3ServerFromEnvironment();

/** Each has its turn once, and more while there is time. */
const kinds = ["kill", "pause", "restart", "power", "partition"] as const;

test("cluster whose nodes are killed, suspended and cut off loses nothing and answers as one register for each key", {
  skip: typeof server === "string" ? server : false,
}, async (t) => {
  assert.ok(typeof server !== "string");
  const settings = { seconds: 30, seed: seedOf(t), kinds, nodes: 3, maxNodes: 3 };
  const telling = { line: (text: string) => t.diagnostic(text), progress: () => undefined };
  // The gateway is shared with other tests, so it is not for us to harm.
  const result = await runChaos(server, undefined, settings, telling);
  t.diagnostic(`\n${table(result.faults)}`);
  if (result.withoutNetwork !== undefined) t.diagnostic(`no partitions: ${result.withoutNetwork}`);
  assert.deepEqual(result.violations, [], `histories and logs are in ${result.folder}`);
  assert.equal(result.wrongKeys, 0);
  const wanted = kinds.filter((kind) => kind !== "partition" || result.withoutNetwork === undefined);
  for (const kind of wanted)
    assert.ok(
      result.faults.some((fault) => fault.kind === kind),
      `there was a ${kind}`,
    );
  assert.ok(result.operations > 2_000, `${result.operations} operations`);
});
