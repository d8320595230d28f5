/** A whole run of the tests goes by its lanes: what fails in any of them fails the run. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { root } from "../../harness/steps.ts";

const lanes = pathToFileURL(join(root, "test", "harness", "lanes.ts")).href;

const passing = 'import { test } from "node:test"; test("passes", () => {});';
const failing = 'import { test } from "node:test"; test("fails", () => { throw new Error("as it is to"); });';
const broken = 'throw new Error("while it is loaded");';

interface Circumstances {
  readonly signal?: string;
  /** From within a test node runs no others. */
  readonly isWithin?: boolean;
}

/** Runs one lane for each text of a test file, in a process of its own. */
async function run(
  texts: readonly string[],
  { signal = "new AbortController().signal", isWithin = false }: Circumstances = {},
): Promise<{ readonly result: string; readonly output: string }> {
  const folder = mkdtempSync(join(tmpdir(), "weir-lanes-"));
  try {
    const files = texts.map((text, index) => {
      const path = join(folder, `${index}.test.mjs`);
      writeFileSync(path, text);
      return { files: [path], concurrency: 1 };
    });
    const script = `
      const { runLanes } = await import(${JSON.stringify(lanes)});
      const result = await runLanes(${JSON.stringify(files)}, 10_000, ${signal});
      console.log("result: " + result);`;
    const { NODE_TEST_CONTEXT: context, ...others } = process.env;
    const env = isWithin ? { ...others, NODE_TEST_CONTEXT: context ?? "child-v8" } : others;
    const program = join(folder, "run.mjs");
    writeFileSync(program, script);
    const { stdout } = await promisify(execFile)(process.execPath, [program], { env });
    return { result: /^result: (.*)$/m.exec(stdout)?.[1] ?? "none", output: stdout };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a run is well if all lanes are, and has one summary for all of them", async () => {
  const { result, output } = await run([passing, passing]);
  assert.equal(result, "true", output);
  assert.match(output, /^ℹ tests 2\n(?:ℹ .*\n)*ℹ pass 2\n(?:ℹ .*\n)*ℹ fail 0\n/m);
  assert.equal(output.match(/^ℹ tests /gm)?.length, 1);
});

test("a run is told to its end although its lanes report many tests at once", async () => {
  const many = `
    import { describe, test } from "node:test";
    for (let n = 0; n < 40; n++) describe("suite " + n, () => {
      for (let m = 0; m < 20; m++) test("test " + n + " " + m, () => {});
    });`;
  const { result, output } = await run([many, many, many]);
  assert.equal(result, "true", output);
  assert.match(output, /^ℹ pass 2400$/m);
});

test("a run is not well if a lane has run no test, or if it is interrupted", async () => {
  const none = await run([passing], { isWithin: true });
  assert.equal(none.result, "false", none.output);
  const interrupted = await run([passing], { signal: "AbortSignal.abort()" });
  assert.equal(interrupted.result, "false", interrupted.output);
});

test("a run fails if a test of any lane does, which is told in the end, or if a file cannot be loaded", async () => {
  for (const bad of [failing, broken]) {
    for (const texts of [
      [bad, passing],
      [passing, bad],
    ]) {
      const { result, output } = await run(texts);
      assert.equal(result, "false", output);
      assert.match(output, /^ℹ fail 1\n/m);
      assert.match(output, /failing tests:/);
    }
  }
});
