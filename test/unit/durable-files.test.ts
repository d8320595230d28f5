/** What a failed operation on a file means to whoever uses the folder as a store. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isOperatingError } from "../../src/base/errors.ts";
import { fileError } from "../../src/store/durable-files.ts";

function told(code: string): string {
  const error = fileError(Object.assign(new Error(`${code}: the system's words`), { code }), "/store");
  assert.ok(isOperatingError(error));
  return `${error.code}: ${error.message}`;
}

test("what a person must mend is refused, and says what to do; anything else may pass", () => {
  assert.match(told("EACCES"), /^store_refused: .*\/store.*give weir's user the right/);
  assert.match(told("EROFS"), /^store_refused: .*\/store.*mounted read-only/);
  assert.match(told("ENOTDIR"), /^store_refused: .*the system's words/);
  assert.match(told("EIO"), /^store_unavailable: .*the system's words/);
  assert.match(told("ENOSPC"), /^store_unavailable: /);
});

test("an error of the code is no trouble of the folder", () => {
  const bug = new TypeError("undefined is not a function");
  assert.equal(fileError(bug, "/store"), bug);
});
