/** The records and groups of the journal as bytes: what goes in comes out, and nothing else passes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, MalformedError } from "../../../src/base/codec.ts";
import type { Entry } from "../../../src/core/entry.ts";
import { checkHeader, folderSeed, groupHeader, groupHeaderBytes, groupSeed } from "../../../src/journal/group.ts";
import { appendRecord, checkRecord, copiedBytes, readRecord, type SegmentRecord } from "../../../src/journal/record.ts";
import { makeEntry } from "../../harness/journal-owner.ts";
import { noise } from "../../harness/noise.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const random = new SimRandom(7);
const seed = 12_345;
const folder = "0123456789abcdef0123456789abcdef";

function bytesOf(record: SegmentRecord): Buffer {
  const writer = new ByteWriter(16);
  writer.u8(0);
  const value = appendRecord(writer, record, seed);
  return Buffer.concat([writer.buffer.subarray(0, writer.length), value ?? Buffer.alloc(0)]);
}

const rich: Entry = {
  ...makeEntry("schlüssel/日本語", { epoch: 2 ** 40, seq: 2 ** 50 }, noise(random, 500)),
  headers: { "content-type": "image/png", "x-weir-meta-owner": "\u00e9" },
  requestId: { router: "", counter: 0 },
};

const records: readonly SegmentRecord[] = [
  { kind: "entry", entry: rich },
  { kind: "entry", entry: makeEntry("tombstone", { epoch: 1, seq: 1 }, undefined) },
  { kind: "entry", entry: makeEntry("empty", { epoch: 1, seq: 1 }, Buffer.alloc(0)) },
  { kind: "entry", entry: makeEntry("copied", { epoch: 1, seq: 1 }, noise(random, copiedBytes)) },
  { kind: "entry", entry: makeEntry("passed on", { epoch: 1, seq: 1 }, noise(random, copiedBytes + 1)) },
  { kind: "clean", key: "k", version: { epoch: 3, seq: 4 } },
  { kind: "adopt", epoch: 9, adopted: [1, 5, 9] },
  { kind: "adopt", epoch: 9, adopted: [], cluster: "c1" },
  { kind: "outcomes", outcomes: [] },
  {
    kind: "outcomes",
    outcomes: [
      { requestId: { router: folder, counter: 3 }, key: "a", version: { epoch: 1, seq: 2 } },
      { requestId: { router: "other", counter: 2 ** 52 }, key: "b", version: { epoch: 2, seq: 1 } },
    ],
  },
  {
    kind: "forget",
    requests: [
      { router: folder, counter: 3 },
      { router: "other", counter: 2 ** 52 },
    ],
  },
  { kind: "head", oldest: 2 ** 33 },
  { kind: "oldest", oldest: 7 },
  { kind: "seal" },
];

test("each kind of record comes back as it was, with a value that has memory of its own", () => {
  for (const record of records) {
    const bytes = bytesOf(record);
    assert.equal(checkRecord(bytes, 1, bytes.length, seed), bytes.length, record.kind);
    const found = readRecord(new ByteReader(), bytes, 1);
    assert.equal(found.recordEnd, bytes.length);
    assert.deepEqual(found.record, record);
    if (found.record.kind !== "entry" || found.record.entry.value === undefined) continue;
    assert.equal(found.record.entry.value.buffer.byteLength, found.record.entry.size);
  }
});

test("a large value is handed on and not copied, a small one is copied", () => {
  const writer = new ByteWriter(16);
  const large = noise(random, copiedBytes + 1);
  const small = noise(random, copiedBytes);
  const version = { epoch: 1, seq: 1 };
  assert.equal(appendRecord(writer, { kind: "entry", entry: makeEntry("k", version, large) }, seed), large);
  const before = writer.length;
  assert.equal(appendRecord(writer, { kind: "entry", entry: makeEntry("k", version, small) }, seed), undefined);
  assert.ok(writer.length - before > small.length);
});

test("no record passes with a changed byte, with another seed, cut short, or of zeros", () => {
  for (const record of records) {
    const bytes = bytesOf(record);
    const step = Math.max(1, Math.floor(bytes.length / 300));
    for (let at = 1; at < bytes.length; at += at < 80 ? 1 : step) {
      const before = bytes[at] as number;
      bytes[at] = before ^ (1 << random.whole(0, 7));
      assert.equal(checkRecord(bytes, 1, bytes.length, seed), undefined, `${record.kind} at ${at}`);
      bytes[at] = before;
      assert.equal(checkRecord(bytes, 1, at, seed), undefined);
    }
    assert.equal(checkRecord(bytes, 1, bytes.length, seed + 1), undefined);
  }
  assert.equal(checkRecord(Buffer.alloc(100), 0, 100, seed), undefined);
  assert.equal(checkRecord(Buffer.alloc(100), 0, 100, 0), undefined);
});

test("a sound record of a kind that this version does not know is told apart from a damaged one", () => {
  const writer = new ByteWriter(16);
  appendRecord(writer, { kind: "seal" }, seed);
  const bytes = Buffer.from(writer.buffer.subarray(0, writer.length));
  bytes[12] = 99;
  assert.throws(() => readRecord(new ByteReader(), bytes, 0), MalformedError);
});

test("a group's header passes in its place only: not elsewhere, in another segment, of another folder, or damaged", () => {
  const own = folderSeed(folder);
  const header = groupHeader(own, 3, 4_096, 77);
  const buffer = Buffer.concat([Buffer.alloc(5), header]);
  assert.equal(checkHeader(buffer, 5, own, 3, 4_096), 77);
  assert.equal(checkHeader(buffer, 5, own, 3, 4_097), undefined);
  assert.equal(checkHeader(buffer, 5, own, 4, 4_096), undefined);
  assert.equal(checkHeader(buffer, 5, folderSeed(folder.replace("0", "1")), 3, 4_096), undefined);
  assert.equal(checkHeader(buffer, 6, own, 3, 4_096), undefined);
  assert.equal(checkHeader(buffer.subarray(0, 5 + groupHeaderBytes - 1), 5, own, 3, 4_096), undefined);
  for (let at = 5; at < buffer.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      buffer[at] = (buffer[at] as number) ^ (1 << bit);
      assert.equal(checkHeader(buffer, 5, own, 3, 4_096), undefined, `at ${at}`);
      buffer[at] = (buffer[at] as number) ^ (1 << bit);
    }
  }
});

test("the seed of a group's records is another one for each place, segment and folder", () => {
  const own = folderSeed(folder);
  const seeds = [
    groupSeed(own, 1, 0),
    groupSeed(own, 1, 32),
    groupSeed(own, 2, 0),
    groupSeed(own, 2, 32),
    groupSeed(folderSeed(folder.replace("0", "1")), 1, 0),
    groupSeed(own, 1, 2 ** 32),
  ];
  assert.equal(new Set(seeds).size, seeds.length);
});
