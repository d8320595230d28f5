/**
 * Answers in time. What a client or a peer asked for may go on for longer than anybody waits: a write is never given
 * up. But the asker gets an answer within the allowance.
 */

import type { Clock } from "../../base/clock.ts";
import { Deadlines, type Expiring } from "../../base/deadlines.ts";
import { OperatingError } from "../../base/errors.ts";

/** An allowance that has been used up by no more than this, in milliseconds, is taken for a whole one. */
const slackMs = 20;

export class OperationDeadlines {
  readonly #clock: Clock;
  readonly #allowanceMs: number;
  readonly #deadlines: Deadlines;

  constructor(clock: Clock, allowanceMs: number) {
    this.#clock = clock;
    this.#allowanceMs = allowanceMs;
    this.#deadlines = new Deadlines(clock, allowanceMs);
  }

  /**
   * Resolves or rejects as the work does; rejects with OperatingError `deadline_exceeded` when that takes longer than
   * `ms`. The whole allowance is the usual case, and costs no timer of its own.
   */
  within<T>(work: Promise<T>, ms: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.#expireAfter(ms, () =>
        reject(new OperatingError("deadline_exceeded", "it took too long; a write may still take effect")),
      );
      work.then(
        (value) => {
          stop();
          resolve(value);
        },
        (error: unknown) => {
          stop();
          reject(error as Error);
        },
      );
    });
  }

  stop(): void {
    this.#deadlines.stop();
  }

  #expireAfter(ms: number, expire: () => void): () => void {
    if (ms < this.#allowanceMs - slackMs || ms > this.#allowanceMs) {
      const timer = this.#clock.after(ms, expire);
      return () => timer.cancel();
    }
    const item: Expiring = { due: 0, before: undefined, after: undefined, expire };
    this.#deadlines.add(item);
    return () => this.#deadlines.remove(item);
  }
}
