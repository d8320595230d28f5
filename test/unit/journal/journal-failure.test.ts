/** What an operator is told of a data folder that can't be used, and by which code. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isOperatingError } from "../../../src/base/errors.ts";
import type { DiskFile } from "../../../src/journal/disk.ts";
import { diskFailure } from "../../../src/journal/failure.ts";
import { openFileDisk } from "../../../src/journal/file-disk.ts";
import { openJournal } from "../../../src/journal/file-journal.ts";
import { folderSeed, groupHeader, groupHeaderBytes } from "../../../src/journal/group.ts";
import { findGroupBehind } from "../../../src/journal/segment-scan.ts";
import { systemRandom } from "../../../src/system.ts";
import { CountingDisk } from "../../harness/counting-disk.ts";
import { immediateScheduler } from "../../harness/immediate-scheduler.ts";
import { JournalOwner } from "../../harness/journal-owner.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { RecordedLog } from "../../harness/recorded-log.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { SimDisk } from "../../simulation/sim-disk.ts";

test("a data folder whose path leads through a file is a mistake in the configuration, and no failed disk", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weir-failure-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "file");
  writeFileSync(file, "");
  for (const path of [file, join(file, "a")]) {
    await assert.rejects(openFileDisk(path, systemRandom), (error) => {
      assert.ok(isOperatingError(error, "config_invalid"), String(error));
      assert.match(error.message, /can't be made \((?:EEXIST|ENOTDIR): .*\): something in this path is not a folder/);
      return true;
    });
  }
});

test("what a disk does while it is used is its failure, with what is to be mended", () => {
  const told = (code: string): string => {
    const failure = diskFailure("data/a", Object.assign(new Error(`${code}: told by the system`), { code }));
    return `${failure.code}: ${failure.message}`;
  };
  assert.match(told("ENOSPC"), /^disk_failed: .* is full \(ENOSPC.*make room/);
  assert.match(told("EROFS"), /^disk_failed: .* is read-only/);
  assert.match(told("ENOENT"), /^disk_failed: .* is gone/);
  assert.match(told("EIO"), /^disk_failed: .* failed \(EIO/);
  assert.match(told("EACCES"), /^config_invalid: .* can't be written/);
});

test("a data folder that could not be opened is free: once it is mended, it opens", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weir-failure-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "folder"), "no name");
  await assert.rejects(openFileDisk(folder, systemRandom), /is damaged/);
  rmSync(join(folder, "folder"));
  await using disk = await openFileDisk(folder, systemRandom);
  assert.match(disk.folder, /^[0-9a-f]{32}$/);
});

/** A disk on which removals wait until they are let go on or fail, as does what closes a file. */
class TroubledDisk extends CountingDisk {
  readonly removals: PromiseWithResolvers<void>[] = [];
  readonly made: string[] = [];
  closing = Promise.resolve();
  isReleased = false;

  override async create(name: string): Promise<DiskFile> {
    this.made.push(name);
    const file = await super.create(name);
    const close = async (): Promise<void> => {
      await file.close();
      await this.closing;
    };
    return new Proxy(file, { get: (target, key) => (key === "close" ? close : Reflect.get(target, key)) });
  }

  override async remove(name: string): Promise<void> {
    const removal = Promise.withResolvers<void>();
    this.removals.push(removal);
    await removal.promise;
    await super.remove(name);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.isReleased = true;
    await super[Symbol.asyncDispose]();
  }
}

async function troubled() {
  const disk = new TroubledDisk(new SimDisk(new SimRandom(1)).open(immediateScheduler));
  const failures: Error[] = [];
  const journal = await openJournal({
    disk,
    clock: new ManualClock(),
    log: new RecordedLog(),
    settings: { segmentBytes: 1_500, liveLimitBytes: 1_000_000 },
    onFailed: (error) => failures.push(error),
  });
  const owner = new JournalOwner();
  owner.take(journal);
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  };
  /** Until something is to be deleted. */
  const fill = async (): Promise<void> => {
    for (let i = 0; disk.removals.length === 0; i += 1) {
      assert.ok(i < 1_000, "a segment is deleted some time");
      owner.put("a", Buffer.alloc(400));
      await owner.confirm();
      await turns();
    }
  };
  return { disk, failures, journal, owner, turns, fill };
}

const ioError = (): Error => Object.assign(new Error("EIO: told by the system"), { code: "EIO" });

function assertTold(failures: readonly Error[]): void {
  assert.equal(failures.length, 1);
  assert.ok(isOperatingError(failures[0], "disk_failed"), String(failures[0]));
  assert.match(failures[0].message, /EIO/);
}

test("no segment is begun before those that were to be deleted are: the disk would fill", async () => {
  const { disk, failures, owner, turns, fill } = await troubled();
  await fill();
  const before = disk.made.length;
  for (let i = 0; i < 20; i += 1) {
    owner.put("a", Buffer.alloc(400));
    await turns();
  }
  assert.ok(disk.made.length <= before, `begun meanwhile: ${disk.made.slice(before).join()}`);
  for (let i = 0; i < 20; i += 1) {
    for (const removal of disk.removals) removal.resolve();
    await turns();
  }
  assert.ok(disk.made.length > before);
  assert.deepEqual(failures, []);
});

test("a segment that can't be deleted is a failure of the disk", async () => {
  const { disk, failures, turns, fill } = await troubled();
  await fill();
  disk.removals[0]?.reject(ioError());
  await turns();
  assertTold(failures);
});

test("that the last file can't be closed is a failure of the disk, whose folder is let go all the same", async () => {
  const { disk, failures, journal, owner } = await troubled();
  owner.put("a", Buffer.alloc(10));
  await owner.confirm();
  disk.closing = Promise.reject(ioError());
  await journal[Symbol.asyncDispose]();
  assertTold(failures);
  assert.ok(disk.isReleased);
});

test("a group behind a damaged one is found wherever it begins, across the end of what is read at once, too", async () => {
  const windowBytes = 4 * 1024 * 1024;
  const seed = folderSeed("0".repeat(32));
  const badAt = 10;
  for (const before of [0, 1, groupHeaderBytes - 1, groupHeaderBytes, groupHeaderBytes + 1]) {
    const at = badAt + 1 + windowBytes - before;
    await using disk = new SimDisk(new SimRandom(1)).open(immediateScheduler);
    const file = await disk.create("a");
    await file.append([Buffer.alloc(at, "x"), groupHeader(seed, 1, at, 5)]);
    assert.equal(await findGroupBehind(file, seed, 1, badAt), at, `${before} bytes before the end`);
  }
});
