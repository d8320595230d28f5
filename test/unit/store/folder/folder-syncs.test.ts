/** Syncs of a folder that many names share: none is left out that a name needs. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FileLanes, laneCount } from "../../../../src/store/folder/file-lanes.ts";
import { FolderSyncs } from "../../../../src/store/folder/folder-syncs.ts";
import { SlowFiles } from "../../../harness/slow-files.ts";

interface Stage {
  readonly folder: string;
  readonly files: SlowFiles;
  readonly lanes: FileLanes;
  readonly syncs: FolderSyncs;
}

function stage(t: TestContext): Stage {
  const folder = mkdtempSync(join(tmpdir(), "weir-syncs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "a", "b"), { recursive: true });
  const files = new SlowFiles();
  const lanes = new FileLanes();
  return { folder, files, lanes, syncs: new FolderSyncs(files, lanes) };
}

test("names whose sync has not begun share it", async (t) => {
  const { folder, files, lanes, syncs } = stage(t);
  const busy = Promise.withResolvers<void>();
  const work = Array.from({ length: laneCount }, () => lanes.run(() => busy.promise));
  const synced = Array.from({ length: 20 }, () => syncs.syncUpTo(join(folder, "a"), join(folder, "a", "b")));
  busy.resolve();
  await Promise.all([...work, ...synced]);
  assert.deepEqual(files.syncs.toSorted(), ["a", "b"]);
});

test("a name that comes while a sync goes on gets one of its own", async (t) => {
  const { folder, files, syncs } = stage(t);
  const stuck = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  files.beforeSync = () => {
    begun.resolve();
    return stuck.promise;
  };
  const first = syncs.sync(folder);
  await begun.promise;
  const second = syncs.sync(folder);
  stuck.resolve();
  await Promise.all([first, second]);
  assert.equal(files.syncs.length, 2);
});

test("a folder that is gone is skipped, but not the one at the top", async (t) => {
  const { folder, files, syncs } = stage(t);
  await syncs.syncUpTo(folder, join(folder, "none", "none"));
  assert.equal(files.syncs.length, 1);
  await assert.rejects(syncs.syncUpTo(join(folder, "none"), join(folder, "none", "x")), { code: "ENOENT" });
});

test("a sync that fails fails for all that share it, and not for the next", async (t) => {
  const { folder, files, lanes, syncs } = stage(t);
  const busy = Promise.withResolvers<void>();
  const work = Array.from({ length: laneCount }, () => lanes.run(() => busy.promise));
  files.beforeSync = () => Promise.reject(new Error("EIO"));
  const shared = [syncs.sync(folder), syncs.sync(folder)];
  const ends = Promise.allSettled(shared);
  busy.resolve();
  assert.deepEqual(
    (await ends).map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await Promise.all(work);
  files.beforeSync = () => Promise.resolve();
  await syncs.sync(folder);
});
