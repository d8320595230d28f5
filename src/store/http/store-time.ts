/**
 * What time it is by the store's clock. The store judges a signature's expiry by that clock. The host's wall clock may
 * be wrong by any amount. So the time of signing comes from the `Date` of the store's answers and from this process's
 * monotonic clock.
 *
 * An answer with `Date` D tells two things. Its front end's clock had passed D when the answer arrived: that is a lower
 * bound. It had not reached D and one second when the request was sent: that is an upper bound. The highest lower bound
 * comes close to the front end's clock and never passes it.
 *
 * A store may have several front ends, each with a clock of its own, and a proxy may stamp its own `Date`. A lower
 * bound over an upper bound proves that two of them differ. Then the earliest clock counts. A signature for a time too
 * early expires too early, and the caller tries again (F4). A signature for a time too late admits late requests.
 */

import { assert } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";

/**
 * How long a window of bounds lasts, in milliseconds. A bound counts in its window and in the next. The window is short
 * for two reasons. A store whose clock was set forward is believed soon. Clocks that drift apart by 100 ppm differ by
 * 2 ms only.
 */
const windowMs = 10_000;

/** A `Date` is cut to the second. */
const dateUnitMs = 1_000;

/** How far two front ends may differ before it is worth a warning, and the earliest alone counts. In milliseconds. */
const differenceMs = 1_000;

/**
 * After so long without an answer the store is asked for its time before anything is signed, in milliseconds. A clock
 * that is 100 ppm fast gains 6 ms in a minute, and 9 s in a day.
 */
const idleMs = 60_000;

/** How far the host's clock and the store's may differ before it is worth a warning, in milliseconds. */
const hostDifferenceMs = 5_000;

/** Bounds of (store's time) - (own instant), in milliseconds. */
interface Bounds {
  /** The highest lower bound. */
  readonly low: number;
  /** The lowest upper bound, and the lower bound that the same answer gave. */
  readonly high: number;
  readonly lowOfHigh: number;
}

export class StoreTime {
  readonly #clock: Clock;
  readonly #complaints: Complaints | undefined;
  /** Of this window and of the one before. */
  #bounds: Bounds | undefined;
  #earlier: Bounds | undefined;
  #windowStart: Instant = 0;
  #heardAt: Instant | undefined;
  /** The wall clock minus the monotonic one, at the last answer. */
  #wallOffsetMs = 0;
  #lastDate = "";
  #lastDateMs = 0;

  constructor(clock: Clock, complaints?: Complaints) {
    this.#clock = clock;
    this.#complaints = complaints;
  }

  /**
   * Takes the `Date` of an answer that has just arrived, to a request sent at `sentAt`. Returns it in milliseconds
   * since 1970, or undefined if there is none or it cannot be read.
   */
  learn(date: string | undefined, sentAt: Instant): number | undefined {
    if (date === undefined) return undefined;
    if (date !== this.#lastDate) {
      const ms = Date.parse(date);
      if (Number.isNaN(ms)) return undefined;
      this.#lastDate = date;
      this.#lastDateMs = ms;
    }
    const now = this.#clock.now();
    assert(now >= this.#windowStart && now >= sentAt, "the clock does not go back");
    // The bounds from before a pause say nothing: the monotonic clock may have stood still.
    const hasJumped = this.#hasJumped(now);
    if (hasJumped || now - this.#windowStart >= windowMs) {
      this.#earlier = hasJumped || now - this.#windowStart >= 2 * windowMs ? undefined : this.#bounds;
      this.#bounds = undefined;
      this.#windowStart = now;
    }
    this.#heardAt = now;
    this.#wallOffsetMs = this.#clock.wallMs() - now;
    const low = this.#lastDateMs - now;
    this.#bounds = merged(this.#bounds, { low, high: this.#lastDateMs + dateUnitMs - sentAt, lowOfHigh: low });
    if (this.#complaints !== undefined) this.#complain(this.#complaints);
    return this.#lastDateMs;
  }

  /**
   * The store's time at `instant`, milliseconds since 1970, rather too low than too high. Before any answer, the host's
   * time.
   */
  at(instant: Instant): number {
    if (this.#bounds === undefined) return this.#clock.wallMs() + (instant - this.#clock.now());
    const { low, high, lowOfHigh } = merged(this.#earlier, this.#bounds);
    // A server may put together its `Date` a little ahead of its answer. So a small difference costs little.
    return instant + (low - high > differenceMs ? lowOfHigh : Math.min(low, high));
  }

  /**
   * Whether what the last answer told is too old to sign for: long ago, or from before a pause. The store is to be
   * asked first. False before any answer.
   */
  get isIdle(): boolean {
    if (this.#heardAt === undefined) return false;
    const now = this.#clock.now();
    return now - this.#heardAt >= idleMs || this.#hasJumped(now);
  }

  /** Whether the wall clock has moved against the monotonic one: a pause of this host, or a clock that was set. */
  #hasJumped(now: Instant): boolean {
    return this.#heardAt !== undefined && Math.abs(this.#clock.wallMs() - now - this.#wallOffsetMs) > differenceMs;
  }

  /** Only of what the bounds prove. */
  #complain(complaints: Complaints): void {
    const { low, high } = merged(this.#earlier, this.#bounds as Bounds);
    if (low - high > differenceMs) {
      complaints.warn(
        "front ends",
        "the store's answers differ in their time of day; requests are signed for the earliest",
        { differenceMs: Math.round(low - high) },
      );
    }
    const [aheadMs, behindMs] = [this.#wallOffsetMs - high, low - this.#wallOffsetMs];
    if (aheadMs > hostDifferenceMs || behindMs > hostDifferenceMs) {
      complaints.warn("host", "this host's time of day and that of the store's answers differ", {
        hostAheadMs: Math.round(aheadMs > hostDifferenceMs ? aheadMs : -behindMs),
      });
    }
  }
}

function merged(a: Bounds | undefined, b: Bounds): Bounds {
  if (a === undefined) return b;
  const earliest = a.high < b.high ? a : b;
  return { low: Math.max(a.low, b.low), high: earliest.high, lowOfHigh: earliest.lowOfHigh };
}
