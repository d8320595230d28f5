/**
 * Work that takes some milliseconds at most, one piece in each turn of the event loop, however many requests have some.
 * What else has come has its turn in between: a node that answers no pings is taken for lost.
 */

import { setImmediate as nextTurn } from "node:timers/promises";

export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Resolves in a turn that nobody else has got. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => nextTurn());
    return this.#last;
  }
}
