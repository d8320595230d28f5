/**
 * Records of the journal as bytes. A record is a header, a head whose form depends on the kind, and at most one value.
 *
 * | offset | bytes | field |
 * | --- | --- | --- |
 * | 0 | 4 | CRC-32 of all that follows, begun with the group's seed |
 * | 4 | 4 | bytes of the head |
 * | 8 | 4 | bytes of the value |
 * | 12 | 1 | kind |
 * | 13 | | the rest of the head, then the value |
 *
 * Numbers are little-endian. Each group has another seed (see `group.ts`). A lost write may leave old bytes in its
 * place; they never pass for a record of that place.
 */

import { crc32 } from "node:zlib";
import { unreachable } from "../base/assert.ts";
import { type ByteReader, type ByteWriter, MalformedError, readU32 } from "../base/codec.ts";
import { compact } from "../base/memory.ts";
import { payloadOf, type RequestId } from "../core/entry.ts";
import {
  readConditions,
  readEntry,
  readOutcomes,
  readRequestId,
  readVersion,
  writeConditions,
  writeEntry,
  writeOutcomes,
  writeRequestId,
  writeVersion,
} from "../core/field-codec.ts";
import type { JournalRecord } from "./journal.ts";

/** What is in a segment: what was appended, and what the journal notes for itself. */
export type SegmentRecord =
  | JournalRecord
  /**
   * The first record of each segment. Outcomes and adoptions before it do not count any more; those that do are
   * repeated behind it.
   */
  | { readonly kind: "head"; readonly oldest: number }
  /** Segments below this number are not needed any more. */
  | { readonly kind: "oldest"; readonly oldest: number }
  /** The last record of a segment: the next segment may exist. */
  | { readonly kind: "seal" };

/** The numbers are part of the format: append only. */
const tags = {
  entry: 1,
  clean: 2,
  outcomes: 4,
  head: 5,
  oldest: 6,
  seal: 7,
  forget: 8,
  adopt: 9,
  late: 10,
} as const satisfies Record<SegmentRecord["kind"], number>;

/** The tag of an adoption without its cluster, as earlier releases wrote it. */
const bareAdoptTag = 3;

/** Before the head: CRC and two lengths. */
const recordHeaderBytes = 12;

/**
 * Values up to this size are copied behind their head. Up to 16 KiB, copying costs no more than one more buffer in the
 * call to the system (measured).
 */
export const copiedBytes = 8 * 1024;

/**
 * Appends a record. Returns its value if that has to be written right behind: it is part of the record, and not copied.
 */
export function appendRecord(writer: ByteWriter, record: SegmentRecord, seed: number): Buffer | undefined {
  const start = writer.length;
  writer.skip(recordHeaderBytes);
  writeHead(writer, record);
  const value = record.kind === "entry" ? payloadOf(record.entry) : undefined;
  writer.setU32(start + 4, writer.length - start - recordHeaderBytes);
  writer.setU32(start + 8, value?.length ?? 0);
  const isCopied = value !== undefined && value.length <= copiedBytes;
  if (isCopied) writer.bytes(value);
  const crc = crc32(writer.buffer.subarray(start + 4, writer.length), seed);
  if (value === undefined || isCopied) {
    writer.setU32(start, crc);
    return undefined;
  }
  writer.setU32(start, crc32(value, crc));
  return value;
}

function writeHead(writer: ByteWriter, record: SegmentRecord): void {
  writer.u8(tags[record.kind]);
  switch (record.kind) {
    case "entry":
      writeEntry(writer, record.entry);
      return;
    case "clean":
      writer.text(record.key);
      writeVersion(writer, record.version);
      return;
    case "adopt":
      writer.text(record.cluster ?? "");
      writer.integer(record.epoch);
      writer.u32(record.adopted.length);
      for (const epoch of record.adopted) writer.integer(epoch);
      return;
    case "outcomes":
      writeOutcomes(writer, record.outcomes);
      return;
    case "late":
      writer.text(record.key);
      writeConditions(writer, record.conditions);
      return;
    case "forget":
      writer.u32(record.requests.length);
      for (const requestId of record.requests) writeRequestId(writer, requestId);
      return;
    case "head":
    case "oldest":
      writer.integer(record.oldest);
      return;
    case "seal":
      return;
    default:
      unreachable(record);
  }
}

/** Where the record at `start` ends, if it is sound and ends by `end`. Undefined if it is not. */
export function checkRecord(buffer: Buffer, start: number, end: number, seed: number): number | undefined {
  if (start + recordHeaderBytes >= end) return undefined;
  const recordEnd = start + recordHeaderBytes + readU32(buffer, start + 4) + readU32(buffer, start + 8);
  if (recordEnd > end || readU32(buffer, start + 4) === 0) return undefined;
  return crc32(buffer.subarray(start + 4, recordEnd), seed) === readU32(buffer, start) ? recordEnd : undefined;
}

/**
 * Reads a record that {@link checkRecord} found sound, and says where it ends. Its value has memory of its own.
 *
 * @throws MalformedError when another version of this program must have written it
 */
export function readRecord(
  reader: ByteReader,
  buffer: Buffer,
  start: number,
): { readonly record: SegmentRecord; readonly recordEnd: number } {
  const headEnd = start + recordHeaderBytes + readU32(buffer, start + 4);
  const recordEnd = headEnd + readU32(buffer, start + 8);
  reader.reset(buffer, start + recordHeaderBytes, headEnd);
  const record = readHead(reader, buffer.subarray(headEnd, recordEnd));
  reader.finish();
  return { record, recordEnd };
}

function readHead(reader: ByteReader, payload: Buffer): SegmentRecord {
  const tag = reader.u8();
  if (tag === tags.entry) return { kind: "entry", entry: readEntry(reader, compact(payload)) };
  if (payload.length > 0) throw new MalformedError("a value in a record that has none");
  switch (tag) {
    case tags.clean:
      return { kind: "clean", key: reader.text(), version: readVersion(reader) };
    case bareAdoptTag:
    case tags.adopt: {
      const cluster = tag === tags.adopt ? reader.text() : "";
      const epoch = reader.integer();
      const count = reader.u32();
      const adopted: number[] = [];
      for (let index = 0; index < count; index += 1) adopted.push(reader.integer());
      return { kind: "adopt", epoch, adopted, ...(cluster !== "" && { cluster }) };
    }
    case tags.outcomes:
      return { kind: "outcomes", outcomes: readOutcomes(reader) };
    case tags.late:
      return { kind: "late", key: reader.text(), conditions: readConditions(reader) };
    case tags.forget: {
      const count = reader.u32();
      const requests: RequestId[] = [];
      for (let index = 0; index < count; index += 1) requests.push(readRequestId(reader));
      return { kind: "forget", requests };
    }
    case tags.head:
      return { kind: "head", oldest: reader.integer() };
    case tags.oldest:
      return { kind: "oldest", oldest: reader.integer() };
    case tags.seal:
      return { kind: "seal" };
    default:
      throw new MalformedError("an unknown kind of record");
  }
}
