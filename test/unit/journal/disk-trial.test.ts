/** Whether a disk is found fit for a journal: room, a real write, and how much more is asked after a failure (J11). */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { isOperatingError } from "../../../src/base/errors.ts";
import type { Disk } from "../../../src/journal/disk.ts";
import { DiskJournals } from "../../../src/journal/disk-journals.ts";
import { tryDisk } from "../../../src/journal/disk-trial.ts";
import { freeBytesAt, openFileDisk } from "../../../src/journal/file-disk.ts";
import { systemClock, systemRandom } from "../../../src/system.ts";
import { immediateScheduler } from "../../harness/immediate-scheduler.ts";
import { RecordedLog } from "../../harness/recorded-log.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { healthyDisk, SimDisk } from "../../simulation/sim-disk.ts";

const trial = { roomBytes: 1_000, limitBytes: 10_000, writtenBytes: 500 };

/** A disk that says that it has so much room, of so much, and that has a capacity. */
function diskOf(
  freeBytes: number,
  capacityBytes = Number.POSITIVE_INFINITY,
  totalBytes = 1e12,
): { disk: Disk; sim: SimDisk } {
  const sim = new SimDisk(new SimRandom(1), { ...healthyDisk, capacityBytes });
  const disk = sim.open(immediateScheduler);
  disk.space = () => Promise.resolve({ freeBytes, ownBytes: sim.bytes, totalBytes });
  return { disk, sim };
}

async function told(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "fit",
    (error: unknown) => (isOperatingError(error) ? `${error.code}: ${error.message}` : String(error)),
  );
}

test("a disk with room that takes a write is fit, and nothing of the trial is left", async () => {
  const { disk, sim } = diskOf(1_000);
  assert.equal(await told(tryDisk(disk, trial)), "fit");
  assert.deepEqual(sim.names, []);
  assert.ok(sim.syncs > 0, "what is only written may be refused later");
});

test("a disk with less room than is needed is not fit, and says how much is needed", async () => {
  const { disk } = diskOf(999);
  assert.equal(
    await told(tryDisk(disk, trial)),
    "disk_failed: the disk of the data folder sim is full (999 B are free, 1.0 KiB are needed): make room there",
  );
});

test("a disk that says that it has room and takes no write, as with a quota, is not fit, and the trial goes", async () => {
  const { disk, sim } = diskOf(1_000_000, 10_000);
  assert.match(await told(tryDisk(disk, { roomBytes: 20_000, limitBytes: 1e9, writtenBytes: 20_000 })), /ENOSPC/);
  assert.deepEqual(sim.names, []);
});

test("a trial writes what cannot be compressed, and no bytes twice: a quota would not show", async () => {
  const { disk } = diskOf(1e9);
  const create = disk.create.bind(disk);
  const written: Buffer[] = [];
  disk.create = async (name) => {
    const file = await create(name);
    const append = file.append.bind(file);
    file.append = (buffers) => {
      written.push(...buffers.map((each) => Buffer.from(each)));
      return append(buffers);
    };
    return file;
  };
  assert.equal(await told(tryDisk(disk, { roomBytes: 4e6, limitBytes: 1e9, writtenBytes: 4e6 })), "fit");
  const bytes = Buffer.concat(written);
  assert.equal(bytes.length, 4e6);
  assert.ok(deflateSync(bytes).length > bytes.length * 0.99);
  assert.equal(new Set(written.map((each) => each.toString("latin1", 0, 64))).size, written.length);
});

test("a trial leaves half of what is free to others, and writes a little in any case", async () => {
  for (const [freeBytes, expected] of [
    [6_000_000, 3_000_000],
    [100_000_000, 5_000_000],
    [5_000, 4_096],
  ] as const) {
    const { disk } = diskOf(freeBytes, Number.POSITIVE_INFINITY, 4 * freeBytes);
    let most = 0;
    const create = disk.create.bind(disk);
    disk.create = async (name) => {
      const file = await create(name);
      const sync = file.sync.bind(file);
      file.sync = () => {
        most = file.size;
        return sync();
      };
      return file;
    };
    assert.equal(await told(tryDisk(disk, { roomBytes: 5e6, limitBytes: 1e9, writtenBytes: 5e6 })), "fit");
    assert.equal(most, expected);
  }
});

