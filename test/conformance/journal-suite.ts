/**
 * What the journal must do over every disk, as one suite that each of them runs: what was appended and is held is there
 * again in the next life, what was cleaned is not, durability comes in order and in groups, and the disk does not fill
 * (J1, J10).
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Disk } from "../../src/journal/disk.ts";
import { type JournalSettings, openJournal } from "../../src/journal/file-journal.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { systemClock } from "../../src/system.ts";
import { CountingDisk } from "../harness/counting-disk.ts";
import { JournalOwner, makeEntry } from "../harness/journal-owner.ts";
import { noise } from "../harness/noise.ts";
import { RecordedLog } from "../harness/recorded-log.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";

/** A folder for one test. */
export interface TestFolder extends AsyncDisposable {
  /** The folder must not be open. */
  open(): Promise<Disk>;
  /** Bytes in all its segments now. */
  bytes(): number;
}

/** Of a record beyond its key and value. */
const recordOverhead = 110;

/** What is not needed any more is deleted while the journal goes on. */
async function untilDeleted(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !condition(); tries += 1) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

const settings: JournalSettings = { segmentBytes: 64 * 1024, liveLimitBytes: 1024 * 1024 };

export function journalSuite(name: string, makeFolder: () => Promise<TestFolder>): void {
  const openWith = (disk: Disk, changes: Partial<JournalSettings> = {}): Promise<Journal> =>
    openJournal({
      disk,
      clock: systemClock,
      log: new RecordedLog(),
      settings: { ...settings, ...changes },
      onFailed: (error) => {
        throw error;
      },
    });

  describe(name, () => {
    test("an empty folder gives an empty journal with a name of 32 digits that stays", async () => {
      await using folder = await makeFolder();
      const first = await openWith(await folder.open());
      assert.match(first.folder, /^[0-9a-f]{32}$/);
      const { entries, outcomes, late, adopted } = first.recovered;
      assert.deepEqual([...entries, ...outcomes, ...late, ...adopted], []);
      assert.equal(first.durable(), undefined);
      assert.equal(first.lagMs, 0);
      await first[Symbol.asyncDispose]();
      await using second = await openWith(await folder.open());
      assert.equal(second.folder, first.folder);
    });

    test("what is held, done and adopted is there in the next life, and in the one after it", async () => {
      await using folder = await makeFolder();
      const owner = new JournalOwner();
      const random = new SimRandom(1);
      for (let life = 0; life < 4; life += 1) {
        const journal = await openWith(await folder.open());
        owner.take(journal);
        if (life > 1) assert.ok(owner.heldKeys.length > 0);
        if (life < 2) for (let count = 0; count < 100; count += 1) owner.actAtRandom(random, 20, 3_000);
        // Above what is copied.
        if (life < 2) owner.put("large", noise(random, 200_000));
        await owner.confirm();
        assert.equal(owner.unconfirmed, 0);
        assert.equal(journal.durable(), undefined);
        await journal[Symbol.asyncDispose]();
      }
    });

    test("what was appended is written before the journal closes, without being asked for", async () => {
      await using folder = await makeFolder();
      const journal = await openWith(await folder.open());
      const owner = new JournalOwner();
      owner.take(journal);
      owner.put("held", Buffer.from("value"));
      owner.put("cleaned", Buffer.from("value"));
      owner.clean("cleaned");
      await journal[Symbol.asyncDispose]();
      await using next = await openWith(await folder.open());
      assert.deepEqual(
        [...next.recovered.entries].map(({ key }) => key),
        ["held"],
      );
    });

    test("the newest version counts, in whatever order the records come", async () => {
      await using folder = await makeFolder();
      const journal = await openWith(await folder.open());
      journal.attach(new JournalOwner());
      const at = (seq: number, epoch = 1) => ({ epoch, seq });
      const put = (key: string, seq: number, epoch = 1): void =>
        journal.append({ kind: "entry", entry: makeEntry(key, at(seq, epoch), Buffer.from(`${key} ${epoch} ${seq}`)) });
      put("late copy", 5);
      put("late copy", 4);
      put("older epoch", 2, 3);
      put("older epoch", 9, 2);
      put("cleaned below", 7);
      journal.append({ kind: "clean", key: "cleaned below", version: at(6) });
      put("cleaned above", 7);
      journal.append({ kind: "clean", key: "cleaned above", version: at(8) });
      put("again", 1);
      journal.append({ kind: "clean", key: "again", version: at(1) });
      put("again", 2);
      journal.append({ kind: "clean", key: "unknown", version: at(1) });
      journal.append({ kind: "entry", entry: makeEntry("tombstone", at(1), undefined) });
      await journal.durable();
      await journal[Symbol.asyncDispose]();
      await using next = await openWith(await folder.open());
      const found = [...next.recovered.entries].map(
        ({ key, epoch, seq, value }) => `${key} ${epoch} ${seq} ${value?.toString()}`,
      );
      assert.deepEqual(found.toSorted(), [
        "again 1 2 again 1 2",
        "cleaned below 1 7 cleaned below 1 7",
        "late copy 1 5 late copy 1 5",
        "older epoch 3 2 older epoch 3 2",
        "tombstone 1 1 undefined",
      ]);
    });

    test("a thousand appends in one turn are one group, and those during its sync the next", async () => {
      await using folder = await makeFolder();
      const disk = new CountingDisk(await folder.open());
      await using journal = await openWith(disk, { segmentBytes: 64 * 1024 * 1024 });
      const owner = new JournalOwner();
      owner.take(journal);
      const before = disk.syncs;
      for (let count = 0; count < 1_000; count += 1) owner.put(`key-${count}`, Buffer.alloc(10));
      const first = journal.durable();
      assert.ok(first !== undefined);
      assert.equal(journal.durable(), first);
      await disk.untilSync();
      for (let count = 0; count < 1_000; count += 1) owner.put(`key-${count}`, Buffer.alloc(20));
      const second = journal.durable();
      assert.ok(second !== undefined && second !== first);
      assert.equal(journal.durable(), second);
      const order: string[] = [];
      await Promise.all([first.then(() => order.push("first")), second.then(() => order.push("second"))]);
      assert.deepEqual(order, ["first", "second"]);
      assert.equal(disk.syncs - before, 2);
      assert.equal(disk.writes, 2);
      assert.equal(journal.durable(), undefined);
    });

    test("more large values in one turn than one call to the system takes are written", async () => {
      await using folder = await makeFolder();
      const journal = await openWith(await folder.open(), { segmentBytes: 64 * 1024 * 1024 });
      const owner = new JournalOwner();
      owner.take(journal);
      const random = new SimRandom(1);
      for (let index = 0; index < 1_500; index += 1) owner.put(`key-${index}`, noise(random, 9_000));
      await owner.confirm();
      await journal[Symbol.asyncDispose]();
      await using next = await openWith(await folder.open());
      owner.take(next);
      assert.equal(owner.heldKeys.length, 1_500);
    });

    test("records of what is not held any more are synced with others, or when somebody waits", async () => {
      await using folder = await makeFolder();
      const disk = new CountingDisk(await folder.open());
      await using journal = await openWith(disk);
      const owner = new JournalOwner();
      owner.take(journal);
      for (const key of ["a", "b", "c"]) owner.put(key, Buffer.alloc(10));
      await owner.confirm();
      const before = disk.syncs;
      owner.clean("a");
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      assert.equal(disk.syncs, before);
      assert.equal(journal.lagMs, 0);
      owner.put("d", Buffer.alloc(10));
      await owner.confirm();
      assert.equal(disk.syncs, before + 1);
      owner.clean("b");
      await owner.confirm();
      assert.equal(disk.syncs, before + 2);
    });

    test("the lag is that of the oldest record that is not durable", async () => {
      await using folder = await makeFolder();
      const disk = new CountingDisk(await folder.open());
      await using journal = await openWith(disk);
      const owner = new JournalOwner();
      owner.take(journal);
      const release = disk.hold();
      owner.put("a", Buffer.alloc(10));
      await new Promise((resolve) => {
        setTimeout(resolve, 30);
      });
      owner.put("b", Buffer.alloc(10));
      assert.ok(journal.lagMs >= 25, `${journal.lagMs} ms`);
      release();
      await owner.confirm();
      assert.equal(journal.lagMs, 0);
    });

    test("many rounds of overwrites, with some keys that are never written again, stay within their bound on disk", async (context) => {
      await using folder = await makeFolder();
      const random = new SimRandom(seedOf(context));
      const segmentBytes = 16 * 1024;
      const owner = new JournalOwner();
      for (let life = 0; life < 3; life += 1) {
        const journal = await openWith(await folder.open(), { segmentBytes });
        owner.take(journal);
        for (let index = 0; life === 0 && index < 60; index += 1) {
          owner.put(`cold-${index}`, noise(random, 1_000));
          await owner.confirm();
        }
        for (let round = 0; round < 150; round += 1) {
          for (let count = 0; count < 5; count += 1) owner.put(`hot-${random.whole(1, 20)}`, noise(random, 1_000));
          if (round % 10 === 0) owner.clean(`cold-${round / 10 + life * 15}`);
          owner.finishAllBut(20);
          await owner.confirm();
          const live = owner.heldBytes + owner.heldKeys.length * recordOverhead;
          // A segment is that long, plus what it repeats and the rest of a group.
          const bound = 2 * live + 2 * (segmentBytes + 8_000);
          await untilDeleted(() => folder.bytes() <= bound);
          assert.ok(folder.bytes() <= bound, `${folder.bytes()} bytes on disk, ${live} held, bound ${bound}`);
        }
        await journal[Symbol.asyncDispose]();
      }
      await using last = await openWith(await folder.open(), { segmentBytes });
      owner.take(last);
      assert.ok(owner.heldKeys.filter((key) => key.startsWith("cold")).length >= 10);
    });

    test("entries that were let go without a word leave the disk, too", async () => {
      await using folder = await makeFolder();
      const limits = { segmentBytes: 16 * 1024, liveLimitBytes: 64 * 1024 };
      await using journal = await openWith(await folder.open(), limits);
      let newest = makeEntry("none", { epoch: 1, seq: 1 }, undefined);
      journal.attach({
        adoption: () => undefined,
        outcomes: () => [],
        late: () => [],
        newest: (key) => (newest.key === key ? newest : undefined),
      });
      for (let seq = 1; seq < 1_000; seq += 1) {
        newest = makeEntry(`key-${seq}`, { epoch: 1, seq }, Buffer.alloc(1_000));
        journal.append({ kind: "entry", entry: newest });
        await journal.durable();
      }
      await untilDeleted(() => folder.bytes() <= 2 * limits.liveLimitBytes + 2 * limits.segmentBytes);
      assert.ok(folder.bytes() <= 2 * limits.liveLimitBytes + 2 * limits.segmentBytes, `${folder.bytes()} bytes`);
    });

    test("after everything was cleaned no more than a segment is left", async () => {
      await using folder = await makeFolder();
      const journal = await openWith(await folder.open());
      const owner = new JournalOwner();
      owner.take(journal);
      for (let index = 0; index < 400; index += 1) owner.put(`key-${index}`, Buffer.alloc(1_000));
      await owner.confirm();
      assert.ok(folder.bytes() > 400_000);
      for (const key of owner.heldKeys) owner.clean(key);
      owner.finishAllBut(0);
      await owner.confirm();
      await journal[Symbol.asyncDispose]();
      assert.ok(folder.bytes() <= settings.segmentBytes * 1.5, `${folder.bytes()} bytes`);
    });
  });
}
