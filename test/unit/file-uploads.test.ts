/** Parts of an upload in a folder whose disk is slow. */

import assert from "node:assert/strict";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileStore } from "../../src/store/file-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";

const deadline = { deadlineMs: 10_000 };

test("a part that is given up as too slow, and sent again, writes nothing from memory that is used for another part by then", async (t) => {
  const folder = await fs.mkdtemp(join(tmpdir(), "weir-upload-"));
  t.after(() => fs.rm(folder, { recursive: true }));
  await using store = new FileStore({ path: folder }, { clock: systemClock, random: systemRandom });
  await store.probe(deadline);
  const content = { headers: {}, token: "t" };
  const upload = await store.beginUpload("k", content, deadline);
  const open = fs.open;
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
  t.after(() => {
    fs.open = open;
    syncBuiltinESMExports();
  });
  // As `UploadRun` does: a buffer is used again once its part is there.
  const body = Buffer.alloc(5, "a");
  const first = { number: 1, offset: 0, body };
  await assert.rejects(upload.sendPart(first, { deadlineMs: 1 }), /did not answer/);
  const again = upload.sendPart(first, deadline);
  await Promise.race([again, new Promise((resolve) => setTimeout(resolve, 200))]);
  void again.then(() => body.fill("b"));
  await new Promise((resolve) => setTimeout(resolve, 10));
  stuck.resolve();
  await late.promise;
  const parts = [await again];
  const second = { number: 2, offset: 5, body: Buffer.from(body.fill("b")) };
  parts.push(await upload.sendPart(second, deadline));
  const completed = { ...content, id: upload.id, parts, size: 10 };
  assert.equal((await store.completeUpload("k", completed, { kind: "absent" }, deadline)).kind, "written");
  assert.equal(await fs.readFile(join(folder, "k"), "utf8"), "aaaaabbbbb");
});

test("nor does one that is given up twice, the first time of which comes to its end meanwhile", async (t) => {
  const folder = await fs.mkdtemp(join(tmpdir(), "weir-upload-"));
  t.after(() => fs.rm(folder, { recursive: true }));
  await using store = new FileStore({ path: folder }, { clock: systemClock, random: systemRandom });
  await store.probe(deadline);
  const content = { headers: {}, token: "t" };
  const upload = await store.beginUpload("k", content, deadline);
  const open = fs.open;
  const stuck = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let opened = 0;
  fs.open = async (...args) => {
    await stuck[opened++]?.promise;
    return await open(...args);
  };
  syncBuiltinESMExports();
  t.after(() => {
    fs.open = open;
    syncBuiltinESMExports();
  });
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
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
  const completed = { ...content, id: upload.id, parts, size: 10 };
  assert.equal((await store.completeUpload("k", completed, { kind: "absent" }, deadline)).kind, "written");
  assert.equal(await fs.readFile(join(folder, "k"), "utf8"), "aaaaabbbbb");
});
