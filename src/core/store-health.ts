/** How the store treats this member: since when it has failed every flush, or whether it has taken one lately. */

import type { Instant } from "../base/clock.ts";

/** A flush that went well says for so long that the store works, in milliseconds. */
const latelyMs = 10_000;

export class StoreHealth {
  #workedAt: Instant = Number.NEGATIVE_INFINITY;
  #failingSince: Instant | undefined;

  /** When the last flush went well. */
  get workedAt(): Instant {
    return this.#workedAt;
  }

  worked(now: Instant): void {
    this.#workedAt = now;
    this.#failingSince = undefined;
  }

  failed(now: Instant): void {
    this.#failingSince ??= now;
  }

  /** What has failed is nobody's here any more, or the store has proved to be well otherwise: how it treats the next flush is to be seen. */
  forgive(): void {
    this.#failingSince = undefined;
  }

  /** For how long every flush has failed, in milliseconds; 0 when the last one went well. */
  failingMs(now: Instant): number {
    return this.#failingSince === undefined ? 0 : now - this.#failingSince;
  }

  /** Whether the last flush went well, not long ago. */
  works(now: Instant): boolean {
    return this.#failingSince === undefined && now - this.#workedAt < latelyMs;
  }
}
