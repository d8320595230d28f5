/**
 * What time the store has. A signature's expiry is judged by the store's clock, and the host's wall clock may be wrong by any
 * amount, so the time of signing is derived from the `Date` of the store's own answers and this process' monotonic clock.
 *
 * An answer with `Date` D proves that the store's clock had passed D when the answer arrived. That is a lower bound, as much as a second
 * and the answer's way too low; the highest of the recent bounds is the best. Too low is the safe side: what is signed for too early a
 * time expires too early, and the caller tries again.
 */

import type { Clock, Instant } from "../../base/clock.ts";

/**
 * How long a bound counts, in milliseconds, once or twice: short, so that a store whose clock was set back is believed soon, and that
 * two clocks which drift apart by 100 ppm differ by 2 ms.
 */
const windowMs = 10_000;

export class StoreTime {
  readonly #clock: Clock;
  /** Highest of (the store's time) - (own instant) in this window and in the one before. */
  #offsetMs: number | undefined;
  #earlierOffsetMs: number | undefined;
  #windowStart: Instant = 0;
  #lastDate = "";
  #lastDateMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes the `Date` of an answer that has just arrived, and returns it in milliseconds since 1970; undefined if there is none or it
   * can't be read.
   */
  learn(date: string | undefined): number | undefined {
    if (date === undefined) return undefined;
    if (date !== this.#lastDate) {
      const ms = Date.parse(date);
      if (Number.isNaN(ms)) return undefined;
      this.#lastDate = date;
      this.#lastDateMs = ms;
    }
    const now = this.#clock.now();
    if (now - this.#windowStart >= windowMs) {
      this.#earlierOffsetMs = this.#offsetMs;
      this.#offsetMs = undefined;
      this.#windowStart = now;
    }
    this.#offsetMs = Math.max(this.#offsetMs ?? Number.NEGATIVE_INFINITY, this.#lastDateMs - now);
    return this.#lastDateMs;
  }

  /** The store's time at `instant`, milliseconds since 1970, rather too low than too high; the host's, before any answer. */
  at(instant: Instant): number {
    if (this.#offsetMs === undefined) return this.#clock.wallMs() + (instant - this.#clock.now());
    return instant + Math.max(this.#offsetMs, this.#earlierOffsetMs ?? Number.NEGATIVE_INFINITY);
  }
}
