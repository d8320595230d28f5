/** The outcomes of one router's writes, by counter. There may be a million after a start from a journal. */

import type { RequestOutcome } from "./message.ts";

/**
 * The counters of a block. What is finished goes in whole blocks: to delete a million outcomes one by one takes a
 * quarter of a second. And no Map gets so large that its growth takes long.
 */
const blockSize = 4_096;

export class OutcomeBlocks {
  /** By the number of the block, and in it by counter. */
  readonly #blocks = new Map<number, Map<number, RequestOutcome>>();

  get isEmpty(): boolean {
    return this.#blocks.size === 0;
  }

  get(counter: number): RequestOutcome | undefined {
    return this.#blocks.get(numberOf(counter))?.get(counter);
  }

  set(counter: number, outcome: RequestOutcome): void {
    const block = this.#blocks.get(numberOf(counter));
    if (block) block.set(counter, outcome);
    else this.#blocks.set(numberOf(counter), new Map([[counter, outcome]]));
  }

  delete(counter: number): void {
    const block = this.#blocks.get(numberOf(counter));
    block?.delete(counter);
    if (block?.size === 0) this.#blocks.delete(numberOf(counter));
  }

  /** Deletes all below this counter. */
  deleteBelow(counter: number): void {
    const last = numberOf(counter);
    for (const [number, block] of this.#blocks) {
      if (number > last) continue;
      if (number === last) for (const each of block.keys()) if (each < counter) block.delete(each);
      if (number < last || block.size === 0) this.#blocks.delete(number);
    }
  }

  /** All of them. They may come and go while it runs. */
  *values(): IterableIterator<RequestOutcome> {
    for (const block of this.#blocks.values()) yield* block.values();
  }
}

function numberOf(counter: number): number {
  return Math.floor(counter / blockSize);
}
