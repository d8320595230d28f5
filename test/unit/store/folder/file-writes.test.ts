/** Many changes of a folder at a time: what they share, and what they do not. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { laneCount } from "../../../../src/store/folder/file-lanes.ts";
import { FileStore } from "../../../../src/store/folder/file-store.ts";
import { FileWrites } from "../../../../src/store/folder/file-writes.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { SlowFiles } from "../../../harness/slow-files.ts";
import { TracedFiles } from "../../../harness/traced-files.ts";

const ports = { clock: systemClock, random: systemRandom };
const options = { deadlineMs: 10_000 };
const absent = { kind: "absent" } as const;
const content = { body: Buffer.from("x"), headers: {} };

/** As many as a node flushes at a time. */
const names = Array.from({ length: 64 }, (_, i) => `d/k${i}`);

async function open(t: TestContext): Promise<{ folder: string; files: SlowFiles; store: FileStore }> {
  const folder = mkdtempSync(join(tmpdir(), "weir-writes-"));
  const files = new SlowFiles();
  const store = new FileStore({ path: folder }, { ...ports, writer: new FileWrites(folder, files, ports) });
  t.after(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  await store.probe(options);
  files.syncs.length = 0;
  return { folder, files, store };
}

test("writes that go on at a time share the syncs of folders", async (t) => {
  const { files, store } = await open(t);
  await Promise.all(names.map((name) => store.write(name, content, absent, options)));
  const ofFolders = files.syncs.filter((place) => !/^[0-9a-f]{32}$/.test(place));
  assert.equal(files.syncs.length - ofFolders.length, 2 * names.length);
  assert.ok(ofFolders.length < names.length, `${ofFolders.length} syncs of folders`);
});

test("writes leave one of the runtime's threads to the journal", async (t) => {
  const { files, store } = await open(t);
  files.beforeSync = () => new Promise((resolve) => setTimeout(resolve, 2));
  await Promise.all(names.map((name) => store.write(name, content, absent, options)));
  assert.equal(files.mostAtOnce, laneCount);
  assert.equal(laneCount, 3);
});

test("a change that fails among others fails alone, and leaves nothing", async () => {
  await using folder = await TracedFiles.make();
  await using store = new FileStore({ path: folder.path }, ports);
  await store.probe(options);
  folder.failing = /^rename .* d\/k7$/;
  const ends = await Promise.allSettled(names.map((name) => store.write(name, content, absent, options)));
  const failed = names.filter((_, i) => ends[i]?.status === "rejected");
  assert.deepEqual(failed, ["d/k7"]);
  for (const name of names) {
    const found = await store.read(name, 100, options);
    assert.equal(found.kind, name === "d/k7" ? "missing" : "found", name);
  }
  folder.failing = undefined;
  assert.equal((await store.write("d/k7", content, absent, options)).kind, "written");
  assert.equal(readFileSync(join(folder.path, "d/k7"), "utf8"), "x");
});

test("a change that gets its turn too late changes nothing, and says so", async (t) => {
  const { files, store } = await open(t);
  await store.write("old", content, absent, options);
  const stuck = Promise.withResolvers<void>();
  files.beforeSync = () => stuck.promise;
  const early = names.slice(0, laneCount).map((name) => store.write(name, content, absent, options));
  const inTime = { deadlineMs: 1_000 };
  const late = [store.write("late", content, absent, inTime), store.remove("old", { kind: "always" }, inTime)];
  await Promise.all(late.map((each) => assert.rejects(each, { code: "store_unavailable" })));
  stuck.resolve();
  await Promise.all(early);
  // They have their turns now, and would be done in a moment.
  for (let look = 0; look < 20; look++) {
    assert.equal(await store.stat("late", options), undefined);
    assert.notEqual(await store.stat("old", options), undefined);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});
