/**
 * Small pieces of work that come in bursts: pipelined requests, of which one read of a connection may bring thousands.
 * They take a few milliseconds of a turn of the event loop together. What else has come has its turn in between: a node
 * that answers no pings is taken for lost.
 */

import { setImmediate } from "node:timers";
import type { Clock } from "../../base/clock.ts";

/** Milliseconds of a turn for all of them. The piece that is under way then is ended. */
const turnMs = 5;

export class Pieces {
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs it in a later turn, after those that came before. */
  add(piece: () => void): void {
    this.#waiting.push(piece);
    if (this.#waiting.length === 1) setImmediate(() => this.#run());
  }

  #run(): void {
    const endsAt = this.#clock.now() + turnMs;
    let count = 0;
    for (const piece of this.#waiting) {
      count++;
      piece();
      if (this.#clock.now() >= endsAt) break;
    }
    this.#waiting = this.#waiting.slice(count);
    if (this.#waiting.length > 0) setImmediate(() => this.#run());
  }
}
