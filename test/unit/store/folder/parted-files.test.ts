/**
 * Parted uploads in a folder: what is durable when it is answered, what another process and a crash find, and what
 * stays when one is over.
 */

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { UploadedPart } from "../../../../src/core/operation.ts";
import type { BlobStore } from "../../../../src/store/blob-store.ts";
import { FileLanes } from "../../../../src/store/folder/file-lanes.ts";
import { FileStore } from "../../../../src/store/folder/file-store.ts";
import { pooledFiles } from "../../../../src/store/folder/files.ts";
import { FolderSyncs } from "../../../../src/store/folder/folder-syncs.ts";
import { PartedFiles } from "../../../../src/store/folder/parted-files.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { TracedFiles } from "../../../harness/traced-files.ts";

const ports = { clock: systemClock, random: systemRandom };
const options = { deadlineMs: 10_000 };
const always = { kind: "always" } as const;
const content = { headers: {}, token: "t" };

async function freshFolder(t: { after(done: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "weir-parted-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function openIn(path: string): Promise<FileStore> {
  const store = new FileStore({ path }, ports);
  await store.probe(options);
  return store;
}

async function send(store: BlobStore, id: string, number: number, text: string): Promise<UploadedPart> {
  const tag = await store.sendPart("k", id, { number, body: Buffer.from(text) }, options);
  return { number, tag, size: text.length };
}

async function complete(store: BlobStore, id: string, parts: readonly UploadedPart[], size: number): Promise<string> {
  const assembled = await store.assembleUpload("k", id, parts, options);
  if (assembled.kind === "gone") return "not assembled";
  const upload = { ...content, id, parts: assembled.parts, size };
  return (await store.completeUpload("k", upload, always, options)).kind;
}

const left = async (folder: string): Promise<string[][]> => [
  await readdir(join(folder, ".weir/store/uploads")),
  await readdir(join(folder, ".weir/store/temporary")),
];

test("a parted upload is durable step by step: its beginning, each part, and what they are joined to", async () => {
  await using folder = await TracedFiles.make();
  await using store = await openIn(folder.path);
  let id = "";
  const parts: UploadedPart[] = [];
  const begun = await folder.syncedBy(async () => {
    id = await store.beginParted("k", content, options);
  });
  assert.deepEqual(begun, [".weir/store/uploads"]);
  const synced = async (work: () => Promise<unknown>): Promise<string[]> =>
    (await folder.syncedBy(work)).map((place) => place.replaceAll(/[0-9a-f]{32}/g, "*"));
  const sent = await synced(async () => void parts.push(await send(store, id, 7, "x")));
  assert.deepEqual(sent, [".weir/store/uploads/*/7-*", ".weir/store/uploads/*"]);
  const joined = await synced(() => store.assembleUpload("k", id, parts, options));
  assert.deepEqual(joined, [".weir/store/temporary/*", ".weir/store/uploads/*"]);
  const completed = await synced(() => complete(store, id, parts, 1));
  assert.deepEqual(completed.slice(2), [
    ".weir/store/uploads/*/joined-*",
    ".weir/store/temporary/*",
    ".weir/store/metadata",
    "",
  ]);
});

test("an upload that one process began, others send parts of and complete; nothing stays of it", async (t) => {
  const folder = await freshFolder(t);
  await using first = await openIn(folder);
  await using second = await openIn(folder);
  const id = await first.beginParted("k", content, options);
  const parts = [await send(second, id, 4, "b"), await send(first, id, 2, "a")].toReversed();
  await send(second, id, 2, "not this one");
  assert.equal(await complete(second, id, parts, 2), "written");
  assert.equal(await readFile(join(folder, "k"), "utf8"), "ab");
  assert.deepEqual(await left(folder), [[], []]);
  assert.equal(await complete(first, id, parts, 2), "not assembled");
});

test("two processes that assemble an upload at a time come to the same, and it is completed once", async (t) => {
  const folder = await freshFolder(t);
  await using first = await openIn(folder);
  await using second = await openIn(folder);
  const id = await first.beginParted("k", content, options);
  const parts = [await send(first, id, 1, "a".repeat(1_000_000)), await send(first, id, 2, "b")];
  const assembled = await Promise.all(
    [first, second, first].map((store) => store.assembleUpload("k", id, parts, options)),
  );
  assert.deepEqual(new Set(assembled.map((each) => JSON.stringify(each))).size, 1);
  const uploads = join(folder, ".weir/store/uploads", id);
  const inode = async (): Promise<bigint | undefined> => {
    const joined = (await readdir(uploads)).find((name) => name.startsWith("joined-")) ?? "";
    return (await stat(join(uploads, joined), { bigint: true })).ino;
  };
  // One that is being completed is the file that its metadata is about.
  const before = await inode();
  await second.assembleUpload("k", id, parts, options);
  assert.equal(await inode(), before);
  assert.equal(await complete(second, id, parts, 1_000_001), "written");
  const info = await first.stat("k", options);
  assert.deepEqual([info?.upload, info?.size], ["t", 1_000_001]);
});

test("a completion takes the very bytes that it was assembled of, though others of the same size were before or since", async (t) => {
  await using store = await openIn(await freshFolder(t));
  for (const [index, expected] of ["one", "two"].entries()) {
    const id = await store.beginParted("k", content, options);
    const assembled: string[][] = [];
    for (const text of ["one", "two"]) {
      const result = await store.assembleUpload("k", id, [await send(store, id, 1, text)], options);
      assert.ok(result.kind === "assembled");
      assembled.push([...result.parts]);
    }
    const upload = { ...content, id, parts: assembled[index] ?? [], size: 3 };
    assert.equal((await store.completeUpload("k", { ...upload, size: 4 }, always, options)).kind, "incomplete");
    assert.equal((await store.completeUpload("k", upload, always, options)).kind, "written");
    const found = await store.read("k", 10, options);
    assert.equal(found.kind === "found" && found.blob.body.toString(), expected);
  }
});

test("a part that is not there, or has another size than its client says, is not joined", async (t) => {
  await using store = await openIn(await freshFolder(t));
  const id = await store.beginParted("k", content, options);
  const part = await send(store, id, 1, "abc");
  assert.equal(await complete(store, id, [{ ...part, size: 2 }], 2), "not assembled");
  assert.equal(await complete(store, id, [{ ...part, number: 2 }], 3), "not assembled");
});

test("what a crash leaves of assembling is in nobody's way, and is swept away later", async (t) => {
  const folder = await freshFolder(t);
  await using store = await openIn(folder);
  const id = await store.beginParted("k", content, options);
  const parts = [await send(store, id, 1, "abc")];
  const temporary = join(folder, ".weir/store/temporary");
  await writeFile(join(temporary, "half"), "a");
  await mkdir(join(temporary, "moved"));
  await writeFile(join(temporary, "moved/1-x"), "a");
  const yesterday = Date.now() / 1_000 - 86_400;
  for (const each of ["half", "moved"]) await utimes(join(temporary, each), yesterday, yesterday);
  await (await openIn(folder))[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(temporary), []);
  assert.equal(await complete(store, id, parts, 3), "written");
});

test("nothing stays of a part that fails, or is given up", async () => {
  await using folder = await TracedFiles.make();
  await using store = await openIn(folder.path);
  const id = await store.beginParted("k", content, options);
  const files = (): Promise<string[]> => readdir(join(folder.path, ".weir/store/uploads", id));
  folder.failing = /^sync .*\/1-/;
  await assert.rejects(send(store, id, 1, "abc"), { code: "store_unavailable" });
  assert.deepEqual(await files(), []);
  folder.failing = undefined;
  const body = Buffer.alloc(64 * 1024 * 1024);
  const late = store.sendPart("k", id, { number: 1, body }, { deadlineMs: 1 });
  await assert.rejects(late, { code: "store_unavailable" });
  for (let looks = 0; looks < 100 && (await files()).length > 0; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual(await files(), []);
});

test("an abort ends an upload at once, with all its parts, assembled or not", async (t) => {
  const folder = await freshFolder(t);
  await using store = await openIn(folder);
  const id = await store.beginParted("k", content, options);
  const parts = [await send(store, id, 1, "abc")];
  await store.assembleUpload("k", id, parts, options);
  await store.abortUpload("k", id, options);
  assert.deepEqual(await left(folder), [[], []]);
  await assert.rejects(send(store, id, 2, "late"), { code: "store_refused" });
  assert.equal(await complete(store, id, parts, 3), "not assembled");
  assert.deepEqual(await left(folder), [[], []]);
});

test("a folder that is gone says nothing of its uploads", async (t) => {
  const folder = await freshFolder(t);
  await using store = await openIn(folder);
  const id = await store.beginParted("k", content, options);
  const parts = [await send(store, id, 1, "abc")];
  await rm(join(folder, ".weir"), { recursive: true });
  await assert.rejects(send(store, id, 2, "x"), { code: "store_unavailable" });
  await assert.rejects(store.assembleUpload("k", id, parts, options), { code: "store_unavailable" });
});

test("joining the parts stops when nobody waits for it any more", async (t) => {
  const folder = await freshFolder(t);
  await using store = await openIn(folder);
  const id = await store.beginParted("k", content, options);
  const parts = [await send(store, id, 1, "abc")];
  await assert.rejects(store.assembleUpload("k", id, parts, { deadlineMs: 0 }), { code: "store_unavailable" });
  // Long enough for three bytes, if it went on.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const files = await readdir(join(folder, ".weir/store/uploads", id));
  assert.equal(files.length, 1, files.join());
  assert.equal(await complete(store, id, parts, 3), "written");
});

/** Over a fresh folder, by a clock of its own, which goes on by so much with each sync of a folder. */
async function filesOf(t: { after(done: () => Promise<void>): void }, syncMs: number) {
  const folder = await freshFolder(t);
  const [uploads, temporary] = [join(folder, "uploads"), join(folder, "temporary")];
  for (const path of [uploads, temporary]) await mkdir(path);
  const clock = new ManualClock();
  const lanes = new FileLanes();
  const own = new FolderSyncs(pooledFiles, lanes);
  const syncs = { sync: (path: string) => own.sync(path).then(() => clock.advance(syncMs)) } as FolderSyncs;
  const files = new PartedFiles({ uploads, temporary, clock, random: systemRandom, syncs, lanes });
  const id = await files.begin();
  return { files, id, clock, kept: () => readdir(join(uploads, id)) };
}

test("a part whose sync took too long does not stay: its sender was told that it was given up", async (t) => {
  const { files, id, clock, kept } = await filesOf(t, 100);
  const part = { number: 1, body: Buffer.from("a") };
  assert.match((await files.send(id, part, clock.now() + 101)) ?? "", /^[0-9a-f]{32}$/);
  await assert.rejects(files.send(id, part, clock.now() + 100), /too slow/);
  assert.equal((await kept()).length, 1);
});

test("no more of a part is read once it has been given up", async (t) => {
  const { files, id, clock, kept } = await filesOf(t, 0);
  let pieces = 0;
  const body = Buffer.alloc(3 * 1024 * 1024);
  const subarray = (start?: number, end?: number): Buffer<ArrayBuffer> => {
    pieces++;
    clock.advance(60);
    return Buffer.prototype.subarray.call(body, start, end) as Buffer<ArrayBuffer>;
  };
  const part = { number: 1, body: Object.assign(body, { subarray }) };
  await assert.rejects(files.send(id, part, clock.now() + 100), /too slow/);
  assert.equal(pieces, 2);
  assert.deepEqual(await kept(), []);
});
