/** One group of records while it fills: the bytes, and the promise of those who wait for it. */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import type { ByteWriter } from "../base/codec.ts";
import { groupHeader, groupHeaderBytes, groupSeed } from "./group.ts";
import { appendRecord, type SegmentRecord } from "./record.ts";

/** A value that is passed on as it is, and where it belongs in the writer's bytes. */
interface Cut {
  readonly at: number;
  readonly value: Buffer;
}

export class Batch {
  readonly segment: number;
  /** Where in the segment it begins. */
  readonly offset: number;
  /** Since when anyone may wait for it. Undefined while it holds only records that may get lost. */
  since: Instant | undefined;
  readonly writer: ByteWriter;
  readonly #folderSeed: number;
  readonly #seed: number;
  readonly #cuts: Cut[] = [];
  #valueBytes = 0;
  #done: PromiseWithResolvers<void> | undefined;
  /** Segments below this one may be deleted once the batch is durable. */
  releases = 0;

  /** @param writer - this batch alone uses it until the batch is durable */
  constructor(segment: number, offset: number, folderSeed: number, writer: ByteWriter) {
    this.segment = segment;
    this.offset = offset;
    this.writer = writer;
    this.#folderSeed = folderSeed;
    this.#seed = groupSeed(folderSeed, segment, offset);
    writer.truncate(0);
    writer.skip(groupHeaderBytes);
  }

  /** Bytes so far, its header included. */
  get bytes(): number {
    return this.writer.length + this.#valueBytes;
  }

  /** Resolves when all of it is durable; the same promise each time. */
  get durable(): Promise<void> {
    this.#done ??= Promise.withResolvers<void>();
    return this.#done.promise;
  }

  /** Takes a record, and returns how many bytes it is. */
  add(record: SegmentRecord): number {
    const before = this.bytes;
    const value = appendRecord(this.writer, record, this.#seed);
    if (value !== undefined) {
      this.#cuts.push({ at: this.writer.length, value });
      this.#valueBytes += value.length;
    }
    const added = this.bytes - before;
    assert(added > 0, "a record has bytes");
    return added;
  }

  /** The bytes to write. Nothing may be added any more. */
  buffers(): Buffer[] {
    assert(this.bytes > groupHeaderBytes, "a group has a record");
    const { buffer, length } = this.writer;
    groupHeader(this.#folderSeed, this.segment, this.offset, this.bytes - groupHeaderBytes).copy(buffer);
    const buffers: Buffer[] = [];
    let from = 0;
    for (const { at, value } of this.#cuts) {
      buffers.push(buffer.subarray(from, at), value);
      from = at;
    }
    if (from < length) buffers.push(buffer.subarray(from, length));
    return buffers;
  }

  confirm(): void {
    this.#done?.resolve();
  }
}
