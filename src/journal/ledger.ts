/**
 * What the segments of a journal are still good for: for each key that is held, the segment with its newest record. A segment without any is not needed, once
 * those before it are not either.
 *
 * The keys stand in the order of their records, because a key that gets a new record goes to the end; so those of the oldest segment come first. One key
 * takes about 110 bytes: its slot in the map and a place of four fields (the key itself is shared with the entry in memory).
 */

import { assert } from "../base/assert.ts";
import type { Version } from "../core/version.ts";

interface Segment {
  readonly number: number;
  /** Bytes of its groups without what heads repeat. */
  bytes: number;
  /** Keys whose newest record is in it. */
  live: number;
}

/** Where the newest record of a key is. */
interface Place extends Version {
  readonly segment: Segment;
  /** Of the record. */
  readonly bytes: number;
}

export class Ledger {
  readonly #places = new Map<string, Place>();
  /** Those that are needed, without a gap, and the newest. */
  readonly #segments: Segment[] = [];
  #bytes = 0;
  #liveBytes = 0;

  /** Keys with a record that counts. */
  get keys(): number {
    return this.#places.size;
  }

  /** Bytes in the segments that are needed. */
  get bytes(): number {
    return this.#bytes;
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

  /** A segment comes after those so far. */
  begin(number: number): void {
    assert(this.newest === 0 || number === this.newest + 1, "segments are numbered without a gap");
    this.#segments.push({ number, bytes: 0, live: 0 });
    this.#release();
  }

  /** The newest segment has grown. */
  grow(bytes: number): void {
    this.#newest().bytes += bytes;
    this.#bytes += bytes;
  }

  /** The newest segment has got a record of this version, which counts unless a newer one is known. */
  hold(key: string, version: Version, bytes: number): void {
    const before = this.#places.get(key);
    if (before !== undefined) {
      if (isOlder(version, before)) return;
      this.#remove(key, before);
    }
    const segment = this.#newest();
    this.#places.set(key, { epoch: version.epoch, seq: version.seq, segment, bytes });
    segment.live += 1;
    this.#liveBytes += bytes;
    this.#release();
  }

  /** Whether a record of this version or an older one counts. */
  isHeld(key: string, version: Version): boolean {
    const place = this.#places.get(key);
    return place !== undefined && !isOlder(version, place);
  }

  /** Whether the record that counts is newer than this version. */
  isNewer(key: string, version: Version): boolean {
    const place = this.#places.get(key);
    return place !== undefined && isOlder(version, place);
  }

  /** No record of the key counts any more. */
  drop(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#remove(key, place);
    this.#release();
  }

  /** The key whose record is the oldest, if that is not in the newest segment. */
  *oldKeys(): Generator<string> {
    for (const [key, place] of this.#places) {
      if (place.segment.number === this.newest) return;
      yield key;
    }
  }

  #remove(key: string, place: Place): void {
    this.#places.delete(key);
    place.segment.live -= 1;
    this.#liveBytes -= place.bytes;
  }

  #release(): void {
    while (this.#segments.length > 1 && this.#segments[0]?.live === 0) {
      this.#bytes -= this.#segments[0].bytes;
      this.#segments.shift();
    }
  }

  #newest(): Segment {
    const segment = this.#segments.at(-1);
    assert(segment !== undefined, "a record is in a segment");
    return segment;
  }
}

function isOlder(a: Version, b: Version): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.seq < b.seq);
}
