/**
 * A reporter for trial.ts: a line of JSON for each test that has ended, its failure in words. Plain JavaScript, since
 * each of some hundred processes loads it, most of them for a test of milliseconds.
 */

"use strict";

/** What node's test runner calls with the events of a run. */
module.exports = async function* report(source) {
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    // A suite fails with its tests.
    if (data.details.type === "suite") continue;
    const skipped = data.skip === undefined ? undefined : "it was skipped";
    const failure = type === "test:fail" ? wordsOf(data.details.error) : skipped;
    yield `${JSON.stringify({ name: data.name, failure })}\n`;
  }
};

/** The runner's own error wraps what the test has thrown, which may name another cause in turn. */
function wordsOf(error) {
  const words = new Set();
  for (let each = error; each !== undefined; each = each instanceof Error ? each.cause : undefined) {
    words.add(each instanceof Error ? each.message : JSON.stringify(each));
  }
  return [...words].join("; ");
}
