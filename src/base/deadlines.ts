/**
 * Many deadlines with the same allowance, for the price of one timer. A timer for each request would cost more than the
 * rest of reading its body. Items fall due in the order in which they were added, so looking at the oldest is enough.
 */

import { assert } from "./assert.ts";
import type { Clock, Instant, Timer } from "./clock.ts";
import { type Linked, LinkedList } from "./linked-list.ts";

export interface Expiring extends Linked<Expiring> {
  /** Set by {@link Deadlines.add}. */
  due: Instant;
  /** Called once, when the item falls due. Not called after {@link Deadlines.remove}. */
  expire(): void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #allowanceMs: number;
  readonly #items = new LinkedList<Expiring>();
  #timer: Timer | undefined;

  constructor(clock: Clock, allowanceMs: number) {
    assert(allowanceMs > 0, "an allowance of time is more than nothing");
    this.#clock = clock;
    this.#allowanceMs = allowanceMs;
  }

  add(item: Expiring): void {
    item.due = this.#clock.now() + this.#allowanceMs;
    this.#items.add(item);
    // When the last item goes, an armed timer stays: letting it find nothing costs less than cancelling it.
    this.#timer ??= this.#clock.after(this.#allowanceMs, this.#sweep);
  }

  remove(item: Expiring): void {
    this.#items.remove(item);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#items.clear();
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (let item = this.#items.first; item; item = this.#items.first) {
      if (item.due > now) {
        this.#timer ??= this.#clock.after(item.due - now, this.#sweep);
        return;
      }
      this.#items.remove(item);
      item.expire();
    }
  };
}
