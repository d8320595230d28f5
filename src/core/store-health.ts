/** How the store treats this member: since when it has failed every flush, or whether it has taken one lately. */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";

/** For so long after a flush that went well, the store counts as working, in milliseconds. */
const latelyMs = 10_000;

export class StoreHealth {
  #workedAt: Instant = Number.NEGATIVE_INFINITY;
  #failingSince: Instant | undefined;

  /** When the last flush that went well did so. */
  get workedAt(): Instant {
    return this.#workedAt;
  }

  worked(now: Instant): void {
    assert(now >= this.#workedAt, "flushes are reported in order of time");
    this.#workedAt = now;
    this.#failingSince = undefined;
  }

  failed(now: Instant): void {
    assert(now >= this.#workedAt, "flushes are reported in order of time");
    this.#failingSince ??= now;
  }

  /**
   * This member has nothing left that failed, or the store has proved to be well otherwise. The next flush will show
   * how the store treats it.
   */
  forgive(): void {
    this.#failingSince = undefined;
  }

  /** For how long every flush has failed, in milliseconds; 0 when the last one went well (V31). */
  failingMs(now: Instant): number {
    return this.#failingSince === undefined ? 0 : now - this.#failingSince;
  }

  /** Whether the last flush went well, not long ago. */
  works(now: Instant): boolean {
    return this.#failingSince === undefined && now - this.#workedAt < latelyMs;
  }
}
