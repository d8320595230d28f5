/**
 * A list in the order of addition, from which any item goes in a moment. The links are in the items, so it needs no
 * memory of its own.
 *
 * It is for items that come and go by the thousand. A Set would do, but its outgrown tables, once they are old, keep
 * what was in them until the next full collection, and all that those items refer to. With one Set of requests, each
 * PUT left 1.7 KB more for the collector to move.
 */

import { assert } from "./assert.ts";

/** What an item of one list has for it. Both are undefined while the item is in none. */
export interface Linked<T> {
  before: T | undefined;
  after: T | undefined;
}

export class LinkedList<T extends Linked<T>> {
  #first: T | undefined;
  #last: T | undefined;

  /** What has been in it longest. */
  get first(): T | undefined {
    return this.#first;
  }

  has(item: T): boolean {
    return item === this.#first || item.before !== undefined;
  }

  /** Adds an item, which is in no list, at the end. */
  add(item: T): void {
    assert(!this.has(item) && item.after === undefined, "an item is in one list, once");
    item.before = this.#last;
    if (this.#last) this.#last.after = item;
    else this.#first = item;
    this.#last = item;
  }

  /** Removes an item of this list. @returns whether it was there */
  remove(item: T): boolean {
    if (!this.has(item)) return false;
    const { before, after } = item;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    item.before = undefined;
    item.after = undefined;
    return true;
  }

  /** The first first. Nothing may be removed meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let item = this.#first; item; item = item.after) yield item;
  }

  clear(): void {
    while (this.#first) this.remove(this.#first);
  }
}
