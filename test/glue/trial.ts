/** The trial of a planted bug: one test in a process of its own, with the bug in the code or without it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { commandOf } from "../harness/packed-modules.ts";
import { PlantedBug } from "../harness/planted-process.ts";
import { programVariable } from "../harness/program.ts";
import { root } from "../harness/steps.ts";
import type { GlueBug } from "./glue-bug.ts";

const reporter = join(root, "test", "glue", "verdicts.cjs");

/** Milliseconds for one test, and for its process: some tests take seconds, and ten times that on a busy machine. */
const testMs = 150_000;
const processMs = 180_000;
/** Milliseconds that the process may go on after the first verdict: it ends with its last test. */
const restMs = 2_000;

const verdictLine = /^\{"name":/m;

/** How one test has ended, in a line of JSON. */
export interface Verdict {
  readonly name: string;
  /** What was wrong; undefined if nothing was. */
  readonly failure?: string;
}

/** How a trial ended. */
export type Trial =
  | { readonly kind: "found"; readonly failure: string }
  /** The test is green with the bug in the code. */
  | { readonly kind: "survived" }
  /** The test has failed for another reason, has not run, or not run alone. */
  | { readonly kind: "broken"; readonly detail: string };

/** Runs the bug's test with the bug planted. */
export async function tryBug(bug: GlueBug): Promise<Trial> {
  const { name, says } = bug.test;
  const { verdicts, output } = await runTest(bug, true);
  if (verdicts.length !== 1 || verdicts[0]?.name !== name) {
    const ran = verdicts.map((each) => each.name).join(", ");
    return { kind: "broken", detail: `it was to run "${name}" alone, and has run: ${ran || output.slice(-2_000)}` };
  }
  const { failure } = verdicts[0];
  if (failure === undefined) return { kind: "survived" };
  return says.test(failure) ? { kind: "found", failure } : { kind: "broken", detail: failure };
}

/** Runs the bug's test. What it prints besides its verdicts is in `output`. */
export async function runTest(
  bug: GlueBug,
  isPlanted: boolean,
): Promise<{ readonly verdicts: readonly Verdict[]; readonly output: string }> {
  const { test } = bug;
  using planted = isPlanted ? await PlantedBug.of(bug) : undefined;
  if (isPlanted && planted === undefined) return { verdicts: [], output: "the planted bug is stale" };
  // The first is the test runner's: the process would report to it. With the second, nodes would run a bundle that was
  // made without the bug. With the third, lines of other sources would count as covered.
  const { NODE_TEST_CONTEXT: _context, [programVariable]: _program, NODE_V8_COVERAGE: _coverage, ...env } = process.env;
  const pattern = `^${test.name.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`)}$`;
  const options = [`--test-reporter=${reporter}`, `--test-timeout=${testMs}`, `--test-name-pattern=${pattern}`];
  // A bug may leave sockets and timers behind, which nobody waits for any more.
  const child = spawn(process.execPath, [...options, "--test-force-exit", ...commandOf(test.file)], {
    cwd: root,
    // Whether a random test finds the bug is not left to chance.
    env: { WEIR_TEST_SEED: "1", ...env, ...planted?.env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: processMs,
    killSignal: "SIGKILL",
  });
  let output = "";
  let rest: NodeJS.Timeout | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += text;
      if (verdictLine.test(output)) rest ??= setTimeout(() => child.kill("SIGKILL"), restMs);
    });
  }
  await once(child, "close");
  clearTimeout(rest);
  const verdicts: Verdict[] = [];
  const others: string[] = [];
  for (const line of output.split("\n")) {
    if (verdictLine.test(line)) verdicts.push(JSON.parse(line) as Verdict);
    else others.push(line);
  }
  return { verdicts, output: others.join("\n") };
}
