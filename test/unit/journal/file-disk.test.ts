/**
 * What FileDisk asks of the file system, call by call: what it says is durable is durable, and nothing is cut, moved or
 * passed over. A reader of the folder sees nothing of that before the power fails (J1, J9).
 */

import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Disk } from "../../../src/journal/disk.ts";
import { openFileDisk } from "../../../src/journal/file-disk.ts";
import { systemRandom } from "../../../src/system.ts";
import { TracedFiles } from "../../harness/traced-files.ts";

const bytes = (text: string): Buffer[] => text.split("|").map((each) => Buffer.from(each));

/** A disk in a new folder, open. */
async function opened(): Promise<{ files: TracedFiles; disk: Disk } & AsyncDisposable> {
  const files = await TracedFiles.make();
  const disk = await openFileDisk(files.path, systemRandom);
  return {
    files,
    disk,
    async [Symbol.asyncDispose]() {
      await disk[Symbol.asyncDispose]();
      await files[Symbol.asyncDispose]();
    },
  };
}

test("FileDisk writes what is appended at once, and syncs the file's bytes when it is asked to", async () => {
  await using stage = await opened();
  const { files, disk } = stage;
  const file = await disk.create("a");
  assert.deepEqual(await files.callsOf(() => file.append(bytes("one|two"))), ["writev a"]);
  assert.deepEqual(await files.callsOf(() => file.sync()), ["datasync a"]);
  await file.close();
});

test("FileDisk syncs the folder itself when the folder's names are to be durable", async () => {
  await using stage = await opened();
  assert.deepEqual(await stage.files.syncedBy(() => stage.disk.syncFolder()), [""]);
});

test("FileDisk makes a new folder durable with all that it made above it, and its name before it tells it", async () => {
  await using files = await TracedFiles.make();
  const calls = await files.callsOf(async () => {
    await using _disk = await openFileDisk(join(files.path, "a/b"), systemRandom);
  }, /^(?:writeFile|sync|rename) /);
  assert.deepEqual(calls, [
    "sync a",
    "sync ",
    "writeFile a/b/folder.new",
    "sync a/b/folder.new",
    "rename a/b/folder.new a/b/folder",
    "sync a/b",
  ]);
});

test("FileDisk keeps the folder's name, which is drawn once and is another one for each folder", async () => {
  await using files = await TracedFiles.make();
  const disk = await openFileDisk(files.path, systemRandom);
  await disk[Symbol.asyncDispose]();
  await using again = await openFileDisk(files.path, systemRandom);
  assert.equal(again.folder, disk.folder);
  await using other = await openFileDisk(join(files.path, "other"), systemRandom);
  assert.notEqual(other.folder, disk.folder);
});

test("FileDisk goes on with an append of which the system took a part only, at the right place", async () => {
  await using stage = await opened();
  const { files, disk } = stage;
  const file = await disk.create("a");
  await file.append(bytes("0123456789"));
  files.writeBytes = 4;
  await file.append(bytes("abc|defgh||ij"));
  assert.equal(file.size, 20);
  assert.equal(await readFile(join(files.path, "a"), "utf8"), "0123456789abcdefghij");
  await file.close();
});

test("FileDisk makes only files that are not there, opens only those that are, and leaves their bytes alone", async () => {
  await using stage = await opened();
  const { files, disk } = stage;
  await writeFile(join(files.path, "a"), "kept");
  await assert.rejects(disk.create("a"), { code: "EEXIST" });
  await assert.rejects(disk.open("b"), { code: "ENOENT" });
  const file = await disk.open("a");
  assert.equal(file.size, 4);
  await file.append(bytes(", and more"));
  assert.equal((await file.read(0, file.size)).toString(), "kept, and more");
  assert.equal((await file.read(6, 3)).toString(), "and");
  await file.close();
});

test("FileDisk rewrites bytes where they are, and the file is as long as before", async () => {
  await using stage = await opened();
  const file = await stage.disk.create("a");
  await file.append(bytes("0123456789"));
  await file.rewrite(2, Buffer.from("ab"));
  assert.equal(file.size, 10);
  assert.equal((await file.read(0, 10)).toString(), "01ab456789");
  await file.close();
});

test("FileDisk cuts a file off, and appends from there", async () => {
  await using stage = await opened();
  const file = await stage.disk.create("a");
  await file.append(bytes("0123456789"));
  await file.truncate(3);
  assert.equal(file.size, 3);
  await file.append(bytes("x"));
  assert.equal(await readFile(join(stage.files.path, "a"), "utf8"), "012x");
  await assert.rejects(file.read(0, 9), /has got shorter/);
  await file.close();
});

