/**
 * A small journal of several segments, cut off at every byte and damaged at every byte: it either gives what is left
 * without its last group (the torn tail of a write that nobody was told of), or refuses to start and says where the
 * damage is. It never gives anything else (J7).
 */

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { isOperatingError } from "../../../src/base/errors.ts";
import { type JournalParts, openJournal } from "../../../src/journal/file-journal.ts";
import { folderSeed, groupHeader } from "../../../src/journal/group.ts";
import { immediateScheduler } from "../../harness/immediate-scheduler.ts";
import { JournalOwner, makeEntry } from "../../harness/journal-owner.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { noise } from "../../harness/noise.ts";
import { RecordedLog } from "../../harness/recorded-log.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { SimDisk } from "../../simulation/sim-disk.ts";

const random = new SimRandom(3);

function parts(disk: SimDisk, log = new RecordedLog()): JournalParts {
  return {
    disk: disk.open(immediateScheduler),
    clock: new ManualClock(),
    log,
    settings: { segmentBytes: 1_500, liveLimitBytes: 1_000_000 },
    onFailed: (error) => {
      throw error;
    },
  };
}

type Found = string | { readonly refusal: string };

/** What a start on this disk finds, as text to be compared. */
async function find(disk: SimDisk, log?: RecordedLog): Promise<Found> {
  try {
    const journal = await openJournal(parts(disk, log));
    const { entries, outcomes, adopted } = journal.recovered;
    const held = [...entries].map((entry) => `${entry.key} ${entry.seq} ${entry.value?.toString("hex")}`).toSorted();
    const done = [...outcomes].map(({ requestId }) => requestId.counter).toSorted((a, b) => a - b);
    await journal[Symbol.asyncDispose]();
    return JSON.stringify([held, done, adopted]);
  } catch (error) {
    if (!isOperatingError(error, "config_invalid")) throw error;
    return { refusal: error.message };
  }
}

/** The journal, and for each of its groups where it begins and what is found when it and what follows is not there. */
interface Sample {
  readonly disk: SimDisk;
  readonly groups: readonly { readonly segment: number; readonly offset: number; readonly without: Found }[];
  readonly whole: Found;
}

let sample: Sample;

before(async () => {
  const disk = new SimDisk(random);
  const owner = new JournalOwner();
  const groups: Sample["groups"][number][] = [];
  const journal = await openJournal(parts(disk));
  owner.take(journal);
  for (let group = 0; group < 14; group += 1) {
    const before = disk.names.length;
    const end = disk.bytesOf(nameOf(before)).length;
    const without = await find(disk.copy());
    owner.put(`key-${group}`, noise(random, random.whole(20, 250)));
    if (group % 3 === 2) owner.clean(`key-${group - 1}`);
    if (group % 4 === 0) owner.adopt();
    await owner.confirm();
    const segment = disk.names.length;
    groups.push({ segment, offset: segment === before ? end : 0, without });
  }
  sample = { disk, groups, whole: await find(disk.copy()) };
  assert.equal(disk.names[0], nameOf(1));
  assert.ok(disk.names.length >= 3);
});

function nameOf(segment: number): string {
  return `journal-${String(segment).padStart(16, "0")}.wal`;
}

function lastOf({ groups }: Sample): Sample["groups"][number] {
  return groups.at(-1) as Sample["groups"][number];
}

test("cut off at any byte of its last segment, it gives what the whole groups before that hold", async () => {
  const { disk, groups, whole } = sample;
  const { segment } = lastOf(sample);
  const name = nameOf(segment);
  const size = disk.bytesOf(name).length;
  for (let length = 0; length <= size; length += 1) {
    const copy = disk.copy();
    copy.cut(name, length);
    const next = groups.findIndex((group, index) => {
      const end = groups[index + 1]?.offset ?? size;
      return group.segment === segment && end > length;
    });
    const expected = next === -1 ? whole : (groups[next]?.without as Found);
    const log = new RecordedLog();
    assert.deepEqual(await find(copy, log), expected, `cut at ${length}`);
    assert.equal(copy.bytesOf(name).length, next === -1 ? size : groups[next]?.offset);
    const isTorn = next !== -1 && groups[next]?.offset !== length;
    assert.equal(log.messages("warn").length, isTorn ? 1 : 0);
    // And once more: what was cut is gone for good.
    const again = new RecordedLog();
    assert.deepEqual(await find(copy, again), expected);
    assert.equal(again.messages("warn").length, 0);
  }
});

