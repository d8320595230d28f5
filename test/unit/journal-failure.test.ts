/** What an operator is told of a data folder that can't be used, and by which code. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isOperatingError } from "../../src/base/errors.ts";
import { diskFailure } from "../../src/journal/failure.ts";
import { openFileDisk } from "../../src/journal/file-disk.ts";
import { systemRandom } from "../../src/system.ts";

test("a data folder whose path leads through a file is a mistake in the configuration, and no failed disk", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weir-failure-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "file");
  writeFileSync(file, "");
  for (const path of [file, join(file, "a")]) {
    await assert.rejects(openFileDisk(path, systemRandom), (error) => {
      assert.ok(isOperatingError(error, "config_invalid"), String(error));
      assert.match(error.message, /can't be made \((?:EEXIST|ENOTDIR): .*\): something in this path is not a folder/);
      return true;
    });
  }
});

test("what a disk does while it is used is its failure, with what is to be mended", () => {
  const told = (code: string): string => {
    const failure = diskFailure("data/a", Object.assign(new Error(`${code}: told by the system`), { code }));
    return `${failure.code}: ${failure.message}`;
  };
  assert.match(told("ENOSPC"), /^disk_failed: .* is full \(ENOSPC.*make room/);
  assert.match(told("EROFS"), /^disk_failed: .* is read-only/);
  assert.match(told("ENOENT"), /^disk_failed: .* is gone/);
  assert.match(told("EIO"), /^disk_failed: .* failed \(EIO/);
  assert.match(told("EACCES"), /^config_invalid: .* can't be written/);
});
