/** One `weir dev` at a time has its folder, whatever another one has left or is just about to write there. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { DevFolder } from "../../../../src/cli/dev/dev-folder.ts";

async function withFolder(act: (path: string, holder: string) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), "weir-dev-"));
  try {
    await act(path, join(path, "dev.pid"));
  } finally {
    rmSync(path, { recursive: true });
  }
}

describe("DevFolder", () => {
  it("is refused while another has it, also before that has written its number, or after the file was removed", async () => {
    await withFolder(async (path, holder) => {
      using first = await DevFolder.open(path);
      await assert.rejects(DevFolder.open(path), new RegExp(`another weir dev \\(process ${process.pid}\\) uses`));
      writeFileSync(holder, "");
      await assert.rejects(DevFolder.open(path), /another weir dev uses/);
      rmSync(holder);
      await assert.rejects(DevFolder.open(path), /another weir dev uses/);
      assert.equal(first.path, path);
    });
  });

  it("is free once its process has ended, whoever has that number by now", async () => {
    await withFolder(async (path, holder) => {
      writeFileSync(holder, `${process.pid}\n`);
      const first = await DevFolder.open(path);
      first[Symbol.dispose]();
      assert.equal(existsSync(holder), false);
      using second = await DevFolder.open(path);
      assert.equal(second.path, path);
    });
  });
});
