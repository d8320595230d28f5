/** Signals that come while the program is being loaded. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "../../../harness/steps.ts";

const module = pathToFileURL(join(root, "src", "cli", "process", "early-signals.ts")).href;

/** How a process that runs this command ends, when SIGHUP comes as soon as it can be told from others. */
async function endOf(command: string): Promise<readonly unknown[]> {
  const script = `import(${JSON.stringify(module)}).then(() => { console.log("loaded"); setTimeout(() => undefined, 500); });`;
  const child = spawn(process.execPath, ["-e", script, "weir", command], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  await once(child.stdout, "data");
  child.kill("SIGHUP");
  return await closed;
}

test("a node goes on after SIGHUP while it is loaded: a supervisor would take it for stopped", async () => {
  assert.deepEqual(await endOf("serve"), [0, null]);
});

test("another command ends with its terminal, as any program does", async () => {
  assert.deepEqual(await endOf("import"), [null, "SIGHUP"]);
});
