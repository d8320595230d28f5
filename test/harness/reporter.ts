/**
 * The reporter of a test run: node's own, and before its summary the files that took longest, so that one that has
 * become slow is seen. The summary's lines stay as they are, because programs read them.
 */

import { relative } from "node:path";
import { Readable } from "node:stream";
import type { TestEvent } from "node:test/reporters";
import { spec as SpecReporter } from "node:test/reporters";
import { root } from "./steps.ts";

/** So many files are named, and none unless there are more. */
const shownFiles = 10;

interface FileTime {
  readonly file: string;
  readonly ms: number;
}

/** What node's test runner calls with the events of a run. */
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<unknown> {
  yield* Readable.from(withSlowFiles(source)).compose(new SpecReporter());
}

/** The same events, with a message for each slow file before those of the summary. */
export async function* withSlowFiles(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const times: FileTime[] = [];
  let isShown = false;
  for await (const event of source) {
    if (event.type === "test:summary" && event.data.file !== undefined) {
      times.push({ file: relative(root, event.data.file), ms: event.data.duration_ms });
    }
    if (!isShown && isFirstOfSummary(event)) {
      isShown = true;
      yield* slowest(times).map((line) => message(line));
    }
    yield event;
  }
}

/** The summary begins with the number of tests; a file's own messages carry the file's name. */
function isFirstOfSummary({ type, data }: TestEvent): boolean {
  return (
    type === "test:diagnostic" && data.file === undefined && data.nesting === 0 && /^tests \d+$/.test(data.message)
  );
}

function slowest(times: readonly FileTime[]): string[] {
  if (times.length <= shownFiles) return [];
  const slow = times.toSorted((one, other) => other.ms - one.ms).slice(0, shownFiles);
  const seconds = Math.round(slow.reduce((sum, { ms }) => sum + ms, 0) / 1_000);
  const lines = slow.map(({ file, ms }) => `${(ms / 1_000).toFixed(1).padStart(6)} s  ${file}`);
  return [`the ${shownFiles} slowest of ${times.length} files, ${seconds} s together:`, ...lines];
}

function message(text: string): TestEvent {
  return { type: "test:diagnostic", data: { nesting: 0, message: text, level: "info" } } as TestEvent;
}
