/**
 * One timer for an owner that has many things to do later. It rings at the earliest of the instants it was set to; the
 * owner then finds out itself what is due.
 */

import type { Clock, Instant, Timer } from "./clock.ts";

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #set: { readonly at: Instant; readonly timer: Timer } | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at `at`, unless it is already set to an earlier instant. */
  set(at: Instant): void {
    if (this.#set) {
      if (this.#set.at <= at) return;
      this.#set.timer.cancel();
    }
    const timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
      this.#set = undefined;
      this.#ring();
    });
    this.#set = { at, timer };
  }

  stop(): void {
    this.#set?.timer.cancel();
    this.#set = undefined;
  }
}
