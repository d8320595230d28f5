/** What a read of the folder store sees when the blob is replaced, or cut, in the middle of it. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { hash } from "node:crypto";
import fs, { type FileHandle, mkdtemp, open, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Clock } from "../../../../src/base/clock.ts";
import { openFile } from "../../../../src/store/folder/durable-files.ts";
import { FileLookup } from "../../../../src/store/folder/file-lookup.ts";
import { formatMetadata } from "../../../../src/store/folder/file-metadata.ts";
import { FileStore } from "../../../../src/store/folder/file-store.ts";
import { FileStream } from "../../../../src/store/folder/file-stream.ts";
import { type Files, type OpenFile, pooledFiles } from "../../../../src/store/folder/files.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { patienceMs } from "../../../harness/patience.ts";
import { TracedFiles } from "../../../harness/traced-files.ts";
import { within } from "../../../harness/within.ts";

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

test("FileStore closes a file that it opens after the deadline of who asked for it", async () => {
  await using files = await TracedFiles.make();
  const clock = new ManualClock();
  await using store = new FileStore({ path: files.path }, { clock, random: systemRandom });
  await store.probe({ deadlineMs: 1_000 });
  const result = await store.write(
    "k",
    { body: Buffer.from("v"), headers: {} },
    { kind: "always" },
    { deadlineMs: 1_000 },
  );
  assert(result.kind === "written");
  files.calls.length = 0;
  const opening = store.openBlob("k", result.tag, { start: 0, end: 1 }, { deadlineMs: 1_000 });
  clock.advance(1_000);
  await assert.rejects(opening, { code: "store_unavailable" });
  const closed = async (): Promise<string> => {
    while (!files.calls.includes("close k")) await sleep(5);
    return "closed";
  };
  assert.equal(await within(closed(), patienceMs(2_000)), "closed");
});

test("FileLookup reads a large body that it knows only by its bytes once, not with each look", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "weir-file-lookup-"));
  try {
    await writeFile(path.join(folder, "a"), "copied");
    const state = { tag: "t", headers: {}, size: 6, md5: hash("md5", "copied"), inode: "0", modifiedNs: "0" };
    await writeFile(path.join(folder, "metadata"), formatMetadata("a", [state]));
    let reads = 0;
    const counted = async (...args: Parameters<Files["open"]>): Promise<OpenFile> => {
      const file = await pooledFiles.open(...args);
      const read = (...given: Parameters<OpenFile["read"]>): ReturnType<OpenFile["read"]> => {
        reads++;
        return file.read(...given);
      };
      return {
        writeFile: (bytes) => file.writeFile(bytes),
        read,
        stat: (options) => file.stat(options),
        sync: () => file.sync(),
        close: () => file.close(),
        [Symbol.asyncDispose]: () => file.close(),
      };
    };
    const files: Files = { ...pooledFiles, open: counted };
    let sinceMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now(), wallMs: () => systemClock.wallMs() + sinceMs };
    const lookup = new FileLookup(folder, files, clock as Clock);
    const look = async (): Promise<number> => {
      const before = reads;
      const found = await lookup.find(
        { natural: "a", aside: "b", metadata: "metadata" },
        undefined,
        clock.now() + 10_000,
      );
      assert.equal(found?.info.tag, "t");
      return reads - before;
    };
    assert.ok((await look()) > 0);
    assert.ok((await look()) > 0, "it has just changed, and may do so again unnoticed");
    sinceMs = 60_000;
    assert.ok((await look()) > 0);
    assert.equal(await look(), 0);
    await writeFile(path.join(folder, "a"), "others");
    assert.ok(
      (await lookup.find({ natural: "a", aside: "b", metadata: "metadata" }, undefined, clock.now() + 10_000))?.info
        .tag !== "t",
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
