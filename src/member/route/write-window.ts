/**
 * The writes of a router from the oldest one under way to the newest. All owners keep their outcomes (W11), so there is
 * a bound on them. One slow write is enough for the window to grow, and then all writes are in it, whoever makes them.
 * So each holder has a share of it: one that makes very many of them is refused before another one is.
 *
 * The window is small but for trouble. Nothing is counted before an eighth of it is full.
 */

import { assert } from "../../base/assert.ts";

/** Part of the window that nobody is counted for. */
const freePart = 1 / 8;
/** A holder may have so many times what is left. */
const timesFree = 4;

export class WriteWindow {
  readonly #capacity: number;
  /** Whose the writes are that are counted: of consecutive counters, the first of which is `#from`. */
  #holders: string[] = [];
  #from = 0;
  /** So many of them at the front are not in the window any more. */
  #gone = 0;
  readonly #counts = new Map<string, number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * Whether the holder may make this write. Then it is in the window.
   * @param counter - the write's, one more than that of the last write that was let in
   * @param watermark - the counter of the oldest one under way
   */
  lets(holder: string, counter: number, watermark: number): boolean {
    const size = counter - watermark;
    if (size < this.#capacity * freePart) {
      if (this.#holders.length > 0) this.#clear();
      return true;
    }
    this.#forget(watermark);
    const free = this.#capacity - size;
    const count = this.#counts.get(holder) ?? 0;
    if (free <= 0 || count >= timesFree * free) return false;
    if (this.#holders.length === 0) this.#from = counter;
    assert(counter === this.#from + this.#holders.length, "writes are let in in the order of their counters");
    this.#holders.push(holder);
    this.#counts.set(holder, count + 1);
    return true;
  }

  /** Writes below the watermark are in the window no more. */
  #forget(watermark: number): void {
    const end = Math.min(watermark - this.#from, this.#holders.length);
    for (; this.#gone < end; this.#gone++) {
      const holder = this.#holders[this.#gone] as string;
      const left = (this.#counts.get(holder) as number) - 1;
      if (left > 0) this.#counts.set(holder, left);
      else this.#counts.delete(holder);
    }
    if (this.#gone < this.#holders.length / 2) return;
    this.#holders = this.#holders.slice(this.#gone);
    this.#from += this.#gone;
    this.#gone = 0;
  }

  #clear(): void {
    this.#holders = [];
    this.#gone = 0;
    this.#counts.clear();
  }
}
