/** What commands print: the words of nodes and stores in it do nothing to a terminal. */

import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { printJson, printLine } from "../../../../src/cli/process/terminal.ts";

test("a printed line shows what a terminal would act on, and is still of the same lines", () => {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const terminal = { env: {}, stdin, stdout, stderr };
  printLine(terminal, "one: \u001b[2J\u009b\u202e\ntwo");
  printJson(terminal, { a: "\u009b\u202e\n" });
  const shown: string[] = [];
  for (let chunk = stdout.read(); chunk !== null; chunk = stdout.read()) shown.push(String(chunk));
  const expected = 'one: \\u001b[2J\\u009b\\u202e\ntwo\n{\n  "a": "\\u009b\\u202e\\n"\n}\n';
  assert.equal(shown.join(""), expected);
});
