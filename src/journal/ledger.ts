/**
 * What the segments of a journal are still good for: which of them have newest records of held keys. A segment that has
 * none is no longer needed, once the segments before it are not needed either (J6).
 */

import { assert } from "../base/assert.ts";
import type { Version } from "../core/version.ts";
import { Places } from "./places.ts";

interface Segment {
  readonly number: number;
  /** Bytes of its groups, not counting its head. */
  bytes: number;
  /** Bytes of its head: what it repeats at its beginning. */
  headBytes: number;
  /** Keys whose newest record is in it. */
  live: number;
}

export class Ledger {
  readonly #places = new Places();
  /** The segments that are needed, without a gap, and the newest. */
  readonly #segments: Segment[] = [];
  #bytes = 0;
  #headBytes = 0;
  #liveBytes = 0;
  /** No slot below this one has a key of the oldest segment. */
  #searched = 0;

  /** Keys with a record that counts. */
  get keys(): number {
    return this.#places.size;
  }

  /** Bytes in the segments that are needed, without their heads. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of their heads. Writing entries forward makes them fewer only as segments go. */
  get headBytes(): number {
    return this.#headBytes;
  }

  /** Bytes of the records that count. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** The lowest number of a segment that is needed. */
  get oldest(): number {
    return this.#segments[0]?.number ?? 1;
  }

  /** The segment that grows; 0 before the first. */
  get newest(): number {
    return this.#segments.at(-1)?.number ?? 0;
  }

  /** A new segment begins, after those so far. */
  begin(number: number): void {
    assert(this.newest === 0 || number === this.newest + 1, "segments are numbered without a gap");
    this.#segments.push({ number, bytes: 0, headBytes: 0, live: 0 });
    this.#release();
  }

  /** The newest segment has grown by so many bytes, of which so many are its head. */
  grow(bytes: number, headBytes: number): void {
    assert(headBytes >= 0 && bytes >= headBytes, "a segment only grows");
    const segment = this.#newest();
    segment.headBytes += headBytes;
    segment.bytes += bytes - headBytes;
    this.#headBytes += headBytes;
    this.#bytes += bytes - headBytes;
  }

  /** The newest segment has got a record of this version. It counts unless a newer one is known. */
  hold(key: string, version: Version, bytes: number): void {
    const slot = this.#places.find(key);
    if (slot !== undefined) {
      if (this.#places.compareAt(slot, version) > 0) return;
      this.#forget(slot);
    }
    const segment = this.#newest();
    this.#places.set(key, version, segment.number, bytes);
    segment.live += 1;
    this.#liveBytes += bytes;
    this.#release();
  }

  /** Whether the record that counts is of this version or an older one. */
  isHeld(key: string, version: Version): boolean {
    const slot = this.#places.find(key);
    return slot !== undefined && this.#places.compareAt(slot, version) <= 0;
  }

  /** Whether the record that counts is newer than this version. */
  isNewer(key: string, version: Version): boolean {
    const slot = this.#places.find(key);
    return slot !== undefined && this.#places.compareAt(slot, version) > 0;
  }

  /** No record of the key counts any more. */
  drop(key: string): void {
    const slot = this.#places.find(key);
    if (slot === undefined) return;
    this.#forget(slot);
    this.#places.remove(key, slot);
    this.#release();
  }

  /** A key whose record is in the oldest segment. Undefined when the oldest segment is also the newest. */
  oldKey(): string | undefined {
    const { oldest } = this;
    if (oldest === this.newest) return undefined;
    for (; this.#searched < this.#places.end; this.#searched += 1) {
      if (this.#places.segmentAt(this.#searched) === oldest) return this.#places.keyAt(this.#searched);
    }
    assert(false, "a segment that is needed has a key");
  }

  #forget(slot: number): void {
    const segment = this.#segments[this.#places.segmentAt(slot) - this.oldest];
    assert(segment !== undefined, "a record that counts is in a segment that is needed");
    assert(segment.live > 0, "a record counts in its segment until it is forgotten");
    segment.live -= 1;
    this.#liveBytes -= this.#places.bytesAt(slot);
    assert(this.#liveBytes >= 0, "bytes of a record count once");
  }

  #release(): void {
    while (this.#segments.length > 1 && this.#segments[0]?.live === 0) {
      this.#bytes -= this.#segments[0].bytes;
      this.#headBytes -= this.#segments[0].headBytes;
      this.#segments.shift();
      this.#searched = 0;
    }
    assert(this.#bytes >= 0 && this.#headBytes >= 0, "bytes of a segment count once");
  }

  #newest(): Segment {
    const segment = this.#segments.at(-1);
    assert(segment !== undefined, "a record is in a segment");
    return segment;
  }
}
