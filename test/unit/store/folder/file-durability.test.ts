/** What the folder store has made durable when it answers: after a loss of power, what it said holds. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createDurably } from "../../../../src/store/folder/durable-files.ts";
import { FileStore } from "../../../../src/store/folder/file-store.ts";
import { pooledFiles } from "../../../../src/store/folder/files.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { TracedFiles } from "../../../harness/traced-files.ts";

const options = { deadlineMs: 10_000 };
const always = { kind: "always" } as const;

test("a file is made with what is in it", async () => {
  await using folder = await TracedFiles.make();
  assert.deepEqual(await folder.syncedBy(() => createDurably(pooledFiles, join(folder.path, "a"), Buffer.from("x"))), [
    "a",
  ]);
});

test("a blob and what is known of it are durable when it is written, and so is that it is removed", async () => {
  await using folder = await TracedFiles.make();
  await using store = new FileStore({ path: folder.path }, { clock: systemClock, random: systemRandom });
  await store.probe(options);
  const content = { body: Buffer.from("x"), headers: {} };
  const written = await folder.syncedBy(() => store.write("a/b/c", content, always, options));
  // The body and its description before they have their names, then these, and the folders on the way.
  assert.deepEqual(written.slice(0, 3), [".weir/store/temporary/*", ".weir/store/temporary/*", ".weir/store/metadata"]);
  assert.deepEqual(written.slice(3).toSorted(), ["", "a", "a/b"]);
  const removed = await folder.syncedBy(() => store.remove("a/b/c", always, options));
  assert.deepEqual(removed.toSorted(), ["", "a", "a/b"]);
});

test("a part of an upload is durable when it is sent, and the blob when it is complete", async () => {
  await using folder = await TracedFiles.make();
  await using store = new FileStore({ path: folder.path }, { clock: systemClock, random: systemRandom });
  await store.probe(options);
  const content = { headers: {}, token: "t" };
  const upload = await store.beginUpload("a", content, options);
  let part = "";
  const sent = await folder.syncedBy(async () => {
    part = await upload.sendPart({ number: 1, offset: 0, body: Buffer.from("x") }, options);
  });
  assert.deepEqual(sent, [".weir/store/uploads/*"]);
  const completed = { ...content, id: upload.id, parts: [part], size: 1 };
  const complete = await folder.syncedBy(() => store.completeUpload("a", completed, always, options));
  assert.deepEqual(complete, [".weir/store/uploads/*", ".weir/store/temporary/*", ".weir/store/metadata", ""]);
});

test("what a blob is found to be is durable then, though the sync of the change that made it so has failed", async () => {
  await using folder = await TracedFiles.make();
  await using store = new FileStore({ path: folder.path }, { clock: systemClock, random: systemRandom });
  await store.probe(options);
  const content = { body: Buffer.from("x"), headers: {} };
  folder.failing = /^sync a$/;
  await assert.rejects(store.write("a/b", content, always, options), /EIO/);
  // The new body has its name already. Who asks what became of the write must not hear of what may be undone.
  await assert.rejects(store.stat("a/b", options), /EIO/);
  folder.failing = undefined;
  const seen = await folder.syncedBy(async () => assert.equal((await store.stat("a/b", options))?.size, 1));
  assert.ok(seen.includes("a"), seen.join());
  await store.write("a/c", content, always, options);
  folder.failing = /^sync a$/;
  await assert.rejects(store.remove("a/b", always, options), /EIO/);
  await assert.rejects(store.stat("a/b", options), /EIO/, "that it is gone may be undone");
  await assert.rejects(store.remove("a/b", always, options), /EIO/, "there is nothing to remove, but it may come back");
  folder.failing = undefined;
  const removed = await folder.syncedBy(() => store.remove("a/b", always, options));
  assert.ok(removed.includes("a"), removed.join());
});
