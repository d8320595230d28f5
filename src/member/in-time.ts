/**
 * Answers in time: what a client or a peer asked for may go on for longer than anybody waits (a write is never given up), but who asked gets an
 * answer within the allowance.
 */

import type { Clock } from "../base/clock.ts";
import { Deadlines } from "../base/deadlines.ts";
import { OperatingError } from "../base/errors.ts";

export class InTime {
  readonly #deadlines: Deadlines;

  constructor(clock: Clock, allowanceMs: number) {
    this.#deadlines = new Deadlines(clock, allowanceMs);
  }

  /** What the work comes to; OperatingError `deadline_exceeded` when that takes longer than the allowance. */
  answer<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const item = {
        due: 0,
        expire: () =>
          reject(new OperatingError("deadline_exceeded", "it took too long; a write may still take effect")),
      };
      this.#deadlines.add(item);
      work.then(
        (value) => {
          this.#deadlines.remove(item);
          resolve(value);
        },
        (error: unknown) => {
          this.#deadlines.remove(item);
          reject(error as Error);
        },
      );
    });
  }

  stop(): void {
    this.#deadlines.stop();
  }
}
