/** Where a whole run has a folder in memory, its tests can do there what they do elsewhere. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { memoryFolder } from "../../harness/memory-folder.ts";

test("a folder in memory takes files, and runs programs that are in it", (t) => {
  const memory = memoryFolder();
  if (memory === undefined) return t.skip("there is none");
  const folder = mkdtempSync(join(memory, "weir-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "program");
  writeFileSync(path, "#!/bin/sh\necho it runs\n");
  chmodSync(path, 0o755);
  assert.equal(execFileSync(path, { encoding: "utf8" }), "it runs\n");
});