test("cut off at any byte of an earlier segment, it refuses to start and names file and offset", async () => {
  const { disk } = sample;
  for (let segment = 1; segment < lastOf(sample).segment; segment += 1) {
    const name = nameOf(segment);
    for (let length = 0; length < disk.bytesOf(name).length; length += 1) {
      const copy = disk.copy();
      copy.cut(name, length);
      const found = await find(copy);
      assert.ok(typeof found === "object", `cut ${name} at ${length}`);
      assert.match(found.refusal, new RegExp(`${name} is damaged at byte \\d+`));
    }
  }
});

test("damaged at any byte, it gives what is in front of its last group if that is the damaged one, else refuses", async () => {
  const { disk, groups } = sample;
  const last = lastOf(sample);
  for (let segment = 1; segment <= last.segment; segment += 1) {
    const name = nameOf(segment);
    const size = disk.bytesOf(name).length;
    for (let at = 0; at < size; at += 1) {
      const copy = disk.copy();
      const bytes = copy.bytesOf(name);
      bytes[at] = (bytes[at] as number) ^ random.whole(1, 255);
      const found = await find(copy);
      if (segment === last.segment && at >= last.offset) {
        assert.deepEqual(found, last.without, `${name} at ${at}`);
        continue;
      }
      assert.ok(typeof found === "object", `${name} at ${at}`);
      const offset = Number(/is damaged at byte (\d+)/.exec(found.refusal)?.[1]);
      const group = groups.findLast((each) => each.segment === segment && each.offset <= at);
      assert.ok(offset <= at && offset >= (group?.offset ?? 0), found.refusal);
      assert.deepEqual(copy.bytesOf(name), bytes, "what is refused is left as it is");
    }
  }
});

test("a block of zeros or noise over any part of it never gives a state that there was not", async () => {
  const { disk, groups, whole } = sample;
  const states = new Set([whole, ...groups.map(({ without }) => without)]);
  const last = lastOf(sample);
  for (let round = 0; round < 2_000; round += 1) {
    const copy = disk.copy();
    const segment = random.whole(1, last.segment);
    const bytes = copy.bytesOf(nameOf(segment));
    const start = random.whole(0, bytes.length - 1);
    const end = random.whole(start + 1, Math.min(bytes.length, start + 600));
    const original = Buffer.from(bytes.subarray(start, end));
    if (random.chance(0.5)) bytes.fill(0, start, end);
    else noise(random, Math.ceil((end - start) / 4) * 4).copy(bytes, start, 0, end - start);
    const found = await find(copy);
    if (typeof found === "string") assert.ok(states.has(found), `round ${round}`);
    const isInTail = segment === last.segment && start >= last.offset;
    if (!isInTail && !original.equals(bytes.subarray(start, end))) {
      const reachesTail = segment === last.segment && end > last.offset;
      assert.ok(reachesTail || typeof found === "object", `round ${round}: ${start} to ${end} of ${segment}`);
    }
  }
});

test("a segment that is missing between others, or before them, is noticed", async () => {
  const { disk } = sample;
  for (let segment = 1; segment < lastOf(sample).segment; segment += 1) {
    const copy = disk.copy();
    copy.remove(nameOf(segment));
    const found = await find(copy);
    assert.ok(typeof found === "object");
    assert.match(found.refusal, new RegExp(`${nameOf(segment)} is missing`));
  }
});

test("a value that looks like the journal itself is taken for none of its groups", async () => {
  const disk = new SimDisk(new SimRandom(4));
  const journal = await openJournal(parts(disk));
  journal.attach(new JournalOwner());
  const name = nameOf(1);
  // Headers for every place in the segment, but of another folder or another segment, and one of this folder that is
  // elsewhere.
  const seed = folderSeed(disk.folder);
  const headers = Array.from({ length: 30 }, (_, index) => [
    groupHeader(folderSeed("0".repeat(32)), 1, index * 64, 5),
    groupHeader(seed, 2, index * 64 + 32, 5),
    groupHeader(seed, 1, 1_000_000 + index, 5),
  ]).flat();
  journal.append({ kind: "entry", entry: makeEntry("bait", { epoch: 1, seq: 1 }, Buffer.concat(headers)) });
  await journal.durable();
  await journal[Symbol.asyncDispose]();
  const bytes = disk.bytesOf(name);
  bytes[40] = (bytes[40] as number) ^ 1;
  const log = new RecordedLog();
  assert.equal(typeof (await find(disk, log)), "string");
  assert.equal(log.messages("warn").length, 1);
});
