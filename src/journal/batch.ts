/** One group of records while it fills: the bytes, and the promise of those who wait for it. */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import { ByteWriter } from "../base/codec.ts";
import { groupHeader, groupHeaderBytes, groupSeed } from "./group.ts";
import { appendRecord, type SegmentRecord } from "./record.ts";

/** A value that is passed on as it is, and where it belongs in the writer's bytes. */
interface Cut {
  readonly at: number;
  readonly value: Buffer;
}

/**
 * A writer with this many bytes is full, and another one goes on. A writer that grows moves all that it has: 32 MB take
 * some 10 ms.
 */
const writerBytes = 2 * 1024 * 1024;
/** Room for the record that fills it. Larger ones let it grow. */
const spareBytes = 128 * 1024;

export class Batch {
  readonly segment: number;
  /** Where in the segment it begins. */
  readonly offset: number;
  /** Since when anyone may wait for it. Undefined while it holds only records that may get lost. */
  since: Instant | undefined;
  #writer: ByteWriter;
  readonly #folderSeed: number;
  readonly #seed: number;
  /** Bytes to write from writers that are full, with the values that belong between them. */
  readonly #full: Buffer[] = [];
  /** Values that belong into the bytes of the present writer. */
  readonly #cuts: Cut[] = [];
  /** Bytes of values, and of writers that are full. */
  #otherBytes = 0;
  #done: PromiseWithResolvers<void> | undefined;
  /** Segments below this one may be deleted once the batch is durable. */
  releases = 0;

  /** @param writer - this batch alone uses it until the batch is durable */
  constructor(segment: number, offset: number, folderSeed: number, writer: ByteWriter) {
    this.segment = segment;
    this.offset = offset;
    this.#writer = writer;
    this.#folderSeed = folderSeed;
    this.#seed = groupSeed(folderSeed, segment, offset);
    writer.truncate(0);
    writer.skip(groupHeaderBytes);
  }

  /** Another batch may use it once this one is durable. */
  get writer(): ByteWriter {
    return this.#writer;
  }

  /** Bytes so far, its header included. */
  get bytes(): number {
    return this.#writer.length + this.#otherBytes;
  }

  /** Resolves when all of it is durable; the same promise each time. */
  get durable(): Promise<void> {
    this.#done ??= Promise.withResolvers<void>();
    return this.#done.promise;
  }

  /** Takes a record, and returns how many bytes it is. */
  add(record: SegmentRecord): number {
    const before = this.bytes;
    if (this.#writer.length >= writerBytes) this.#turnOver();
    const value = appendRecord(this.#writer, record, this.#seed);
    if (value !== undefined) {
      this.#cuts.push({ at: this.#writer.length, value });
      this.#otherBytes += value.length;
    }
    const added = this.bytes - before;
    assert(added > 0, "a record has bytes");
    return added;
  }

  /** The bytes to write. Nothing may be added any more. */
  buffers(): Buffer[] {
    assert(this.bytes > groupHeaderBytes, "a group has a record");
    const buffers = [...this.#full, ...this.#cut()];
    const header = groupHeader(this.#folderSeed, this.segment, this.offset, this.bytes - groupHeaderBytes);
    header.copy(buffers[0] as Buffer);
    return buffers;
  }

  confirm(): void {
    this.#done?.resolve();
  }

  /** The writer is full: another one goes on. */
  #turnOver(): void {
    for (const buffer of this.#cut()) this.#full.push(buffer);
    this.#otherBytes += this.#writer.length;
    this.#cuts.length = 0;
    this.#writer = new ByteWriter(writerBytes + spareBytes);
  }

  /** The present writer's bytes, with the values where they belong. */
  #cut(): Buffer[] {
    const { buffer, length } = this.#writer;
    const buffers: Buffer[] = [];
    let from = 0;
    for (const { at, value } of this.#cuts) {
      buffers.push(buffer.subarray(from, at), value);
      from = at;
    }
    if (from < length) buffers.push(buffer.subarray(from, length));
    return buffers;
  }
}
