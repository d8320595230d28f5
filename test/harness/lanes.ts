/**
 * A whole run of the tests, in lanes at once. Tests with real processes and clocks that keep a processor busy run two
 * files at a time. Beside them run those that wait for stores and deadlines most of the time. So do units and planted
 * bugs, whose processes are short, one file at a time. Simulations know no time but their own: they take what the
 * others leave of the processors.
 */

import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import type { TestEvent } from "node:test/reporters";
import report from "./reporter.ts";
import { root } from "./steps.ts";

export interface Lane {
  readonly files: readonly string[];
  /** Files at a time. */
  readonly concurrency: number;
  /** For Node, before each file. */
  readonly execArgv?: readonly string[];
  /** Of the files' processes; this one's unless told. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs the lanes and prints how it goes, with one summary in the end.
 *
 * @param timeoutMs - for one test
 * @param signal - ends the tests when it is aborted
 * @returns whether all tests have passed, and each lane has had some
 */
export async function runLanes(lanes: readonly Lane[], timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const events = new PassThrough({ objectMode: true });
  let isSuccess = true;
  events.on("data", ({ type, data }: TestEvent) => {
    if (type === "test:fail" || (type === "test:summary" && !data.success)) isSuccess = false;
    if (type === "test:summary" && data.file === undefined && data.counts.tests === 0) isSuccess = false;
  });
  const ended = lanes.map(async (lane) => {
    const stream = run({ cwd: root, timeout: timeoutMs, signal, ...lane, execArgv: lane.execArgv ?? [] });
    // Node's reporter takes a start and the report after it for one test. Here another lane's may come in between, and
    // without a start there is nothing to compare.
    for await (const event of stream as AsyncIterable<TestEvent>) if (event.type !== "test:start") events.write(event);
  });
  const printed = pipeline(report(events), process.stdout, { end: false });
  await Promise.all(ended);
  events.end();
  await printed;
  return isSuccess;
}
