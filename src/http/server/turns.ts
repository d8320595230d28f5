/**
 * Work that takes some milliseconds at most, one piece in each turn of the event loop, however many requests have some.
 * What else has come has its turn in between: a node that answers no pings is taken for lost.
 *
 * Holders take their turns in rotation. So one with very many requests makes another wait for one of its pieces only.
 * Turns of large work wait for spare time as well.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { SpareTime } from "../../base/spare-time.ts";

/** One holder's. */
export interface OwnTurns {
  /** Resolves in a turn that nobody else has got. */
  next(): Promise<void>;
}

export class Turns {
  /** Who waits, by holder; the holder whose turn comes next is the first (a Map keeps the order). */
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #spare: Pick<SpareTime, "wait"> | undefined;
  #isRunning = false;

  constructor(spare?: Pick<SpareTime, "wait">) {
    this.#spare = spare;
  }

  /** Those of this holder. */
  of(holder: string): OwnTurns {
    return { next: () => this.#next(holder) };
  }

  #next(holder: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(holder);
      if (waiting) waiting.push(resolve);
      else this.#waiting.set(holder, [resolve]);
      if (this.#isRunning) return;
      this.#isRunning = true;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      await nextTurn();
      await this.#spare?.wait();
      this.#give();
    }
    this.#isRunning = false;
  }

  #give(): void {
    for (const [holder, waiting] of this.#waiting) {
      this.#waiting.delete(holder);
      const resolve = waiting.shift();
      if (waiting.length > 0) this.#waiting.set(holder, waiting);
      resolve?.();
      return;
    }
  }
}
