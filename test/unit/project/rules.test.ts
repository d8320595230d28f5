/**
 * The rules of the protocol (docs/internals/protocol.md) and those who cite them: no number is cited that there is not,
 * and no rule is there that no code keeps and no planted bug or test tries.
 */

import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import { projectFile, root } from "../../harness/deployment.ts";
import { mutations } from "../../simulation/mutations.ts";

const rulesPath = "docs/internals/protocol.md";

function filesOf(...patterns: string[]): string[] {
  return patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).toSorted();
}

/** The numbers of all rules, in the order of the page. */
const rules = [...projectFile(rulesPath).matchAll(/^### ([A-Z]\d+)$/gm)].map(([, number]) => number as string);
const letters = [...new Set(rules.map((number) => number[0]))].join("");

/** One number or several, perhaps on two lines of a comment. */
const numbers = `[${letters}]\\d+(?:,\\s+(?:\\*\\s+|//\\s+)?[${letters}]\\d+)*`;
/** A citation: numbers in brackets of their own, as in "(W3)" and "(W3, F1)", or alone in a comment at a line's end. */
const citation = new RegExp(`\\((${numbers})\\)|// (${numbers})\\.?$`, "gm");

function citedIn(paths: readonly string[]): Set<string> {
  const texts = paths.flatMap((path) => [...projectFile(path).matchAll(citation)].map(([all]) => all));
  return new Set(texts.flatMap((text) => text.match(/[A-Z]\d+/g) ?? []));
}

const byCode = citedIn(filesOf("src/**/*.ts"));
/** Planted bugs say which rules they break; those are not citations of tests. */
const byTests = citedIn(filesOf("test/**/*.ts").filter((path) => !path.includes("/mutations")));
const byBugs = new Set(mutations.map(({ breaks }) => breaks.split(":")[0] as string));

test("the rules of the protocol have numbers without a gap, each once", () => {
  const expected = letters
    .split("")
    .flatMap((letter) =>
      rules.filter((number) => number.startsWith(letter)).map((_, index) => `${letter}${index + 1}`),
    );
  assert.ok(rules.length > 100);
  assert.deepEqual(rules, expected);
});

test("every planted bug says first which rule it breaks", () => {
  assert.deepEqual(
    [...byBugs].filter((number) => !rules.includes(number)),
    [],
  );
});

test("every number of a rule that code, tests or documents cite is one of the protocol's", () => {
  const word = new RegExp(`\\b[${letters}]\\d+\\b`, "g");
  const byDocuments = filesOf("*.md", "docs/**/*.md").flatMap((path) =>
    [...projectFile(path).matchAll(word)].map(([number]) => number),
  );
  const cited = new Set([...byCode, ...byTests, ...byDocuments]);
  assert.deepEqual(
    [...cited].filter((number) => !rules.includes(number)),
    [],
  );
});

test("every rule is kept by code that cites it", () => {
  assert.deepEqual(
    rules.filter((number) => !byCode.has(number)),
    [],
  );
});

test("every rule is broken by a planted bug, or tried by a test that cites it", () => {
  assert.deepEqual(
    rules.filter((number) => !byBugs.has(number) && !byTests.has(number)),
    [],
  );
});
