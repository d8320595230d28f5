/** A reporter for programs: a line of JSON for each test that has ended, its failure in words. */

import type { TestEvent } from "node:test/reporters";

/** How one test has ended. */
export interface Verdict {
  readonly name: string;
  /** What was wrong; undefined if nothing was. */
  readonly failure: string | undefined;
}

/** What node's test runner calls with the events of a run. */
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { data } = event;
    // A suite fails with its tests.
    if (data.details.type === "suite") continue;
    const { name } = data;
    const skipped = data.skip === undefined ? undefined : "it was skipped";
    const verdict: Verdict = {
      name,
      failure: event.type === "test:fail" ? wordsOf(event.data.details.error) : skipped,
    };
    yield `${JSON.stringify(verdict)}\n`;
  }
}

/** The runner's own error wraps what the test has thrown, which may name another cause in turn. */
function wordsOf(error: unknown): string {
  const words: string[] = [];
  for (let each = error; each !== undefined; each = each instanceof Error ? each.cause : undefined) {
    words.push(each instanceof Error ? each.message : JSON.stringify(each));
  }
  return [...new Set(words)].join("; ");
}
