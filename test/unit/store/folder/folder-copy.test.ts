/** What export and import make of folders that are not as usual. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { noHeaders } from "../../../../src/core/entry.ts";
import { asideFolder, filePaths, ownFolder, temporaryFolder } from "../../../../src/store/folder/file-names.ts";
import { FolderCopy } from "../../../../src/store/folder/folder-copy.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { FoldingFiles } from "../../../harness/folding-files.ts";

const ports = { clock: systemClock, random: systemRandom };

/** As export writes a value that has no headers, and whose ETag is its MD5. */
async function put(files: FolderCopy, name: string, content: string): Promise<void> {
  const about = { headers: noHeaders, etag: "" };
  await files.put(
    name,
    Readable.from([Buffer.from(content)]),
    about,
    ({ md5 }) => void Object.assign(about, { etag: md5 }),
  );
}

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "weir-folder-copy-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function contentsIn(files: FolderCopy): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for await (const { name, path } of files.files((place, error) => assert.fail(`${place}: ${error.message}`)))
    contents[name] = readFileSync(path, "utf8");
  return contents;
}

for (const [system, tellsSpelling] of [
  ["macOS", true],
  ["Linux", false],
] as const) {
  test(`names that differ by case only, on a disk of ${system} that ignores case, keep a file each`, async () => {
    using disk = new FoldingFiles(tellsSpelling);
    const names = ["Cat", "cat", "CAT", "Folder/a", "folder/b", "folder/A", "Ü", "u\u0308"];
    const files = new FolderCopy(disk.path, ports);
    await files.prepare();
    await Promise.all(names.map((name) => put(files, name, `of ${name}`)));
    const expected = Object.fromEntries(names.map((name) => [name, `of ${name}`]));
    assert.deepEqual(await contentsIn(files), expected);
    const natural = readdirSync(disk.path, { recursive: true, withFileTypes: true }).filter(
      (each) => each.isFile() && !each.parentPath.includes(ownFolder),
    );
    assert.ok(natural.length < names.length, "the disk folds");
    assert.equal(natural.length + readdirSync(join(disk.path, asideFolder)).length, names.length);
    assert.deepEqual(await contentsIn(new FolderCopy(disk.path, ports)), expected, "as import reads it");
    for (const name of names.toReversed()) await put(files, name, `new ${name}`);
    assert.deepEqual(
      await contentsIn(new FolderCopy(disk.path, ports)),
      Object.fromEntries(names.map((name) => [name, `new ${name}`])),
    );
  });
}

test("an export removes what interrupted ones have left, but not what another may still be writing", async (t) => {
  const folder = await folderFor(t);
  await new FolderCopy(folder, ports).prepare();
  const temporary = join(folder, temporaryFolder);
  const longAgo = new Date(Date.now() - 2 * 3_600_000);
  for (const each of ["left", "fresh"]) writeFileSync(join(temporary, each), "half");
  utimesSync(join(temporary, "left"), longAgo, longAgo);
  // The folder itself may have rested since.
  utimesSync(temporary, longAgo, longAgo);
  await new FolderCopy(folder, ports).prepare();
  assert.deepEqual(readdirSync(temporary), ["fresh"]);
});

test("an import tells what it can't read of the values that lie aside, and reads all the rest", async (t) => {
  const folder = await folderFor(t);
  const files = new FolderCopy(folder, ports);
  await files.prepare();
  for (const name of ["a", "a/b", "a/c"]) await put(files, name, `of ${name}`);
  const unreadable = async (): Promise<string[]> => {
    const told: string[] = [];
    const found: string[] = [];
    for await (const { name } of files.files((place, error) => told.push(`${place}: ${error.message.slice(0, 5)}`)))
      found.push(name);
    return [...found, ...told];
  };
  const { aside, metadata } = filePaths("a/b");
  // What leads to itself can't be read, even by root.
  for (const place of [metadata, asideFolder]) {
    await rm(join(folder, place), { recursive: true });
    symlinkSync(basename(place), join(folder, place));
    assert.deepEqual(
      await unreadable(),
      place === metadata ? ["a", "a/c", `${aside}: ELOOP`] : ["a", `${place}/: ELOOP`],
    );
  }
});
