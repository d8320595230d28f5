/**
 * One string for all texts that are equal. Each text that comes over a link is a string of its own, so a name that is
 * kept with very many entries would take memory with each of them.
 */

import { assert } from "./assert.ts";

export class Interned {
  readonly #texts = new Map<string, string>();
  readonly #limit: number;

  /** @param limit - how many texts are kept for that: one more, and it begins anew */
  constructor(limit: number) {
    assert(limit > 0, "some texts are kept");
    this.#limit = limit;
  }

  get size(): number {
    return this.#texts.size;
  }

  of(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= this.#limit) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }
}
