/** The simulated disk loses what it may, in every way that it says, and never what was synced. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "../../../src/journal/disk.ts";
import { immediateScheduler } from "../../harness/immediate-scheduler.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { healthyDisk, SimDisk } from "../../simulation/sim-disk.ts";

const rounds = 200;

async function contents(disk: SimDisk, name: string): Promise<string | undefined> {
  const port = disk.open(immediateScheduler);
  if (!(await port.list()).includes(name)) return undefined;
  const file = await port.open(name);
  const text = (await file.read(0, file.size)).toString("latin1");
  await port[Symbol.asyncDispose]();
  return text;
}

async function writeSome(port: Disk, name: string, synced: string, unsynced: string): Promise<void> {
  const file = await port.create(name);
  await file.append([Buffer.from(synced)]);
  await file.sync();
  await port.syncFolder();
  await file.append([Buffer.from(unsynced.slice(0, 3)), Buffer.from(unsynced.slice(3))]);
}

test("a loss of power keeps what was synced, and of the rest any part, or garbage", async () => {
  const kinds = new Set<string>();
  for (let seed = 0; seed < rounds; seed += 1) {
    const disk = new SimDisk(new SimRandom(seed));
    await writeSome(disk.open(immediateScheduler), "a", "synced", "unsynced");
    disk.crash("power");
    const text = (await contents(disk, "a")) ?? "";
    assert.ok(text.startsWith("synced"));
    const rest = text.slice(6);
    if (rest === "unsynced") kinds.add("all");
    else if (rest === "") kinds.add("nothing");
    else if ("unsynced".startsWith(rest)) kinds.add("a part");
    else if (rest.includes("\0")) kinds.add("zeros");
    else kinds.add("noise");
    assert.ok(rest.length <= 8);
    // What is there now stays.
    disk.crash("power");
    assert.equal(await contents(disk, "a"), text);
  }
  assert.deepEqual([...kinds].toSorted(), ["a part", "all", "noise", "nothing", "zeros"]);
});

test("the end of a process alone loses at most a part of the write that is under way", async () => {
  for (let seed = 0; seed < rounds; seed += 1) {
    const disk = new SimDisk(new SimRandom(seed));
    const port = disk.open(immediateScheduler);
    await writeSome(port, "a", "synced", "unsynced");
    const file = await port.open("a");
    void file.append([Buffer.from("under way")]);
    disk.crash("process");
    const text = (await contents(disk, "a")) ?? "";
    assert.ok("syncedunsyncedunder way".startsWith(text) && text.length >= 14, text);
  }
});

test("names that were not synced may vanish, and removed files come back, each by itself", async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < rounds; seed += 1) {
    const disk = new SimDisk(new SimRandom(seed));
    const port = disk.open(immediateScheduler);
    await port.create("old-1");
    await port.create("old-2");
    await port.syncFolder();
    await port.remove("old-1");
    await port.create("new-1");
    await port.create("new-2");
    disk.crash("power");
    assert.ok(disk.names.includes("old-2"));
    seen.add(disk.names.join());
  }
  assert.equal(seen.size, 8);
});

test("bytes of a failed sync are lost with the power, also after a later sync, unless they are written again", async () => {
  for (const isWrittenAgain of [false, true]) {
    const disk = new SimDisk(new SimRandom(1), { ...healthyDisk, failSyncChance: 1 });
    const port = disk.open(immediateScheduler);
    const file = await port.create("a");
    await file.append([Buffer.from("bytes")]);
    await assert.rejects(file.sync(), /EIO/);
    disk.setFaults(healthyDisk);
    if (isWrittenAgain) await file.rewrite(0, Buffer.from("bytes"));
    await file.sync();
    await port.syncFolder();
    assert.equal((await file.read(0, 5)).toString(), "bytes");
    disk.crash("power");
    assert.equal(await contents(disk, "a"), isWrittenAgain ? "bytes" : "\0\0\0\0\0");
  }
});

test("a file that was cut off may be as long as before until it is synced", async () => {
  const seen = new Set<string | undefined>();
  for (let seed = 0; seed < rounds; seed += 1) {
    const disk = new SimDisk(new SimRandom(seed));
    const port = disk.open(immediateScheduler);
    await writeSome(port, "a", "synced", "");
    const file = await port.open("a");
    await file.truncate(2);
    if (seed % 2 === 0) await file.sync();
    disk.crash("power");
    const text = await contents(disk, "a");
    if (seed % 2 === 0) assert.equal(text, "sy");
    else seen.add(text);
  }
  assert.deepEqual(seen, new Set(["sy", "synced"]));
});

test("nothing that a process asked for reaches it or takes effect after it has crashed", async () => {
  const disk = new SimDisk(new SimRandom(1));
  const port = disk.open(immediateScheduler);
  const file = await port.create("a");
  let isAnswered = false;
  void file.append([Buffer.from("x")]).then(() => {
    isAnswered = true;
  });
  disk.crash("process");
  void file.append([Buffer.from("y")]);
  void file.sync().then(() => {
    isAnswered = true;
  });
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  assert.equal(isAnswered, false);
  assert.ok(["x", "", undefined].includes(await contents(disk, "a")));
});

test("a disk that is full takes a part of a write and refuses it", async () => {
  const disk = new SimDisk(new SimRandom(1), { ...healthyDisk, capacityBytes: 5 });
  const file = await disk.open(immediateScheduler).create("a");
  await file.append([Buffer.from("abc")]);
  await assert.rejects(file.append([Buffer.from("def")]), /ENOSPC/);
  assert.equal(file.size, 5);
});
