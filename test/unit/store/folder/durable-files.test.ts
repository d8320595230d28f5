/** How folders are made, and what a failed operation on a file means to whoever uses the folder as a store. */

import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { makeFolders } from "../../../../src/folders.ts";
import { fileError } from "../../../../src/store/folder/durable-files.ts";
import { FileStore } from "../../../../src/store/folder/file-store.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { hangMs } from "../../../harness/patience.ts";

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

/** Removes the empty folder, once, between the system's word that it is there and the next look. */
function removeOnceFound(t: TestContext, folder: string): void {
  const { mkdir } = fs;
  let isDone = false;
  fs.mkdir = (async (path: string) => {
    try {
      return await mkdir(path);
    } catch (error) {
      if (path === folder && !isDone) {
        rmdirSync(folder);
        isDone = true;
      }
      throw error;
    }
  }) as typeof fs.mkdir;
  syncBuiltinESMExports();
  t.after(() => {
    fs.mkdir = mkdir;
    syncBuiltinESMExports();
  });
}

test("a folder that is removed while it is made is made again", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "weir-folders-"));
  t.after(() => rmSync(root, { recursive: true }));
  await makeFolders(join(root, "a"));
  removeOnceFound(t, join(root, "a"));
  assert.equal(await makeFolders(join(root, "a")), join(root, "a"));
  symlinkSync("nowhere", join(root, "link"));
  await assert.rejects(makeFolders(join(root, "link")), { code: "EEXIST" });
});

test("a value whose folder another's removal takes away lies where its key says, all the same", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "weir-folders-"));
  t.after(() => rmSync(root, { recursive: true }));
  await using store = new FileStore({ path: root }, { clock: systemClock, random: systemRandom });
  const options = { deadlineMs: 10_000 };
  await store.probe(options);
  await makeFolders(join(root, "a"));
  removeOnceFound(t, join(root, "a"));
  await store.write("a/b", { body: Buffer.from("x"), headers: {} }, { kind: "absent" }, options);
  assert.equal(readFileSync(join(root, "a/b"), "utf8"), "x");
});

test("a folder that the system says it has no parent for, though it has, is refused", {
  skip: !existsSync("/proc/self") && "there is no such file system here",
  timeout: hangMs,
}, async () => {
  await assert.rejects(makeFolders("/proc/weir/a/b"), { code: "ENOENT", message: /mkdir '\/proc\/weir'/ });
});
