/** A group of very many records while it fills: it grows without moving what it has, and is whole in the end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter } from "../../../src/base/codec.ts";
import { Batch } from "../../../src/journal/batch.ts";
import { checkHeader, groupHeaderBytes, groupSeed } from "../../../src/journal/group.ts";
import { checkRecord, readRecord, type SegmentRecord } from "../../../src/journal/record.ts";
import { makeEntry } from "../../harness/journal-owner.ts";

const conditions = [{ condition: { kind: "present", tag: "t".repeat(32) }, version: undefined }] as const;

test("a group of very many records grows without a step that moves them all, and all are in it", () => {
  const batch = new Batch(3, 500, 7, new ByteWriter(64));
  const count = 200_000;
  let bytes = groupHeaderBytes;
  let largest = 0;
  let last = process.memoryUsage().arrayBuffers;
  const add = (record: SegmentRecord, index: number): void => {
    bytes += batch.add(record);
    if (index % 100 > 0) return;
    const now = process.memoryUsage().arrayBuffers;
    largest = Math.max(largest, now - last);
    last = now;
  };
  for (let index = 0; index < count; index++) {
    // A large value is passed on as it is, between two others.
    if (index % 50_000 === 7) {
      const entry = makeEntry(`entry${index}`, { epoch: 1, seq: index }, Buffer.alloc(10_000, index % 251));
      add({ kind: "entry", entry }, index);
    } else add({ kind: "late", key: `late${index}`, conditions }, index);
  }
  assert.equal(batch.bytes, bytes);
  assert.ok(bytes > 10_000_000 && largest < 7_000_000, `${largest} bytes in one step, of ${bytes}`);

  const group = Buffer.concat(batch.buffers());
  assert.equal(group.length, bytes);
  assert.equal(checkHeader(group, 0, 7, 3, 500), bytes - groupHeaderBytes);
  const reader = new ByteReader();
  const found: string[] = [];
  for (let at = groupHeaderBytes; at < group.length; ) {
    assert.ok(checkRecord(group, at, group.length, groupSeed(7, 3, 500)) !== undefined, "it is sound");
    const { record, recordEnd } = readRecord(reader, group, at);
    if (record.kind === "entry") found.push(`${record.entry.key} ${record.entry.value?.[0]}`);
    else if (record.kind === "late") found.push(record.key);
    at = recordEnd;
  }
  const expected = Array.from({ length: count }, (_, index) =>
    index % 50_000 === 7 ? `entry${index} ${index % 251}` : `late${index}`,
  );
  assert.deepEqual(found, expected);
});
