/** Parts of an upload in a folder whose disk is slow. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { OpenUpload } from "../../../../src/store/blob-store.ts";
import { laneCount } from "../../../../src/store/folder/file-lanes.ts";
import { uploadFolder } from "../../../../src/store/folder/file-names.ts";
import { FileStore } from "../../../../src/store/folder/file-store.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { assertShortTurns } from "../../../harness/turn-times.ts";

const deadline = { deadlineMs: 10_000 };
const content = { headers: {}, token: "t" };
const open = fs.open;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** An upload of ten bytes to a folder of its own; the test may put something in the place of `fs.open` meanwhile. */
class Trial implements AsyncDisposable {
  readonly upload: OpenUpload;
  readonly folder: string;
  readonly store: FileStore;

  private constructor(folder: string, store: FileStore, upload: OpenUpload) {
    this.folder = folder;
    this.store = store;
    this.upload = upload;
  }

  static async begin(): Promise<Trial> {
    const folder = await fs.mkdtemp(join(tmpdir(), "weir-upload-"));
    const store = new FileStore({ path: folder }, { clock: systemClock, random: systemRandom });
    await store.probe(deadline);
    return new Trial(folder, store, await store.beginUpload("k", content, deadline));
  }

  /** What the object has once it is complete. */
  async complete(parts: readonly string[]): Promise<string> {
    const completed = { ...content, id: this.upload.id, parts, size: 10 };
    const { kind } = await this.store.completeUpload("k", completed, { kind: "absent" }, deadline);
    assert.equal(kind, "written");
    return await fs.readFile(join(this.folder, "k"), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    fs.open = open;
    syncBuiltinESMExports();
    await this.store[Symbol.asyncDispose]();
    await fs.rm(this.folder, { recursive: true });
  }
}

test("a part that is given up as too slow, and sent again, writes nothing from memory that is used for another part by then", async () => {
  await using trial = await Trial.begin();
  const { upload } = trial;
  const stuck = Promise.withResolvers<void>();
  const late = Promise.withResolvers<void>();
  fs.open = async (...args) => {
    fs.open = open;
    syncBuiltinESMExports();
    await stuck.promise;
    const handle = await open(...args);
    const close = handle.close.bind(handle);
    handle.close = () => close().finally(() => late.resolve());
    return handle;
  };
  syncBuiltinESMExports();
  // As `UploadRun` does: a buffer is used again once its part is there.
  const body = Buffer.alloc(5, "a");
  const first = { number: 1, offset: 0, body };
  await assert.rejects(upload.sendPart(first, { deadlineMs: 1 }), /did not answer/);
  const again = upload.sendPart(first, deadline);
  await Promise.race([again, pause(200)]);
  void again.then(() => body.fill("b"));
  await pause(10);
  stuck.resolve();
  await late.promise;
  const parts = [await again];
  const second = { number: 2, offset: 5, body: Buffer.from(body.fill("b")) };
  parts.push(await upload.sendPart(second, deadline));
  assert.equal(await trial.complete(parts), "aaaaabbbbb");
});

test("nor does one that is given up twice, the first time of which comes to its end meanwhile", async () => {
  await using trial = await Trial.begin();
  const { upload } = trial;
  const stuck = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let opened = 0;
  fs.open = async (...args) => {
    await stuck[opened++]?.promise;
    return await open(...args);
  };
  syncBuiltinESMExports();
  const body = Buffer.alloc(5, "a");
  const first = { number: 1, offset: 0, body };
  await assert.rejects(upload.sendPart(first, { deadlineMs: 1 }), /did not answer/);
  const second = upload.sendPart(first, { deadlineMs: 100 });
  stuck[0]?.resolve();
  await assert.rejects(second, /did not answer/);
  const third = upload.sendPart(first, deadline);
  await Promise.race([third, pause(200)]);
  void third.then(() => body.fill("b"));
  await pause(10);
  stuck[1]?.resolve();
  await pause(50);
  const parts = [await third];
  const other = { number: 2, offset: 5, body: Buffer.from(body.fill("b")) };
  parts.push(await upload.sendPart(other, deadline));
  assert.equal(await trial.complete(parts), "aaaaabbbbb");
});

test("parts leave one of the runtime's threads to the journal, those of the node and those of a client", async () => {
  await using trial = await Trial.begin();
  let busy = 0;
  let most = 0;
  fs.open = async (...args) => {
    const handle = await open(...args);
    for (const name of ["write", "writeFile", "datasync", "sync"] as const) {
      const call = handle[name].bind(handle) as (...args: unknown[]) => Promise<unknown>;
      const slow = async (...args: unknown[]): Promise<unknown> => {
        most = Math.max(most, ++busy);
        await pause(5);
        return await call(...args).finally(() => busy--);
      };
      Object.assign(handle, { [name]: slow });
    }
    return handle;
  };
  syncBuiltinESMExports();
  const body = Buffer.from("x");
  const numbers = Array.from({ length: 2 * laneCount }, (_, index) => index + 1);
  await Promise.all(numbers.map((number) => trial.upload.sendPart({ number, offset: number - 1, body }, deadline)));
  assert.equal(most, laneCount);
  most = 0;
  const { store } = trial;
  const id = await store.beginParted("k", content, deadline);
  await Promise.all(numbers.map((number) => store.sendPart("k", id, { number, body }, deadline)));
  assert.equal(most, laneCount);
});

test("large parts are hashed in short turns, and their tags are those of all bytes before", async () => {
  const body = Buffer.alloc(5 * 1024 * 1024, "a");
  const tags: string[][] = [];
  await assertShortTurns(async () => {
    await using trial = await Trial.begin();
    const { upload } = trial;
    const sent = [1, 2, 3].map((number) => {
      return upload.sendPart({ number, offset: (number - 1) * body.length, body }, deadline);
    });
    tags.push(await Promise.all(sent));
  });
  const expected = [1, 2, 3].map((count) => hash("md5", Buffer.concat(Array.from({ length: count }, () => body))));
  for (const each of tags) assert.deepEqual(each, expected);
});

test("what others put among the uploads is no upload", async () => {
  await using trial = await Trial.begin();
  await fs.writeFile(join(trial.folder, uploadFolder, ".nfs0001"), "");
  const found = await trial.store.listUploads(deadline);
  assert.equal(found.length, 1);
});
