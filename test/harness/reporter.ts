/**
 * The reporter of a test run: node's own, and before its summary the files that took longest, so that one that has
 * become slow is seen. The summary's lines are node's, because programs read them; those of several lanes are added up.
 */

import { join, relative } from "node:path";
import { Readable } from "node:stream";
import type { TestEvent } from "node:test/reporters";
import { spec as SpecReporter } from "node:test/reporters";
import { filesFolder, modulesFile, packVariable } from "./packed-modules.ts";
import { PackedPlaces } from "./packed-places.ts";
import { root } from "./steps.ts";

/** So many files are named, and none unless there are more. */
const shownFiles = 10;

/** A line of the summary, such as "pass 17". */
const figure = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

interface FileTime {
  readonly file: string;
  readonly ms: number;
}

/** What node's test runner calls with the events of a run. */
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<unknown> {
  const { [packVariable]: folder } = process.env;
  let places: PackedPlaces | undefined;
  for await (const text of Readable.from(withOneSummary(source)).compose(
    new SpecReporter(),
  ) as AsyncIterable<unknown>) {
    if (folder === undefined || !String(text).includes(modulesFile)) yield text;
    else {
      places ??= new PackedPlaces(folder);
      yield await places.inText(String(text));
    }
  }
}

/** The same events; in the end a message for each slow file, and one summary, however many lanes there were. */
async function* withOneSummary(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const times: FileTime[] = [];
  const figures = new Map<string, number>();
  let last: TestEvent | undefined;
  for await (const event of source) {
    const { type, data } = event;
    if (type === "test:summary" && data.file !== undefined) {
      times.push({ file: nameOf(data.file), ms: data.duration_ms });
    }
    const [, name, value] = (isOfRun(event) && figure.exec(event.data.message)) || [];
    if (name !== undefined) figures.set(name, combine(name, figures.get(name) ?? 0, Number(value)));
    else if (type === "test:summary" && data.file === undefined) last = event;
    else yield event;
  }
  yield* slowest(times).map((line) => message(line));
  yield* [...figures].map(([name, value]) => message(`${name} ${value}`));
  // At this one node's reporter repeats what has failed.
  if (last) yield last;
}

/** In a whole run, files outside the project load those with the tests. */
function nameOf(file: string): string {
  const { [packVariable]: folder } = process.env;
  const path = relative(folder === undefined ? root : join(folder, filesFolder), file);
  return path.startsWith("..") ? relative(root, file) : path.replace(/\.cjs$/, "");
}

/** Lanes run side by side. */
function combine(name: string, one: number, other: number): number {
  return name === "duration_ms" ? Math.max(one, other) : one + other;
}

/** A file's own messages carry the file's name. */
function isOfRun(event: TestEvent): event is Extract<TestEvent, { type: "test:diagnostic" }> {
  return event.type === "test:diagnostic" && event.data.file === undefined && event.data.nesting === 0;
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
