/**
 * The clock port under a test's own hand: time stands still until the test moves it on, and what falls due meanwhile
 * runs in order of time. For one part by itself; a cluster runs under the simulated world.
 */

import { assert } from "../../src/base/assert.ts";
import type { Clock, Instant, Timer } from "../../src/base/clock.ts";
import { EventQueue } from "../simulation/event-queue.ts";

/** The wall clock's date at the start; far from the monotonic clock's 0, so that one taken for the other shows. */
const startWallMs = Date.UTC(2030, 0, 1);

export class ManualClock implements Clock {
  readonly #queue = new EventQueue();
  #now: Instant = 0;

  /** Whether no timer is set. */
  get idle(): boolean {
    return this.#queue.nextMs() === Number.POSITIVE_INFINITY;
  }

  now(): Instant {
    return this.#now;
  }

  wallMs(): number {
    return startWallMs + this.#now;
  }

  after(ms: number, callback: () => void): Timer {
    return this.#queue.add(this.#now + Math.max(0, ms), callback);
  }

  /** Lets `ms` pass. */
  advance(ms: number): void {
    assert(ms >= 0, "time only goes on");
    const end = this.#now + ms;
    while (this.#queue.nextMs() <= end) {
      const event = this.#queue.take();
      assert(event?.callback !== undefined, "what is next is neither gone nor cancelled");
      this.#now = event.atMs;
      event.callback();
    }
    this.#now = end;
  }
}
