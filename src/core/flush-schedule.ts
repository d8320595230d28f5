/**
 * What a schedule of flushes is made of. `DueQueue`: keys by due time, a binary heap. `Pace`: how many requests may be
 * under way (additive increase, multiplicative decrease). `backoffMs`: how long a failed key pauses (exponential, with
 * jitter).
 */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import { PartedList } from "../base/parted-list.ts";

export interface Due<T> {
  readonly item: T;
  readonly at: Instant;
}

/** Up to this many items are never swept. */
const fewItems = 16;
/** More than these are not swept at once: that would be too long for one turn of the event loop. */
const manyItems = 4_096;
/** Of many items each addition sweeps so many. So they are swept long before as many have been added. */
const sweptByAddition = 4;

export class DueQueue<T> {
  #heap = new DueHeap<T>();
  /** What is yet to be swept of many items: what is current of it moves to `#heap`. */
  #unswept = new DueHeap<T>();
  readonly #isCurrent: (due: Due<T>) => boolean;
  #sweepAt = fewItems;

  /**
   * @param isCurrent - whether this is still the item's place. An item may be added again, to be due sooner: then its
   *   older place stays until a sweep
   */
  constructor(isCurrent: (due: Due<T>) => boolean) {
    this.#isCurrent = isCurrent;
  }

  get size(): number {
    return this.#heap.size + this.#unswept.size;
  }

  /** When the first item is due; undefined when there is none. */
  get nextAt(): Instant | undefined {
    return this.#first.first?.at;
  }

  add(item: T, at: Instant): void {
    this.#sweepSome();
    if (this.#heap.size >= this.#sweepAt) this.#sweep();
    this.#heap.insert({ item, at });
  }

  /** Takes out what was due first. */
  take(): Due<T> {
    return this.#first.take();
  }

  /** The heap with what is due first. */
  get #first(): DueHeap<T> {
    const [one, other] = [this.#heap.first, this.#unswept.first];
    return other !== undefined && (one === undefined || other.at < one.at) ? this.#unswept : this.#heap;
  }

  /** Each sweep is paid for by as many additions as it leaves items. */
  #sweep(): void {
    const before = this.#heap;
    this.#heap = new DueHeap();
    if (before.size > manyItems) {
      assert(this.#unswept.size === 0, "many items are swept before as many have been added");
      this.#unswept = before;
      this.#sweepAt = 2 * before.size;
      return;
    }
    for (const due of before.all) if (this.#isCurrent(due)) this.#heap.insert(due);
    this.#sweepAt = Math.max(fewItems, 2 * this.#heap.size);
  }

  #sweepSome(): void {
    for (let count = 0; count < sweptByAddition && this.#unswept.size > 0; count++) {
      const due = this.#unswept.takeLast();
      if (this.#isCurrent(due)) this.#heap.insert(due);
      if (this.#unswept.size === 0) this.#sweepAt = Math.max(fewItems, 2 * this.#heap.size);
    }
  }
}

/** A binary heap: the parent of i is (i - 1) >> 1 and not due later. */
class DueHeap<T> {
  readonly #heap = new PartedList<Due<T>>();

  get size(): number {
    return this.#heap.length;
  }

  /** What is due first. */
  get first(): Due<T> | undefined {
    return this.#heap.at(0);
  }

  /** All, in no order. */
  get all(): Iterable<Due<T>> {
    return this.#heap;
  }

  insert(due: Due<T>): void {
    const heap = this.#heap;
    const { at } = due;
    let index = heap.length;
    heap.push(due);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap.at(parent) as Due<T>;
      if (above.at <= at) break;
      heap.set(index, above);
      index = parent;
    }
    heap.set(index, due);
  }

  /** Takes out one that no other comes after in the heap. */
  takeLast(): Due<T> {
    const last = this.#heap.pop();
    assert(last !== undefined, "an empty queue has nothing to take");
    return last;
  }

  /** Takes out what is due first. */
  take(): Due<T> {
    const heap = this.#heap;
    const first = heap.at(0);
    const last = heap.pop();
    assert(first !== undefined && last !== undefined, "an empty queue has nothing to take");
    const size = heap.length;
    if (size > 0) {
      let index = 0;
      for (;;) {
        let child = 2 * index + 1;
        if (child >= size) break;
        if (child + 1 < size && (heap.at(child + 1) as Due<T>).at < (heap.at(child) as Due<T>).at) child++;
        const below = heap.at(child) as Due<T>;
        if (below.at >= last.at) break;
        heap.set(index, below);
        index = child;
      }
      heap.set(index, last);
    }
    return first;
  }
}

export interface PaceSettings {
  /** Requests under way at once: to begin with, and at most. */
  readonly initialConcurrency: number;
  readonly maxConcurrency: number;
}

/**
 * How many requests may be under way: one more for each round that succeeds, half as many when the store asks for
 * fewer.
 */
export class Pace {
  readonly #settings: PaceSettings;
  #limit: number;
  /**
   * Requests that were under way when the limit was halved. Their failures tell of the same overload, and do not count.
   */
  #forgiven = 0;

  constructor(settings: PaceSettings) {
    this.#settings = settings;
    this.#limit = settings.initialConcurrency;
  }

  get concurrency(): number {
    return Math.floor(this.#limit);
  }

  succeeded(): void {
    if (this.#forgiven > 0) this.#forgiven--;
    this.#limit = Math.min(this.#settings.maxConcurrency, this.#limit + 1 / this.#limit);
  }

  /** A request failed for another reason than too many of them. */
  failed(): void {
    if (this.#forgiven > 0) this.#forgiven--;
  }

  throttled(underWay: number): void {
    if (this.#forgiven > 0) {
      this.#forgiven--;
      return;
    }
    this.#forgiven = underWay;
    this.#limit = Math.max(1, this.#limit / 2);
  }
}

export interface BackoffSettings {
  /** Pause after the first failure, and the longest pause, in milliseconds. */
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * The pause before attempt `failures + 1`: doubling from the least to the most, and a random part of up to half taken
 * off.
 */
export function backoffMs(settings: BackoffSettings, failures: number, chance: number): number {
  assert(failures >= 1, "a pause follows a failure");
  const full = Math.min(settings.maxMs, settings.minMs * 2 ** Math.min(failures - 1, 30));
  return full * (1 - chance / 2);
}
