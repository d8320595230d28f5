/** A node opens no debugger, whoever asks: one who may send it a signal could read its secrets by that. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { TestCluster } from "../harness/cluster.ts";
import { builtExecutable } from "../harness/executable.ts";
import { program } from "../harness/program.ts";

const timeout = 120_000;

const ways: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  "from source": () => Promise.resolve([process.execPath, program]),
  "as the executable": async () => [join(await builtExecutable(), "weir")],
};

for (const [way, command] of Object.entries(ways)) {
  test(`a node ${way} goes on after SIGUSR1, and listens for no debugger`, { timeout }, async () => {
    await using cluster = await TestCluster.start({ nodes: 1, program: await command() });
    cluster.process("a").signal("SIGUSR1");
    await sleep(systemClock, 500);
    assert.equal((await cluster.put("a", "k", "v")).status, 204);
    assert.doesNotMatch(cluster.log(), /debugger/i);
  });
}
