/**
 * Tenure: whether this member is the active primary of a key, and since when. Becoming primary by a new view is not
 * enough: what others hold has to arrive first. The view is then *activated*.
 *
 * A member that was active in the view it adopted just before keeps its tenure without a break. The exception are keys
 * of which a returned member may bring something newer.
 *
 * Nothing is stored per key: a tenure follows from the rings of the last views. Views whose start no longer matters are
 * forgotten.
 */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import type { Doubt } from "./doubt.ts";
import type { Ring } from "./ring.ts";

/** One adopted view. */
interface Term {
  readonly ring: Ring;
  readonly doubt: Doubt;
  /** From when keys that were gained with this term may be flushed. Undefined until the term is activated. */
  flushFrom: Instant | undefined;
  /**
   * Tells the keys that a returned member may hold in a newer state than was served without it. Tenure of those does
   * not last from the term before. Undefined if there are none.
   */
  readonly isAnew: ((key: string) => boolean) | undefined;
}

export class Tenure {
  readonly #self: string;
  /** Oldest first; never empty after the first adoption. */
  #terms: Term[] = [];

  constructor(self: string) {
    this.#self = self;
  }

  /**
   * Starts a term under `ring`, not yet activated. Keys in doubt have no primary in it. Tenure of keys that are
   * `isAnew` begins anew with it (V33, V34).
   */
  adopt(ring: Ring, doubt: Doubt, now: Instant, isAnew?: (key: string) => boolean): void {
    // Once a term's keys need not wait to be flushed, it no longer matters when their tenure began. Of the terms that
    // came before the first one that waits, only the last activated one is needed.
    const waiting = this.#terms.findIndex((term) => term.flushFrom !== undefined && term.flushFrom > now);
    const calm = waiting === -1 ? this.#terms : this.#terms.slice(0, waiting);
    const last = calm.findLastIndex((term) => term.flushFrom !== undefined);
    if (last > 0) this.#terms = this.#terms.slice(last);
    this.#terms.push({ ring, doubt, flushFrom: undefined, isAnew });
    assert(!this.activated, "a new term gives no tenure yet");
  }

  /**
   * All that others held has arrived. From now on this member serves every key whose primary it is under the newest
   * ring (V42).
   */
  activate(flushFrom: Instant): void {
    const term = this.#terms.at(-1);
    assert(term !== undefined && term.flushFrom === undefined, "a term is activated once");
    term.flushFrom = this.#gainsNone(term, this.#terms.at(-2)) ? Number.NEGATIVE_INFINITY : flushFrom;
    assert(this.activated, "an activated term says from when its keys may be flushed");
  }

  /**
   * Whether no key's tenure begins with the term: each key has the same primary as before, or this member was primary
   * of every key before.
   */
  #gainsNone({ ring, isAnew }: Term, before: Term | undefined): boolean {
    if (isAnew !== undefined || before?.flushFrom === undefined || before.doubt.any) return false;
    const { name, lists } = before.ring;
    return ring.name === name || (lists.length > 0 && lists.every(([primary]) => primary === this.#self));
  }

  get activated(): boolean {
    return this.#terms.at(-1)?.flushFrom !== undefined;
  }

  /** Whether this member gained keys, in this term or an earlier one, that may not be flushed yet. */
  waits(now: Instant): boolean {
    return this.#terms.some((term) => term.flushFrom !== undefined && term.flushFrom > now);
  }

  /** Whether this member serves `key`; `primary` is the key's first owner under the newest ring. */
  has(key: string, primary: string | undefined): boolean {
    if (primary !== this.#self) return false;
    const newest = this.#terms.at(-1);
    if (newest?.flushFrom !== undefined && !newest.doubt.any) return true;
    return this.flushFrom(key) !== undefined;
  }

  /**
   * From when this member may flush `key`: F after its tenure began, or at once when its predecessors are known to have
   * no request under way. Undefined without tenure (F5).
   */
  flushFrom(key: string): Instant | undefined {
    let from: Instant | undefined;
    for (let index = this.#terms.length - 1; index >= 0; index--) {
      const term = this.#terms[index] as Term;
      if (term.ring.ownersOf(key)[0] !== this.#self || term.doubt.has(key)) break;
      from = term.flushFrom ?? from;
      if (term.isAnew?.(key) === true) break;
    }
    return from;
  }
}
