/**
 * Counts how often a measure fell into which range. These are plain numbers: adding to them takes some nanoseconds. The
 * code that exposes them knows their names and the exposition format.
 */

import { assert } from "./assert.ts";

/** Upper bounds, in seconds, for work that should take milliseconds: requests, replication, syncs. */
export const latencyBounds: readonly number[] = [
  0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Upper bounds, in seconds, for work that waits by design, and for as long as a store is away. */
export const delayBounds: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

/** Upper bounds, in bytes. */
export const sizeBounds: readonly number[] = [1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];

export class Histogram {
  /** Ascending; a value belongs to the first bound that it does not exceed. */
  readonly bounds: readonly number[];
  /** One count for each bound, and one for values beyond the last bound. */
  readonly counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    assert(
      bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] as number)),
      "bounds ascend",
    );
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  get sum(): number {
    return this.#sum;
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] as number)) index++;
    counts[index] = (counts[index] as number) + 1;
    this.#sum += value;
  }

  /** As {@link observe}, for a time in milliseconds; the bounds are seconds. */
  observeMs(ms: number): void {
    this.observe(ms / 1_000);
  }
}
