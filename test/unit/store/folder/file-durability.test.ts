/** What the folder store has made durable when it answers: after a loss of power, what it said holds. */

import assert from "node:assert/strict";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { createDurably } from "../../../../src/store/folder/durable-files.ts";
import { FileStore } from "../../../../src/store/folder/file-store.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";

const options = { deadlineMs: 10_000 };
const always = { kind: "always" } as const;
const open = fs.open;

/** A folder of its own, and what in it has been synced, with a `*` for names that are drawn. */
class Folder implements AsyncDisposable {
  readonly path: string;
  #synced: string[] = [];

  constructor(path: string) {
    this.path = path;
    fs.open = async (...args) => {
      const handle = await open(...args);
      const place = relative(path, String(args[0])).replace(/[0-9a-f]{32}/, "*");
      const sync = handle.sync.bind(handle);
      const datasync = handle.datasync.bind(handle);
      const note = (): void => void this.#synced.push(place);
      handle.sync = () => sync().then(note);
      handle.datasync = () => datasync().then(note);
      return handle;
    };
    syncBuiltinESMExports();
  }

  static async make(): Promise<Folder> {
    return new Folder(await fs.mkdtemp(join(tmpdir(), "weir-durability-")));
  }

  /** What the work makes durable, in order. */
  async syncedBy(work: () => Promise<unknown>): Promise<string[]> {
    this.#synced = [];
    await work();
    return this.#synced;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    fs.open = open;
    syncBuiltinESMExports();
    await fs.rm(this.path, { recursive: true });
  }
}

test("a file is made with what is in it", async () => {
  await using folder = await Folder.make();
  assert.deepEqual(await folder.syncedBy(() => createDurably(join(folder.path, "a"), Buffer.from("x"))), ["a"]);
});

test("a blob and what is known of it are durable when it is written, and so is that it is removed", async () => {
  await using folder = await Folder.make();
  await using store = new FileStore({ path: folder.path }, { clock: systemClock, random: systemRandom });
  await store.probe(options);
  const content = { body: Buffer.from("x"), headers: {} };
  const written = await folder.syncedBy(() => store.write("a/b/c", content, always, options));
  // The body and its description before they have their names, then these, and the folders on the way.
  assert.deepEqual(written, [
    ".weir/store/temporary/*",
    ".weir/store/temporary/*",
    ".weir/store/metadata",
    "a/b",
    "a",
    "",
  ]);
  assert.deepEqual(await folder.syncedBy(() => store.remove("a/b/c", always, options)), ["a/b", "a", ""]);
});

test("a part of an upload is durable when it is sent, and the blob when it is complete", async () => {
  await using folder = await Folder.make();
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
