/** Ports that tests and measurements give to what they start. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { ownPorts } from "../../harness/own-ports.ts";

const path = join(import.meta.dirname, "..", "..", "harness", "own-ports.ts");

/** What another process gets, which ends at once. */
async function portsElsewhere(count: number): Promise<number[]> {
  const program = `console.log(JSON.stringify(await (await import(${JSON.stringify(path)})).ownPorts(${count})))`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  return JSON.parse(stdout) as number[];
}

test("processes that run at the same time never get the same port, nor does one get it twice", async () => {
  const own = await ownPorts(3);
  const groups = [own, await portsElsewhere(3), await ownPorts(3)];
  const all = groups.flat();
  assert.equal(new Set(all).size, all.length, JSON.stringify(groups));
  for (const [first, second, third] of groups)
    assert.deepEqual([second, third], [Number(first) + 1, Number(first) + 2]);
});
