/**
 * Has large work leave time to small requests. A stream whose sender is near, or a few of them, would take all of the
 * event loop: a request passes through several of its turns, and would wait for the streams in each.
 *
 * While requests are served, streams go on only when the loop was idle for a part of the time since they last had it.
 * So what they cause elsewhere counts, too: hashing, and threads that share the processor. Where nothing else is asked
 * for, streams have the whole loop.
 */

import { type Clock, type Instant, sleep } from "./clock.ts";

/** Tells how busy the event loop is. */
export interface LoopMeter {
  /** Begins to measure. Later calls of the result give the part of the time since then in which it was busy, 0 to 1. */
  begin(): () => number;
}

/** The part of the time that the loop may be busy while streams go on. */
const mostBusy = 0.6;

/** Requests are taken to be served for so long after the last one, in milliseconds. */
const recentMs = 50;

/** Milliseconds for which streams wait at most. So they never come to a stop, however busy the loop is. */
const longestMs = 20;

/** Milliseconds between two looks at the loop. */
const lookMs = 1;

export class SpareTime {
  readonly #clock: Clock;
  readonly #loop: LoopMeter;
  #servedAt: Instant = Number.NEGATIVE_INFINITY;
  #busySince: () => number;

  constructor(clock: Clock, loop: LoopMeter) {
    this.#clock = clock;
    this.#loop = loop;
    this.#busySince = loop.begin();
  }

  /** A small request was served at `at`, which is now: a client's, or a peer's. */
  served(at: Instant): void {
    this.#servedAt = at;
  }

  /** Resolves when streams may go on, for a moment. */
  async wait(): Promise<void> {
    const beganAt = this.#clock.now();
    for (let now = beganAt; now - beganAt < longestMs; now = this.#clock.now()) {
      if (now - this.#servedAt >= recentMs || this.#busySince() <= mostBusy) break;
      await sleep(this.#clock, lookMs);
    }
    this.#busySince = this.#loop.begin();
  }
}
