/**
 * What is yet to happen in a simulated world: events ordered by time, and those of one instant by the order in which
 * they were planned. A binary heap with the ties broken, because a run must be the same each time.
 */

import type { Timer } from "../../src/base/clock.ts";

export class Event implements Timer {
  readonly atMs: number;
  readonly sequence: number;
  #callback: (() => void) | undefined;

  constructor(atMs: number, sequence: number, callback: () => void) {
    this.atMs = atMs;
    this.sequence = sequence;
    this.#callback = callback;
  }

  /** Undefined once cancelled: the heap drops it when it comes up. */
  get callback(): (() => void) | undefined {
    return this.#callback;
  }

  cancel(): void {
    this.#callback = undefined;
  }
}

export class EventQueue {
  readonly #heap: Event[] = [];
  #sequence = 0;

  add(atMs: number, callback: () => void): Event {
    const event = new Event(atMs, this.nextNumber(), callback);
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (!before(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
    return event;
  }

  /** For something beside the queue that has its place among the events of one instant. */
  nextNumber(): number {
    return this.#sequence++;
  }

  /** Whether no event comes before what is due then, and was planned with this number. */
  isAfter(atMs: number, number: number): boolean {
    const nextMs = this.nextMs();
    return nextMs > atMs || (nextMs === atMs && (this.#heap[0] as Event).sequence > number);
  }

  /** When the next event is due; Infinity when there is none. */
  nextMs(): number {
    while (this.#heap[0] !== undefined && this.#heap[0].callback === undefined) this.#removeFirst();
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** The next event that was not cancelled. */
  take(): Event | undefined {
    this.nextMs();
    const first = this.#heap[0];
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && before(heap[child + 1] as Event, heap[child] as Event)) child++;
      const below = heap[child] as Event;
      if (!before(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
