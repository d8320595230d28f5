/**
 * A list that may have very many items. An array that is full moves all its items at once: at a million that takes some
 * 10 ms, in which the event loop stands still. Here the items are in parts, and what a part has is never moved.
 */

import { assert } from "./assert.ts";

/** Items in a part, as a power of two: a new part takes some microseconds. */
const partBits = 12;
const partSize = 1 << partBits;

/** What those who read a list need. A short array is such a list, too. */
export type Items<Item> = Iterable<Item> & Pick<PartedList<Item>, "length">;

export class PartedList<Item> implements Iterable<Item> {
  readonly #parts: Item[][] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  at(index: number): Item | undefined {
    return this.#parts[index >>> partBits]?.[index & (partSize - 1)];
  }

  /** Puts an item in the place of another one. */
  set(index: number, item: Item): void {
    assert(index >= 0 && index < this.#length, "an item takes the place of another one");
    (this.#parts[index >>> partBits] as Item[])[index & (partSize - 1)] = item;
  }

  push(item: Item): void {
    const index = this.#length++;
    let part = this.#parts[index >>> partBits];
    if (part === undefined) {
      part = [];
      this.#parts.push(part);
    }
    part.push(item);
  }

  /** Takes out the last item. Undefined of an empty list. */
  pop(): Item | undefined {
    const part = this.#parts.at(-1);
    if (part === undefined) return undefined;
    this.#length--;
    const item = part.pop();
    if (part.length === 0) this.#parts.pop();
    return item;
  }

  /** The items from `start` to before `end`, or to the last one. */
  slice(start: number, end: number): Item[] {
    const items: Item[] = [];
    for (let index = start; index < Math.min(end, this.#length); index++) items.push(this.at(index) as Item);
    return items;
  }

  /** All items in their order. Others may be added while it runs: it comes to them, too. */
  *[Symbol.iterator](): IterableIterator<Item> {
    for (const part of this.#parts) yield* part;
  }
}
