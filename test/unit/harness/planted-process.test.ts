/** A planted bug is in all that its process loads and starts, from the packed modules and from the sources. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { usePackedModules } from "../../harness/own-pack.ts";
import { packedRunner } from "../../harness/packed-modules.ts";
import { PlantedBug } from "../../harness/planted-process.ts";
import { root } from "../../harness/steps.ts";

const bug = {
  name: "a-clock-that-stands",
  edits: [{ file: "src/system.ts", find: "wallMs: () => Date.now(),", replace: "wallMs: () => 0 as number," }],
};

/** Prints what the wall clock says in a process, in a thread and a process of it, by packed modules and by sources. */
const program = `
  const { spawnSync } = require("node:child_process");
  const { Worker } = require("node:worker_threads");
  const packed = 'require(${JSON.stringify(packedRunner)}).load("src/system.ts").systemClock.wallMs()';
  const source = 'import(${JSON.stringify(pathToFileURL(join(root, "src", "system.ts")).href)})';
  const inSource = source + '.then(({ systemClock }) => systemClock.wallMs())';
  const said = [packed, inSource].flatMap((code) => [
    eval(code),
    new Promise((resolve) => {
      const told = "Promise.resolve(" + code + ").then((ms) => require('node:worker_threads').parentPort.postMessage(ms))";
      new Worker(told, { eval: true }).on("message", resolve);
    }),
    spawnSync(process.execPath, ["-e", "Promise.resolve(" + code + ").then(console.log)"], { encoding: "utf8" }).stdout,
  ]);
  Promise.all(said).then((all) => console.log(JSON.stringify(all.map(Number))));`;

describe("a planted bug", () => {
  usePackedModules();

  async function told(env: NodeJS.ProcessEnv = {}): Promise<number[]> {
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", program], {
      env: { ...process.env, ...env },
    });
    return JSON.parse(stdout) as number[];
  }

  it("is in the process, in its threads and in the processes that it starts", async () => {
    using planted = await PlantedBug.of(bug);
    assert.deepEqual(await told(planted?.env), [0, 0, 0, 0, 0, 0]);
  });

  it("is nowhere else", async () => {
    assert.ok((await told()).every((ms) => ms > 0));
  });

  it("is stale when what it replaces is not there", async () => {
    const edits = [{ file: "src/system.ts", find: "no such text", replace: "" }];
    assert.equal(await PlantedBug.of({ ...bug, edits }), undefined);
  });
});
