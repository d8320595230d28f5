/**
 * A group: the records that one write and one sync make durable together, all of them or none. It is a header and
 * records.
 *
 * | offset | bytes | field |
 * | --- | --- | --- |
 * | 0 | 4 | `WRJ1`: weir's journal, version 1 |
 * | 4 | 4 | CRC-32 of what follows, begun with the folder's seed |
 * | 8 | 8 | number of the segment |
 * | 16 | 8 | bytes of the segment that were synced when the group was written: all before it |
 * | 24 | 8 | bytes of the records |
 *
 * Each write waits for the sync before it, so everything in front of a group was synced before. A sound header proves
 * at once that it is in its place and that everything in front of it had been made durable.
 *
 * The checksums begin with a seed made of the folder's name. So a copy of a segment never passes for a segment of this
 * folder, be it a value in one or old bytes of a disk.
 */

import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { readU32 } from "../base/codec.ts";

export const groupHeaderBytes = 32;

export const groupMagic = Buffer.from("WRJ1", "latin1");

const numberOffset = 8;
const syncedOffset = 16;
const lengthOffset = 24;

/** What the checksums of a segment's group headers begin with. */
export function folderSeed(folder: string): number {
  return crc32(folder);
}

/** Reused for every group; nothing in it outlives a call. */
const place = Buffer.alloc(16);

/** What the checksums of the records begin with, in the group at `offset`. Here and below `seed` is the folder's. */
export function groupSeed(seed: number, segment: number, offset: number): number {
  writeInteger(place, 0, segment);
  writeInteger(place, 8, offset);
  return crc32(place, seed);
}

/** The header of a group with `length` bytes of records, at `offset` in its segment. */
export function groupHeader(seed: number, segment: number, offset: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(groupHeaderBytes);
  groupMagic.copy(header);
  writeInteger(header, numberOffset, segment);
  writeInteger(header, syncedOffset, offset);
  writeInteger(header, lengthOffset, length);
  header.writeUInt32LE(crc32(header.subarray(numberOffset), seed), 4);
  return header;
}

/**
 * Looks for a sound header of `segment` at `at` in `buffer`, whose place is `offset`. Returns how many bytes of records
 * follow it, or undefined if there is no such header.
 */
export function checkHeader(
  buffer: Buffer,
  at: number,
  seed: number,
  segment: number,
  offset: number,
): number | undefined {
  if (at + groupHeaderBytes > buffer.length || buffer.compare(groupMagic, 0, 4, at, at + 4) !== 0) return undefined;
  if (crc32(buffer.subarray(at + numberOffset, at + groupHeaderBytes), seed) !== readU32(buffer, at + 4)) {
    return undefined;
  }
  if (readInteger(buffer, at + numberOffset) !== segment || readInteger(buffer, at + syncedOffset) !== offset) {
    return undefined;
  }
  return readInteger(buffer, at + lengthOffset);
}

const halfRange = 2 ** 32;

function writeInteger(buffer: Buffer, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, "an integer is whole, not negative and exact in a double");
  buffer.writeUInt32LE(value % halfRange, offset);
  buffer.writeUInt32LE(Math.floor(value / halfRange), offset + 4);
}

function readInteger(buffer: Buffer, offset: number): number {
  return readU32(buffer, offset) + readU32(buffer, offset + 4) * halfRange;
}
