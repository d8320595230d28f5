/**
 * What time it is by the store's clock. The store judges a signature's expiry by that clock. The host's wall clock may
 * be wrong by any amount. So the time of signing comes from the `Date` of the store's answers and from this process's
 * monotonic clock.
 *
 * An answer with `Date` D proves that the store's clock had passed D when the answer arrived. So D is a lower bound. It
 * is too low by up to a second, plus the time that the answer took. The highest of the recent bounds is the best.
 *
 * Too low is the safe side. A signature for too early a time expires too early, and the caller tries again (F4).
 */

import { assert } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";

/**
 * How long a window of bounds lasts, in milliseconds. A bound counts in its window and in the next. The window is short
 * for two reasons. A store whose clock was set back is believed soon. Clocks that drift apart by 100 ppm differ by 2 ms
 * only.
 */
const windowMs = 10_000;

export class StoreTime {
  readonly #clock: Clock;
  /** The highest of (store's time) - (own instant), in this window and in the one before. */
  #offsetMs: number | undefined;
  #earlierOffsetMs: number | undefined;
  #windowStart: Instant = 0;
  #lastDate = "";
  #lastDateMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes the `Date` of an answer that has just arrived. Returns it in milliseconds since 1970, or undefined if there
   * is none or it cannot be read.
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
    assert(now >= this.#windowStart, "the clock does not go back");
    if (now - this.#windowStart >= windowMs) {
      this.#earlierOffsetMs = this.#offsetMs;
      this.#offsetMs = undefined;
      this.#windowStart = now;
    }
    this.#offsetMs = Math.max(this.#offsetMs ?? Number.NEGATIVE_INFINITY, this.#lastDateMs - now);
    return this.#lastDateMs;
  }

  /**
   * The store's time at `instant`, milliseconds since 1970, rather too low than too high. Before any answer, the host's
   * time.
   */
  at(instant: Instant): number {
    if (this.#offsetMs === undefined) return this.#clock.wallMs() + (instant - this.#clock.now());
    return instant + Math.max(this.#offsetMs, this.#earlierOffsetMs ?? Number.NEGATIVE_INFINITY);
  }
}
