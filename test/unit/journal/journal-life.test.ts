/**
 * A journal on real files, over several lives: which syncs its promises cost, and in which order (J1, J4, J6, J7). The
 * simulated disk shows what is lost without them; here it is the file system that is asked.
 */

import assert from "node:assert/strict";
import { appendFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openFileDisk } from "../../../src/journal/file-disk.ts";
import { openJournal } from "../../../src/journal/file-journal.ts";
import type { Journal } from "../../../src/journal/journal.ts";
import { systemClock, systemRandom } from "../../../src/system.ts";
import { JournalOwner } from "../../harness/journal-owner.ts";
import { RecordedLog } from "../../harness/recorded-log.ts";
import { TracedFiles } from "../../harness/traced-files.ts";

async function open(files: TracedFiles, segmentBytes = 64 * 1024): Promise<Journal> {
  return await openJournal({
    disk: await openFileDisk(files.path, systemRandom),
    clock: systemClock,
    log: new RecordedLog(),
    settings: { segmentBytes, liveLimitBytes: 1024 * 1024 },
    onFailed: (error) => {
      throw error;
    },
  });
}

/** What a journal asks of files, without the zeros in their names. */
async function asked(files: TracedFiles, work: () => Promise<unknown>): Promise<string[]> {
  const calls = await files.callsOf(work, /^(?:open .* wx\+|writev|datasync|sync|truncate|unlink|told)/);
  return calls.map((call) => call.replace(/journal-0+(\d+)\.wal/, "$1").trimEnd());
}

test("a journal over real files asks for each sync that its promises need, in the right order", async () => {
  await using files = await TracedFiles.make();
  await (await openFileDisk(files.path, systemRandom))[Symbol.asyncDispose]();
  const owner = new JournalOwner();
  let journal: Journal | undefined;
  const confirm = async (key: string): Promise<void> => {
    owner.put(key, Buffer.alloc(1_200));
    await owner.confirm();
    files.calls.push(`told ${key}`);
  };
  const first = await asked(files, async () => {
    journal = await open(files, 1_000);
    owner.take(journal);
    await confirm("a");
  });
  assert.deepEqual(first, ["open 1 wx+", "sync", "writev 1", "datasync 1", "told a"]);
  // What replaces the value comes first, and is durable. Then the segment of the old one goes, for good.
  const second = await asked(files, async () => {
    await confirm("a");
    await journal?.[Symbol.asyncDispose]();
  });
  assert.deepEqual(second, ["open 2 wx+", "sync", "writev 2", "datasync 2", "told a", "unlink 1", "sync"]);
  // The next process can't know that what it finds was synced.
  const third = await asked(files, async () => {
    await using next = await open(files, 1_000);
    files.calls.push(`told ${[...next.recovered.entries].map(({ key }) => key).join()}`);
  });
  assert.deepEqual(third, ["writev 2", "datasync 2", "sync", "told a"]);
});

test("a torn tail of a real file is cut off, and what is appended then is there in the next life", async () => {
  await using files = await TracedFiles.make();
  const owner = new JournalOwner();
  const first = await open(files);
  owner.take(first);
  owner.put("a", Buffer.from("kept"));
  await owner.confirm();
  await first[Symbol.asyncDispose]();
  const segment = (await readdir(files.path)).find((name) => name.endsWith(".wal")) as string;
  await appendFile(join(files.path, segment), Buffer.alloc(100, 7));
  const second = await open(files);
  owner.take(second);
  owner.put("b", Buffer.from("more"));
  await owner.confirm();
  await second[Symbol.asyncDispose]();
  await using third = await open(files);
  assert.deepEqual(third.position, second.position);
  assert.deepEqual([...third.recovered.entries].map(({ key }) => key).toSorted(), ["a", "b"]);
});

test("a journal's position is what is durable of it, and the next life begins there: with a torn tail, too", async () => {
  await using files = await TracedFiles.make();
  const owner = new JournalOwner();
  const first = await open(files, 1_000);
  owner.take(first);
  const start = first.position;
  owner.put("a", Buffer.alloc(600));
  assert.deepEqual(first.position, start, "nothing is durable yet");
  await owner.confirm();
  const once = first.position;
  assert.deepEqual([once.segment, once.offset > start.offset + 600], [1, true]);
  owner.put("b", Buffer.alloc(600));
  await owner.confirm();
  owner.put("b", Buffer.alloc(600));
  await owner.confirm();
  const last = first.position;
  assert.equal(last.segment, 2);
  await first[Symbol.asyncDispose]();
  const segment = (await readdir(files.path)).findLast((name) => name.endsWith(".wal")) as string;
  await appendFile(join(files.path, segment), Buffer.alloc(100, 7));
  await using second = await open(files, 1_000);
  assert.deepEqual(second.position, last);
});
