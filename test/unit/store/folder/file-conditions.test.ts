/**
 * What the folder store changes under which condition. The conformance suite sees it too, after a probe that a store
 * with such a mistake does not pass (F8).
 */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { WriteCondition } from "../../../../src/store/blob-store.ts";
import { FileStore } from "../../../../src/store/folder/file-store.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";

const options = { deadlineMs: 10_000 };
const always = { kind: "always" } as const;
const absent = { kind: "absent" } as const;
const unchanged = (tag: string): WriteCondition => ({ kind: "unchanged", tag });

async function open(t: TestContext): Promise<{ store: FileStore; folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), "weir-conditions-"));
  t.after(() => rm(folder, { recursive: true }));
  const store = new FileStore({ path: folder }, { clock: systemClock, random: systemRandom });
  await store.probe(options);
  return { store, folder, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

const content = (text: string) => ({ body: Buffer.from(text), headers: {} });

async function textOf(store: FileStore, name: string): Promise<string | undefined> {
  const found = await store.read(name, 100, options);
  return found.kind === "found" ? found.blob.body.toString() : undefined;
}

test("FileStore writes under a condition only where it holds, and changes nothing where it does not", async (t) => {
  await using stage = await open(t);
  const { store } = stage;
  const first = await store.write("k", content("1"), absent, options);
  assert.ok(first.kind === "written");
  for (const condition of [absent, unchanged("another")]) {
    assert.deepEqual(await store.write("k", content("2"), condition, options), { kind: "conflict" }, condition.kind);
    assert.equal(await textOf(store, "k"), "1");
  }
  assert.equal((await store.write("k", content("3"), unchanged(first.tag), options)).kind, "written");
  assert.deepEqual(await store.write("k", content("4"), unchanged(first.tag), options), { kind: "conflict" });
  assert.equal(await textOf(store, "k"), "3");
  assert.deepEqual(await store.write("none", content("5"), unchanged(first.tag), options), { kind: "conflict" });
  assert.equal(await textOf(store, "none"), undefined);
});

test("FileStore removes under a condition only where it holds, and changes nothing where it does not", async (t) => {
  await using stage = await open(t);
  const { store } = stage;
  const first = await store.write("k", content("1"), always, options);
  assert.ok(first.kind === "written");
  for (const condition of [absent, unchanged("another")]) {
    assert.deepEqual(await store.remove("k", condition, options), { kind: "conflict" }, condition.kind);
    assert.equal(await textOf(store, "k"), "1");
  }
  assert.equal((await store.remove("k", unchanged(first.tag), options)).kind, "written");
  assert.equal(await textOf(store, "k"), undefined);
});

test("FileStore completes an upload under a condition only where it holds, and only with all its bytes", async (t) => {
  await using stage = await open(t);
  const { store } = stage;
  await store.write("k", content("1"), always, options);
  const begun = { headers: {}, token: "t" };
  const upload = await store.beginUpload("k", begun, options);
  const parts = [await upload.sendPart({ number: 1, offset: 0, body: Buffer.from("large") }, options)];
  const completed = { ...begun, id: upload.id, parts, size: 5 };
  for (const condition of [absent, unchanged("another")]) {
    const result = await store.completeUpload("k", completed, condition, options);
    assert.deepEqual(result, { kind: "conflict" }, condition.kind);
  }
  assert.deepEqual(await store.completeUpload("k", { ...completed, size: 6 }, always, options), { kind: "gone" });
  assert.equal(await textOf(store, "k"), "1");
  assert.equal((await store.completeUpload("k", completed, always, options)).kind, "written");
  assert.equal(await textOf(store, "k"), "large");
});

test("FileStore takes a body that others wrote for theirs, though it is as long as the one before", async (t) => {
  await using stage = await open(t);
  const { store, folder } = stage;
  const ours = await store.write("k", { ...content("ours"), version: "v" }, always, options);
  await writeFile(join(folder, "k"), "OURS");
  const info = await store.stat("k", options);
  assert.equal(info?.version, undefined);
  assert.ok(ours.kind === "written" && info?.tag !== ours.tag);
});
