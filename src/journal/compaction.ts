/**
 * Frees the disk of records that do not count any more. It writes the entries of the oldest segment once more, into the
 * newest. Then the oldest can be deleted (J10).
 *
 * Each group takes some of them, at a rate that outruns what is appended. So the disk is freed however fast the owner
 * writes, and no group is much longer for it.
 */

import { assert } from "../base/assert.ts";
import type { Batch } from "./batch.ts";
import type { JournalSource } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import type { SegmentHead } from "./segment-head.ts";

export interface SegmentLimits {
  /** A segment is sealed at this many bytes, not counting its head. One with a large head is longer. */
  readonly segmentBytes: number;
  /** The owner holds at most this many bytes of records. The disk then takes at most twice as much and two segments. */
  readonly liveLimitBytes: number;
}

/** A segment is at least so many times longer than its head. So heads are a fifth of the disk at most (J10). */
const headFactor = 4;
/** Compaction begins when the segments take more than one segment and this many times what counts. */
const wasteFactor = 1.5;
/** It writes this many times what is appended: it must outrun that. */
const appendFactor = 2;
/** A group of nothing else takes at least so much: a part of a segment, and a number of bytes. */
const groupPart = 1 / 128;
const minGroupBytes = 4 * 1024;
/** In one turn of the event loop it looks at this many keys at most: entries may be very small. */
const keysAtOnce = 1_000;

export class Compaction {
  readonly #ledger: Ledger;
  readonly #head: SegmentHead;
  readonly #limits: SegmentLimits;
  /** So many bytes are yet to be written for what was appended. Below zero: more than that was written. */
  #owedBytes = 0;

  /** @param head - of the newest segment */
  constructor(ledger: Ledger, head: SegmentHead, limits: SegmentLimits) {
    this.#ledger = ledger;
    this.#head = head;
    this.#limits = limits;
  }

  /** The newest segment is sealed at this many bytes, not counting its head. */
  get segmentBytes(): number {
    return Math.max(this.#limits.segmentBytes, headFactor * this.#head.bytes);
  }

  /** Whether so much of the disk is wasted that compaction deserves a group of its own. */
  get isDue(): boolean {
    const { bytes, liveBytes, oldest, newest } = this.#ledger;
    return oldest < newest && bytes > liveBytes * wasteFactor + this.segmentBytes;
  }

  /** Whether the group that fills has yet to take some of it. */
  get isOwed(): boolean {
    return this.#owedBytes > 0;
  }

  /** So many bytes were appended. */
  oweFor(appendedBytes: number): void {
    assert(appendedBytes > 0, "what is appended has bytes");
    this.#owedBytes += appendFactor * appendedBytes;
  }

  /** A group of nothing else begins. */
  oweGroup(): void {
    this.#owedBytes = Math.max(this.#owedBytes, this.#limits.segmentBytes * groupPart, minGroupBytes);
  }

  /** Writes what is owed, as much as one turn should. */
  write(batch: Batch, source: JournalSource): void {
    for (let keys = 0; this.#owedBytes > 0 && keys < keysAtOnce; keys++) {
      // The owner lets some entries go without a word. They count as held until the journal asks for them.
      const key = this.isDue || this.#isOverLimit ? this.#ledger.oldKey() : undefined;
      if (key === undefined) {
        this.#owedBytes = 0;
        return;
      }
      const entry = source.newest(key);
      if (entry === undefined) {
        this.#ledger.drop(key);
        continue;
      }
      assert(!this.#ledger.isNewer(key, entry), "who writes the journal holds what it has appended");
      const bytes = batch.add({ kind: "entry", entry });
      this.#ledger.hold(key, entry, bytes);
      this.#owedBytes -= bytes;
    }
  }

  /** Whether the disk holds more than it should, whatever counts of it. */
  get #isOverLimit(): boolean {
    return this.#ledger.bytes > this.#limits.liveLimitBytes * wasteFactor + this.segmentBytes;
  }
}
