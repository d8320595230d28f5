/** What a read of the folder store sees when the blob is replaced in the middle of it. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { FileLookup } from "../../src/store/file-lookup.ts";
import { formatMetadata } from "../../src/store/file-metadata.ts";
import { systemClock } from "../../src/system.ts";

test("FileLookup, when the body it has opened is replaced before it reads the metadata, looks again", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "weir-file-lookup-"));
  try {
    const at = (name: string): string => path.join(folder, name);
    await writeFile(at("a"), "old");
    await writeFile(at("next"), "new");
    const next = await stat(at("next"), { bigint: true });
    const metadata = formatMetadata("a", [
      { tag: "t", headers: {}, version: "2", size: 3, md5: "", inode: `${next.ino}`, modifiedNs: `${next.mtimeNs}` },
    ]);
    await writeFile(at("next-metadata"), metadata);
    // Who reads a pipe waits for its writer: so the read stands still between body and metadata.
    await promisify(execFile)("mkfifo", [at("metadata")]);
    const lookup = new FileLookup(folder, systemClock);
    const paths = { natural: "a", aside: "aside", metadata: "metadata" };
    const finding = lookup.find(paths, 100, systemClock.now() + 10_000);
    await using pipe = await open(at("metadata"), "w");
    await rename(at("next-metadata"), at("metadata"));
    await rename(at("next"), at("a"));
    await pipe.writeFile(metadata);
    await pipe.close();
    const found = await finding;
    assert.equal(found?.body?.toString(), "new");
    assert.equal(found.info.version, "2");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
