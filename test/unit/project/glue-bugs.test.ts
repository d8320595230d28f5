/** The planted bugs of adapters and of the composition: none is stale, and the test that must find each is there. */

import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { test } from "node:test";
import { glueBugs } from "../../glue/glue-bugs.ts";
import { projectFile } from "../../harness/deployment.ts";
import { mutated } from "../../simulation/mutate.ts";

test("no planted bug of the glue is stale: what it replaces is there, once", () => {
  const stale = glueBugs.filter((bug) => bug.edits.length === 0 || mutated(bug) === undefined);
  assert.deepEqual(
    stale.map(({ name }) => name),
    [],
  );
});

test("every planted bug of the glue has a name of its own, and says what it breaks", () => {
  assert.ok(glueBugs.length >= 40);
  const rules = projectFile("docs/internals/protocol.md");
  assert.equal(new Set(glueBugs.map(({ name }) => name)).size, glueBugs.length);
  for (const { name, breaks } of glueBugs) {
    assert.match(name, /^[a-z0-9]+(?:-[a-z0-9]+)+$/);
    const found = /^(?:([A-Z]\d+): )?[A-Z].*\.$/.exec(breaks);
    assert.ok(found !== null, `${name}: ${breaks}`);
    const rule = found[1];
    assert.ok(rule === undefined || rules.includes(`\n### ${rule}\n`), `${name}: there is no rule ${rule}`);
  }
});

/** The text of a test's file, with those of the suites that it runs. */
function textsOf(file: string): string {
  const text = projectFile(file);
  const suites = [...text.matchAll(/from "\.\/([\w-]+-suite\.ts)"/g)].map(([, name]) =>
    join(dirname(file), name as string),
  );
  return [text, ...suites.map((each) => projectFile(each))].join("\n");
}

test("the file of every test that must find a planted bug of the glue names that test", () => {
  for (const { name, test: finding } of glueBugs) {
    const text = textsOf(finding.file);
    // Some names are put together from a table of cases.
    const words = finding.name.split(/\s+/).filter((word) => /^[a-z]{4,}$/.test(word));
    const isThere = text.includes(finding.name) || words.every((word) => text.includes(word));
    assert.ok(isThere, `${name}: ${finding.file} has no test "${finding.name}"`);
  }
});
