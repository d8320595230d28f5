/**
 * A process keeps its data folder: none is made in its place, and no other one taken, while its file system is not
 * mounted (J12). A folder that is moved away and back stands for that.
 */

import assert from "node:assert/strict";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { DataFolder } from "../../../src/journal/data-folder.ts";
import { openFileDisk } from "../../../src/journal/file-disk.ts";
import { systemRandom } from "../../../src/system.ts";
import { TracedFiles } from "../../harness/traced-files.ts";

const notTheSame = { code: "disk_failed", message: /is not the one that this process had: is its file system mounted/ };

/** The name of the folder, which is opened and let go. */
async function nameOf(folder: Pick<DataFolder, "open">): Promise<string> {
  await using disk = await folder.open();
  return disk.folder;
}

test("DataFolder makes a folder once: while it is away none is made in its place, and it counts again when it is back", async () => {
  await using files = await TracedFiles.make();
  const [path, away] = [join(files.path, "data/a"), join(files.path, "away")];
  const folder = new DataFolder(path, systemRandom);
  const name = await nameOf(folder);
  await rename(path, away);
  await assert.rejects(folder.open(), notTheSame);
  assert.deepEqual(await readdir(join(files.path, "data")), []);
  // A mount point.
  await mkdir(path);
  await assert.rejects(folder.open(), notTheSame);
  assert.deepEqual(await readdir(path), []);
  await rename(away, path);
  assert.equal(await nameOf(folder), name);
});

test("DataFolder takes no other folder in the place of its own, and lets that one go", async () => {
  await using files = await TracedFiles.make();
  const path = join(files.path, "a");
  const folder = new DataFolder(path, systemRandom);
  const name = await nameOf(folder);
  await rename(path, join(files.path, "away"));
  const other = await nameOf({ open: () => openFileDisk(path, systemRandom) });
  assert.notEqual(other, name);
  await assert.rejects(folder.open(), notTheSame);
  // The next process is asked to start on it.
  assert.equal(await nameOf(new DataFolder(path, systemRandom)), other);
});

test("DataFolder that could not be opened yet is not made anew either if it was there, readable or not", async () => {
  for (const name of ["a", "b"]) {
    await using files = await TracedFiles.make();
    const path = join(files.path, name);
    await nameOf(new DataFolder(path, systemRandom));
    if (name === "b") {
      await rm(join(path, "folder"));
      // The file system refuses to read a folder as a file.
      await mkdir(join(path, "folder"));
    } else {
      await rm(join(path, "lock"), { force: true, recursive: true });
      await mkdir(join(path, "lock"));
    }
    const folder = new DataFolder(path, systemRandom);
    await assert.rejects(folder.open());
    await rename(path, join(files.path, "away"));
    await mkdir(path);
    await assert.rejects(folder.open(), notTheSame);
    assert.deepEqual(await readdir(path), []);
  }
});

test("DataFolder that is new and could not be named is named when its disk works", async () => {
  await using files = await TracedFiles.make();
  const folder = new DataFolder(join(files.path, "a"), systemRandom);
  files.failing = /^writeFile /;
  await assert.rejects(folder.open(), { code: "disk_failed" });
  files.failing = undefined;
  assert.match(await nameOf(folder), /^[0-9a-f]{32}$/);
});
