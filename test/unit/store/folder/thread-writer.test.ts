/** The thread that makes a folder's changes: what the event loop is spared, and what arrives of a change. */

import assert from "node:assert/strict";
import fs, { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Clock } from "../../../../src/base/clock.ts";
import { isNeverSent } from "../../../../src/base/errors.ts";
import type { BlobStore } from "../../../../src/store/blob-store.ts";
import { ThreadWriter } from "../../../../src/store/folder/thread-writer.ts";
import { openStore } from "../../../../src/store/open-store.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { TracedFiles } from "../../../harness/traced-files.ts";
import { assertShortTurns } from "../../../harness/turn-times.ts";

const ports = { clock: systemClock, random: systemRandom };
const options = { deadlineMs: 10_000 };
const always = { kind: "always" } as const;
const content = { body: Buffer.from("x"), headers: {} };

async function open(folder: string): Promise<BlobStore> {
  const store = openStore({ type: "file", path: folder }, ports);
  await store.probe(options);
  return store;
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "weir-thread-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** 64 values come, are replaced, and go. */
async function changeMany(store: BlobStore): Promise<void> {
  const names = Array.from({ length: 64 }, (_, i) => `d/k${i}`);
  const write = (name: string) => store.write(name, content, always, options);
  await Promise.all(names.map(write));
  await Promise.all(names.map(write));
  await Promise.all(names.map((name) => store.remove(name, always, options)));
}

/** Calls that a file system takes its time for, as it does while it commits. */
function slowDown(t: TestContext, ms: number): void {
  for (const name of ["renameSync", "unlinkSync", "rmdirSync"] as const) {
    const own = fs[name] as (...args: unknown[]) => unknown;
    t.mock.method(fs, name, (...args: unknown[]) => {
      const end = process.threadCpuUsage().user + ms * 1_000;
      while (process.threadCpuUsage().user < end);
      return own(...args);
    });
  }
  syncBuiltinESMExports();
  t.after(() => syncBuiltinESMExports());
}

test("a change that comes when the store has been given up is refused, and starts no thread", async (t) => {
  const folder = folderOf(t);
  const store = await open(folder);
  await store[Symbol.asyncDispose]();
  await assert.rejects(store.write("k", content, always, options), { code: "shutting_down" });
  const unused = new ThreadWriter(folder, systemClock);
  await unused[Symbol.asyncDispose]();
  const change = { kind: "remove", name: "k", condition: always } as const;
  const limits = { giveUpAt: systemClock.now() + 1_000, authorize: undefined };
  await assert.rejects(unused.change(change, limits), { code: "shutting_down", neverSent: true });
});

test("the event loop does not wait for a slow folder", async (t) => {
  await using store = await open(folderOf(t));
  slowDown(t, 7);
  await assertShortTurns(async () => {
    await store.write("d/k", content, always, options);
    await store.remove("d/k", always, options);
  });
});

test("nor for what has to be computed of large values", async (t) => {
  await using store = await open(folderOf(t));
  const body = Buffer.alloc(4 * 1024 ** 2, 1);
  await assertShortTurns(() => store.write("large", { ...content, body }, always, options));
});

test("the node's own thread makes no call to the file system for a change", async () => {
  await using folder = await TracedFiles.make();
  await using store = await open(folder.path);
  assert.deepEqual(await folder.callsOf(() => changeMany(store)), []);
});

test("a change's memory stays its owner's", async (t) => {
  const folder = folderOf(t);
  await using store = await open(folder);
  const memory = new Uint8Array(8).fill(1);
  const body = memory.subarray(2, 4);
  await store.write("k", { ...content, body }, always, options);
  assert.equal(memory.length, 8);
  assert.deepEqual([...readFileSync(join(folder, "k"))], [1, 1]);
});

test("a change is asked about before it is sent, and its deadline holds in the thread, by any clock", async (t) => {
  const folder = folderOf(t);
  await (await open(folder))[Symbol.asyncDispose]();
  for (const originMs of [0, 1e9, -1e9]) {
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + originMs };
    await using writer = new ThreadWriter(folder, clock);
    const change = { kind: "write", name: "k", content, condition: always } as const;
    const late = { giveUpAt: clock.now() - 1, authorize: undefined };
    await assert.rejects(writer.change(change, late), (error) => isNeverSent(error));
    assert.equal(existsSync(join(folder, "k")), false);
    const authorize = (): void => {
      throw new Error("no lease");
    };
    const inTime = { giveUpAt: clock.now() + 10_000, authorize: undefined };
    await assert.rejects(writer.change(change, { ...inTime, authorize }), /no lease/);
    assert.equal(existsSync(join(folder, "k")), false);
    assert.equal((await writer.change(change, inTime)).kind, "written");
    await writer.change({ kind: "remove", name: "k", condition: always }, inTime);
  }
});

test("an error in the thread keeps its code and its reason", async (t) => {
  const folder = folderOf(t);
  await using store = await open(folder);
  rmSync(join(folder, ".weir/store/temporary"), { recursive: true });
  await assert.rejects(store.write("k", content, always, options), (error: Error & { cause?: Error }) => {
    assert.match(error.message, /^the folder .* failed: ENOENT/);
    assert.match(String(error.cause), /ENOENT/);
    return true;
  });
});

test("closing the store waits for the changes under way", async (t) => {
  const folder = folderOf(t);
  const store = await open(folder);
  const changes = Array.from({ length: 20 }, (_, i) => store.write(`k${i}`, content, always, { deadlineMs: 5_000 }));
  await store[Symbol.asyncDispose]();
  for (const { kind } of await Promise.all(changes)) assert.equal(kind, "written");
});

test("values that go to the thread at a time take a bounded memory", async (t) => {
  const folder = folderOf(t);
  await (await open(folder))[Symbol.asyncDispose]();
  await using writer = new ThreadWriter(folder, systemClock);
  const body = Buffer.alloc(4 * 1024 ** 2, 1);
  const limits = { giveUpAt: Number.POSITIVE_INFINITY, authorize: () => sent++ };
  let sent = 0;
  let most = 0;
  let answered = 0;
  const writes = Array.from({ length: 12 }, async (_, i) => {
    const change = { kind: "write", name: `k${i}`, content: { ...content, body }, condition: always } as const;
    await writer.change(change, limits);
    most = Math.max(most, sent - answered++);
  });
  await Promise.all(writes);
  assert.equal(sent, 12);
  // The next may be sent before we hear of an answer.
  assert.ok(most <= 5, `${most * 4} MiB`);
});