test("FileDisk lists the names that are there, whoever made them, and removes the one that it is told", async () => {
  await using stage = await opened();
  const { files, disk } = stage;
  for (const name of ["a", "b", "foreign"]) await writeFile(join(files.path, name), "");
  await disk.remove("a");
  const names = await disk.list();
  assert.deepEqual(names.toSorted(), (await readdir(files.path)).toSorted());
  assert.ok(names.includes("foreign") && names.includes("b") && !names.includes("a"));
});

test("FileDisk fails with the system's error when any call does, and says nothing else", async () => {
  await using stage = await opened();
  const { files, disk } = stage;
  const file = await disk.create("a");
  for (const [failing, work] of [
    [/^writev a/, () => file.append(bytes("x"))],
    [/^writev a/, () => file.rewrite(0, Buffer.from("x"))],
    [/^datasync a/, () => file.sync()],
    [/^truncate a/, () => file.truncate(0)],
    [/^sync $/, () => disk.syncFolder()],
    [/^open $|^open {2}r/, () => disk.syncFolder()],
    [/^unlink a/, () => disk.remove("a")],
    [/^close a/, () => file.close()],
  ] as const) {
    files.failing = failing;
    await assert.rejects(work(), { code: "EIO" }, String(failing));
    files.failing = undefined;
  }
  await file.close();
});

test("FileDisk is for one owner at a time, also where opening it failed half-way", async () => {
  await using files = await TracedFiles.make();
  files.failing = /^sync folder.new/;
  await assert.rejects(openFileDisk(files.path, systemRandom), { code: "disk_failed" });
  files.failing = undefined;
  const disk = await openFileDisk(files.path, systemRandom);
  await assert.rejects(openFileDisk(files.path, systemRandom), { code: "config_invalid" });
  await disk[Symbol.asyncDispose]();
  await (await openFileDisk(files.path, systemRandom))[Symbol.asyncDispose]();
});

test("FileDisk calls back after the turn of the event loop, and not within it", async () => {
  await using stage = await opened();
  const order: string[] = [];
  const called = new Promise<void>((resolve) => {
    stage.disk.afterTurn(() => {
      order.push("after");
      resolve();
    });
  });
  await Promise.resolve().then(() => order.push("within"));
  await called;
  assert.deepEqual(order, ["within", "after"]);
});

test("a data folder that is there already is not made again, nor what is above it", async () => {
  await using files = await TracedFiles.make();
  await mkdir(join(files.path, "a"));
  const synced = await files.syncedBy(async () => {
    await using _disk = await openFileDisk(join(files.path, "a"), systemRandom);
  });
  assert.deepEqual(synced, ["a/folder.new", "a"]);
});

test("FileDisk's folder and files are for their user alone, whatever the umask", {
  skip: process.platform === "win32",
}, async () => {
  await using files = await TracedFiles.make();
  const umask = process.umask(0);
  try {
    const path = join(files.path, "made/data");
    const disk = await openFileDisk(path, systemRandom);
    await (await disk.create("a")).close();
    await disk[Symbol.asyncDispose]();
    const modeOf = async (name: string): Promise<string> => ((await stat(join(path, name))).mode & 0o777).toString(8);
    assert.equal(await modeOf(""), "700");
    for (const name of await readdir(path)) assert.equal(await modeOf(name), "600", name);
    // A folder that was there stays as its owner made it.
    const given = join(files.path, "given");
    await mkdir(given, { mode: 0o750 });
    await using _other = await openFileDisk(given, systemRandom);
    assert.equal((await stat(given)).mode & 0o777, 0o750);
  } finally {
    process.umask(umask);
  }
});

test("FileDisk makes and removes nothing in another folder that has come into the place of its own (J12)", async () => {
  await using files = await TracedFiles.make();
  const path = join(files.path, "data");
  await using disk = await openFileDisk(path, systemRandom);
  await (await disk.create("a")).close();
  await rename(path, join(files.path, "hidden"));
  await mkdir(path);
  await writeFile(join(path, "a"), "of another folder");
  for (const change of [() => disk.remove("a"), () => disk.create("b")]) {
    await assert.rejects(change, { code: "disk_failed", message: /is not the one that this process had/ });
  }
  assert.deepEqual(await readdir(path), ["a"]);
});
