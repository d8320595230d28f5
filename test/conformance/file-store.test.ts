/**
 * The folder store: the port's suite, and what is its own: files for people, processes that share it, crashes half-way.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { isOperatingError } from "../../src/base/errors.ts";
import { noHeaders } from "../../src/core/entry.ts";
import type { Blob, BlobStore, WriteCondition } from "../../src/store/blob-store.ts";
import { FileStore } from "../../src/store/folder/file-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { blobStoreSuite } from "./blob-store-suite.ts";
import { largeBlobSuite } from "./large-blob-suite.ts";
import { partedUploadSuite } from "./parted-upload-suite.ts";

const ports = { clock: systemClock, random: systemRandom };
const options = { deadlineMs: 20_000 };
const always: WriteCondition = { kind: "always" };
const folders: string[] = [];

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "weir-file-store-"));
  folders.push(folder);
  return folder;
}

async function openIn(folder: string): Promise<FileStore> {
  const store = new FileStore({ path: folder }, ports);
  await store.probe(options);
  return store;
}

async function put(store: BlobStore, name: string, text: string): Promise<void> {
  const content = { body: Buffer.from(text), headers: { "content-type": "text/x" }, version: `v ${text}` };
  assert.equal((await store.write(name, content, always, options)).kind, "written");
}

async function get(store: BlobStore, name: string): Promise<Blob> {
  const result = await store.read(name, 1_000_000, options);
  assert(result.kind === "found", `${name} is ${result.kind}`);
  return result.blob;
}

after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

for (const suite of [blobStoreSuite, largeBlobSuite, partedUploadSuite]) {
  suite("FileStore", async () => new FileStore({ path: path.join(await freshFolder(), "made") }, ports));
}

describe("FileStore", () => {
  test("keeps an ordinary name as a file of that path with the body's bytes", async () => {
    const folder = await freshFolder();
    await using store = await openIn(folder);
    await put(store, "photos/2024/cat.png", "meow");
    assert.equal(await readFile(path.join(folder, "photos/2024/cat.png"), "utf8"), "meow");
  });

  test("removes the folders that a removal leaves empty, and nothing else", async () => {
    const folder = await freshFolder();
    await using store = await openIn(folder);
    await put(store, "photos/2024/cat.png", "meow");
    await put(store, "photos/dog.png", "wuff");
    await store.remove("photos/2024/cat.png", always, options);
    assert.deepEqual(await readdir(path.join(folder, "photos")), ["dog.png"]);
    await store.remove("photos/dog.png", always, options);
    assert.deepEqual(await readdir(folder), [".weir"]);
    assert.deepEqual(await readdir(path.join(folder, ".weir")), ["store"]);
    for (const each of ["aside", "metadata", "temporary"]) {
      assert.deepEqual(await readdir(path.join(folder, ".weir/store", each)), []);
    }
  });

  test("removes what killed processes left when it is opened, but not what others may still be writing", async () => {
    const folder = await freshFolder();
    await (await openIn(folder))[Symbol.asyncDispose]();
    const at = (name: string): string => path.join(folder, ".weir/store/temporary", name);
    for (const name of ["old", "fresh"]) await writeFile(at(name), "half");
    const yesterday = Date.now() / 1_000 - 86_400;
    await utimes(at("old"), yesterday, yesterday);
    await using _store = await openIn(folder);
    assert.deepEqual(await readdir(path.join(folder, ".weir/store/temporary")), ["fresh"]);
  });

  test("serves a file that others put there, without headers, and replaces it under its tag", async () => {
    const folder = await freshFolder();
    await using store = await openIn(folder);
    await mkdir(path.join(folder, "in"));
    await writeFile(path.join(folder, "in/found.txt"), "found");
    const blob = await get(store, "in/found.txt");
    assert.equal(blob.body.toString(), "found");
    assert.deepEqual({ ...blob.headers }, {});
    assert.equal(blob.version, undefined);
    await writeFile(path.join(folder, "in/found.txt"), "other");
    const condition = { kind: "unchanged", tag: blob.tag } as const;
    const content = { body: Buffer.from("ours"), headers: noHeaders };
    assert.equal((await store.write("in/found.txt", content, condition, options)).kind, "conflict");
    const { tag } = await get(store, "in/found.txt");
    assert.equal((await store.write("in/found.txt", content, { kind: "unchanged", tag }, options)).kind, "written");
    assert.equal((await get(store, "in/found.txt")).body.toString(), "ours");
  });

  test("takes a body that others changed for one of theirs, whatever the metadata beside it says", async () => {
    const folder = await freshFolder();
    await using store = await openIn(folder);
    await put(store, "edited", "ours");
    const before = await get(store, "edited");
    await writeFile(path.join(folder, "edited"), "OURS");
    const edited = await get(store, "edited");
    assert.equal(edited.version, undefined);
    assert.notEqual(edited.tag, before.tag);
  });

  test("shows the old blob whole when a process died between the metadata's rename and the body's", async () => {
    const folder = await freshFolder();
    await using store = await openIn(folder);
    for (const next of ["same", "other", "longer body"]) {
      await put(store, "crash", "same");
      const old = await get(store, "crash");
      const files = path.join(folder, ".weir/store/metadata");
      const metadata = path.join(files, (await readdir(files))[0] as string);
      // What a crash leaves: the new metadata, the old body.
      await cp(path.join(folder, "crash"), path.join(folder, "saved"), { preserveTimestamps: true });
      const stats = await stat(path.join(folder, "crash"), { bigint: true });
      await put(store, "crash", next);
      const both = JSON.parse(await readFile(metadata, "utf8"));
      assert.equal(both.states.length, 2);
      assert.equal(both.states[1].inode, stats.ino.toString());
      await rm(path.join(folder, "crash"));
      await cp(path.join(folder, "saved"), path.join(folder, "crash"), { preserveTimestamps: true });
      const restored = await stat(path.join(folder, "crash"), { bigint: true });
      both.states[1].inode = restored.ino.toString();
      both.states[1].modifiedNs = restored.mtimeNs.toString();
      await writeFile(metadata, JSON.stringify(both));
      const now = await get(store, "crash");
      assert.equal(now.tag, old.tag);
      assert.equal(now.version, "v same");
      await put(store, "crash", "after");
      assert.equal((await get(store, "crash")).version, "v after");
      await store.remove("crash", always, options);
      await rm(path.join(folder, "saved"));
    }
  });

  test("keeps headers and tags when the folder is copied elsewhere, even without times", async () => {
    const folder = await freshFolder();
    await using store = await openIn(folder);
    await put(store, "a/b", "value");
    const copy = await freshFolder();
    await cp(folder, copy, { recursive: true });
    await utimes(path.join(copy, "a/b"), 1, 1);
    await using second = await openIn(copy);
    const blob = await get(second, "a/b");
    assert.equal(blob.version, "v value");
    assert.equal(blob.tag, (await get(store, "a/b")).tag);
  });

  test("refuses, when it is probed, a path that is below a file", async () => {
    const folder = await freshFolder();
    await writeFile(path.join(folder, "file"), "");
    await using store = new FileStore({ path: path.join(folder, "file/store") }, ports);
    await assert.rejects(store.probe(options), (error) => {
      assert(isOperatingError(error, "store_refused"));
      assert.match(error.message, /the folder .*file\/store can't be used/);
      return true;
    });
  });

  test("refuses, when it is probed, a folder without the right to write", async (context) => {
    if (process.getuid?.() === 0) {
      context.skip("root may write everywhere");
      return;
    }
    const folder = await freshFolder();
    await chmod(folder, 0o500);
    await using store = new FileStore({ path: folder }, ports);
    await assert.rejects(store.probe(options), (error) => isOperatingError(error, "store_refused"));
  });

  test("changes nothing when its time runs out between the caller's consent and the change", async () => {
    const folder = await freshFolder();
    let skippedMs = 0;
    // What a pause of the process looks like: time has passed from one look at the clock to the next.
    const clock = { ...systemClock, now: () => systemClock.now() + skippedMs };
    await using store = new FileStore({ path: folder }, { ...ports, clock });
    await store.probe(options);
    await put(store, "paused", "1");
    const pausing = {
      ...options,
      authorize: () => {
        skippedMs += options.deadlineMs;
      },
    };
    const content = { body: Buffer.from("2"), headers: noHeaders };
    for (const change of [
      () => store.write("paused", content, always, pausing),
      () => store.remove("paused", always, pausing),
    ]) {
      await assert.rejects(change(), (error) => isOperatingError(error, "store_unavailable"));
      assert.equal((await get(store, "paused")).body.toString(), "1");
    }
  });

  test("waits for a process that is stopped in a write until the deadline, and goes on once that process is killed", async () => {
    const folder = await freshFolder();
    await using store = await openIn(folder);
    await put(store, "held", "1");
    const holder = spawn(
      process.execPath,
      [path.join(import.meta.dirname, "file-store-child.ts"), folder, "hold", "held"],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    await once(holder.stdout, "data");
    const content = { body: Buffer.from("2"), headers: noHeaders };
    await assert.rejects(store.write("held", content, always, { deadlineMs: 300 }), (error) =>
      isOperatingError(error, "store_unavailable"),
    );
    assert.equal((await get(store, "held")).body.toString(), "1");
    holder.kill("SIGKILL");
    await once(holder, "exit");
    assert.equal((await store.write("held", content, always, options)).kind, "written");
  });

  test("does not take its blobs for missing, or removed, when the folder is gone: its disk may come back", async () => {
    const folder = await freshFolder();
    await using store = await openIn(folder);
    await put(store, "k", "1");
    await rename(folder, `${folder}-away`);
    const upload = { headers: noHeaders, token: "t", id: "0".repeat(32), parts: [], size: 1 };
    const query = { prefix: "", after: "", delimiter: "", limit: 10 };
    try {
      for (const work of [
        () => store.read("k", 10, options),
        () => store.stat("k", options),
        () => store.remove("k", always, options),
        () => store.list(query, options),
        () => store.completeUpload("k", upload, always, options),
      ]) {
        await assert.rejects(work(), (error) => {
          assert(isOperatingError(error, "store_unavailable", "store_refused"), String(error));
          return true;
        });
      }
    } finally {
      await rename(`${folder}-away`, folder);
    }
    assert.equal((await get(store, "k")).body.toString(), "1");
  });

  test("shared by three processes, loses none of their increments by compare-and-swap, one of which is killed on its way", async () => {
    const folder = await freshFolder();
    await using store = await openIn(folder);
    await put(store, "counter", "0");
    const child = path.join(import.meta.dirname, "file-store-child.ts");
    const processes = Array.from({ length: 3 }, () =>
      spawn(process.execPath, [child, folder, "count", "counter", "40"], { stdio: ["ignore", "pipe", "inherit"] }),
    );
    const counts = processes.map(async (each) => {
      let out = "";
      for await (const chunk of each.stdout) {
        out += String(chunk);
        if (each === processes[2] && out.split("\n").length > 10) each.kill("SIGKILL");
      }
      return out.split("\n").filter((line) => line === "written").length;
    });
    const [first, second, third] = (await Promise.all(counts)) as [number, number, number];
    assert.equal(first, 40);
    assert.equal(second, 40);
    const total = Number((await get(store, "counter")).body.toString());
    // The killed one may have written once more than it could say.
    assert(
      total === first + second + third || total === first + second + third + 1,
      `${total}, ${third} by the killed`,
    );
  });
});
