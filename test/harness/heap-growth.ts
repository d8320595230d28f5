/**
 * How much memory one step takes at most. An array or a map that moves all that it has shows in it, however fast the
 * machine is: a million items have 8 MB. A look may see half a megabyte that came earlier.
 */

import { getHeapStatistics } from "node:v8";

export class HeapGrowth {
  /** Bytes that the heap grew by between two looks, at most. A collection in between hides some. */
  largest = 0;
  #last = used();

  look(): void {
    const now = used();
    this.largest = Math.max(this.largest, now - this.#last);
    this.#last = now;
  }
}

function used(): number {
  return getHeapStatistics().used_heap_size;
}