test("a look at a disk that hangs is one look, however often it is asked for", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  let looks = 0;
  const journals = new DiskJournals({
    openDisk: () => Promise.resolve(diskOf(0).disk),
    free: () => {
      looks += 1;
      return promise;
    },
    clock: systemClock,
    log: new RecordedLog(),
    settings: { segmentBytes: 1, liveLimitBytes: 1 },
  });
  const all = [journals.look(), journals.look(), journals.look()];
  assert.equal(looks, 1);
  resolve(7);
  await Promise.all(all);
  assert.equal(journals.freeBytes, 7);
  await journals.look();
  assert.equal(looks, 2);
});

test("a disk that fails writes or syncs is not fit", async () => {
  for (const fault of ["failWriteChance", "failSyncChance"] as const) {
    const { disk, sim } = diskOf(1_000_000);
    sim.setFaults({ ...healthyDisk, [fault]: 1 });
    assert.match(await told(tryDisk(disk, trial)), /EIO/, fault);
  }
});

test("a journal that takes as much as it may needs no more room: its disk was measured for that", async () => {
  const { disk, sim } = diskOf(0);
  const file = await disk.create("journal-0000000000000001.wal");
  await file.append([Buffer.alloc(10_000)]);
  await file.close();
  assert.equal(await told(tryDisk(disk, trial)), "fit");
  assert.equal(sim.names.length, 1);
});

test("a small disk is never asked for more than a quarter of it", async () => {
  const asked = { roomBytes: 1e9, limitBytes: 1e9, writtenBytes: 500 };
  assert.match(await told(tryDisk(diskOf(99, 1e6, 400).disk, asked)), /99 B are free, 100 B are needed/);
  assert.equal(await told(tryDisk(diskOf(100, 1e6, 400).disk, asked)), "fit");
});

test("what a trial that was killed has left behind is removed", async () => {
  const { disk, sim } = diskOf(1_000);
  await (await disk.create("trial")).close();
  assert.equal(await told(tryDisk(disk, trial)), "fit");
  assert.deepEqual(sim.names, []);
});

test("each failure asks for four times as much room, up to what the journal may ever take", async () => {
  const mebibyte = 1024 ** 2;
  const needed: (string | undefined)[] = [];
  for (const failures of [0, 1, 2, 3]) {
    const journals = new DiskJournals({
      openDisk: () => Promise.resolve(diskOf(0).disk),
      free: () => Promise.resolve(0),
      clock: systemClock,
      log: new RecordedLog(),
      settings: { segmentBytes: 64 * mebibyte, liveLimitBytes: 200 * mebibyte },
    });
    needed.push(/free, (.*) are needed/.exec(await told(journals.open(failures, () => undefined)))?.[1]);
  }
  assert.deepEqual(needed, ["16 MiB", "64 MiB", "256 MiB", "528 MiB"]);
});

test("a disk of the file system says how much of it is free, and what the folder takes", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "weir-trial-"));
  t.after(() => rm(folder, { recursive: true }));
  await using disk = await openFileDisk(folder, systemRandom);
  const file = await disk.create("journal-0000000000000001.wal");
  await file.append([Buffer.alloc(100_000)]);
  await file.close();
  const { freeBytes, ownBytes } = await disk.space();
  assert.ok(freeBytes > 0 && Math.abs(freeBytes - (await freeBytesAt(folder))) < 1e9);
  assert.ok(ownBytes >= 100_000 && ownBytes < 110_000, `${ownBytes}`);
  assert.equal(await told(tryDisk(disk, trial)), "fit");
});
