/**
 * Reads one segment from its beginning to its end, a window at a time. A group counts only as a whole: its records are
 * looked at once all of them have proved sound. A turn of the event loop takes a few milliseconds of it at most.
 */

import { assert } from "../base/assert.ts";
import { ByteReader } from "../base/codec.ts";
import type { Breaks } from "../base/slices.ts";
import type { DiskFile } from "./disk.ts";
import { checkHeader, groupHeaderBytes, groupMagic, groupSeed } from "./group.ts";
import { checkRecord, readRecord, type SegmentRecord } from "./record.ts";

/** Bytes read at once, unless a group is larger. */
const windowBytes = 4 * 1024 * 1024;

/** Gets each record, in order, with its size in bytes. `group` is the offset of the record's group. */
export type RecordVisitor = (record: SegmentRecord, bytes: number, group: number) => void;

export interface ScanResult {
  /** Where the last sound group ends. */
  readonly end: number;
  /** Where the last sound group begins. */
  readonly lastGroup: number;
  /** Where the first record or header is that is not sound. Undefined when all are sound. */
  readonly badAt: number | undefined;
  readonly isSealed: boolean;
}

/** @throws MalformedError for a record that is sound and that this program never writes */
export async function scanSegment(
  file: DiskFile,
  folderSeed: number,
  segment: number,
  visit: RecordVisitor,
  breaks: Breaks,
): Promise<ScanResult> {
  const { size } = file;
  const reader = new ByteReader();
  let buffer: Buffer = Buffer.alloc(0);
  let base = 0;
  const load = async (from: number, bytes: number): Promise<void> => {
    if (from + Math.min(bytes, size - from) <= base + buffer.length) return;
    buffer = await file.read(from, Math.min(Math.max(bytes, windowBytes), size - from));
    base = from;
    breaks.restart();
  };
  let offset = 0;
  let lastGroup = 0;
  let isSealed = false;
  const result = (badAt?: number): ScanResult => ({ end: offset, lastGroup, badAt, isSealed });

  while (offset < size) {
    await load(offset, groupHeaderBytes);
    const length = isSealed ? undefined : checkHeader(buffer, offset - base, folderSeed, segment, offset);
    if (length === undefined || length === 0 || length > size - offset - groupHeaderBytes) return result(offset);
    await load(offset, groupHeaderBytes + length);
    const start = offset - base + groupHeaderBytes;
    const end = start + length;
    const badAt = await firstBadRecord(buffer, start, end, groupSeed(folderSeed, segment, offset), breaks);
    if (badAt !== undefined) return result(base + badAt);
    for (let at = start; at < end; ) {
      const { record, recordEnd } = readRecord(reader, buffer, at);
      visit(record, recordEnd - at, offset);
      isSealed ||= record.kind === "seal";
      at = recordEnd;
      if (breaks.isDue()) await breaks.take();
    }
    lastGroup = offset;
    offset = base + end;
  }
  return result();
}

async function firstBadRecord(
  buffer: Buffer,
  start: number,
  end: number,
  seed: number,
  breaks: Breaks,
): Promise<number | undefined> {
  let at = start;
  while (at < end) {
    const next = checkRecord(buffer, at, end, seed);
    if (next === undefined) return at;
    at = next;
    if (breaks.isDue()) await breaks.take();
  }
  assert(at === end, "a sound record ends within its group");
  return undefined;
}

/**
 * Where a group begins behind `badAt`; undefined when there is none. Its header says that everything in front of it had
 * been synced, and the bad record is in front of it.
 */
export async function findGroupBehind(
  file: DiskFile,
  folderSeed: number,
  segment: number,
  badAt: number,
): Promise<number | undefined> {
  let from = badAt + 1;
  while (from + groupHeaderBytes <= file.size) {
    const buffer = await file.read(from, Math.min(windowBytes, file.size - from));
    for (let at = buffer.indexOf(groupMagic); at >= 0; at = buffer.indexOf(groupMagic, at + 1)) {
      if (checkHeader(buffer, at, folderSeed, segment, from + at) !== undefined) return from + at;
    }
    // A header may lie across the end of the window.
    from += buffer.length - groupHeaderBytes + 1;
  }
  return undefined;
}
