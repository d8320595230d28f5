/** What a read of the folder store sees when the blob is replaced, or cut, in the middle of it. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import fs, { type FileHandle, mkdtemp, open, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { openFile } from "../../../../src/store/folder/durable-files.ts";
import { FileLookup } from "../../../../src/store/folder/file-lookup.ts";
import { formatMetadata } from "../../../../src/store/folder/file-metadata.ts";
import { FileStore } from "../../../../src/store/folder/file-store.ts";
import { FileStream } from "../../../../src/store/folder/file-stream.ts";
import { pooledFiles } from "../../../../src/store/folder/files.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";

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
    const lookup = new FileLookup(folder, pooledFiles, systemClock);
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

test("FileStream says when the file has become shorter, and closes it in the end", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "weir-file-stream-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "a");
  for (const size of [10, 6]) {
    await writeFile(file, "0123456789");
    const handle = await open(file);
    await truncate(file, size);
    const stream = new FileStream(handle, { start: 2, end: 8 }, folder);
    let text = "";
    const read = async (): Promise<void> => {
      for await (const piece of stream) text += piece.toString();
    };
    if (size === 10) await read();
    else await assert.rejects(read(), { code: "store_unavailable", message: /is shorter than it was/ });
    assert.equal(text, size === 10 ? "234567" : "2345");
    await stream[Symbol.asyncDispose]();
    assert.equal(handle.fd, -1);
  }
});

test("a file that is none, or another version than was asked for, does not stay open", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "weir-file-open-"));
  const handles: FileHandle[] = [];
  const { open: really } = fs;
  const replace = (by: typeof open): void => {
    fs.open = by;
    syncBuiltinESMExports();
  };
  t.after(async () => {
    replace(really);
    await rm(folder, { recursive: true });
  });
  await using store = new FileStore({ path: folder }, { clock: systemClock, random: systemRandom });
  const options = { deadlineMs: 10_000 };
  await store.probe(options);
  await store.write("a", { body: Buffer.from("x"), headers: {} }, { kind: "always" }, options);
  replace(async (...args) => {
    const handle = await really(...args);
    handles.push(handle);
    return handle;
  });
  assert.equal(await openFile(pooledFiles, folder), undefined);
  assert.equal((await store.openBlob("a", "another", { start: 0, end: 1 }, options)).kind, "changed");
  assert.ok(handles.length >= 2);
  for (const { fd } of handles) assert.equal(fd, -1);
});
