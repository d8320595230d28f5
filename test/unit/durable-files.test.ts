/** How folders are made, and what a failed operation on a file means to whoever uses the folder as a store. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isOperatingError } from "../../src/base/errors.ts";
import { makeFolders } from "../../src/folders.ts";
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

test("a folder is made with all above it, and the highest that was missing is told", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "weir-folders-"));
  t.after(() => rmSync(root, { recursive: true }));
  const made = await Promise.all([makeFolders(join(root, "a/b/c")), makeFolders(join(root, "a/b/d"))]);
  assert.ok(statSync(join(root, "a/b/c")).isDirectory() && statSync(join(root, "a/b/d")).isDirectory());
  assert.ok(made.includes(join(root, "a")), "one of the two has made it");
  assert.equal(await makeFolders(join(root, "a/b")), undefined);
  writeFileSync(join(root, "file"), "");
  await assert.rejects(makeFolders(join(root, "file")), { code: "EEXIST" });
  await assert.rejects(makeFolders(join(root, "file/a/b")), { code: "ENOTDIR" });
});

test("a folder that the system says it has no parent for, though it has, is refused", {
  skip: !existsSync("/proc/self") && "there is no such file system here",
  timeout: 10_000,
}, async () => {
  await assert.rejects(makeFolders("/proc/weir/a/b"), { code: "ENOENT", message: /mkdir '\/proc\/weir'/ });
});
