/**
 * Seeded chance. One seed must give one world for ever, whatever the runtime, so the generator is written out here:
 * sfc32 (Chris Doty-Humphrey's "small fast counting" generator of PractRand, 128 bits of state, period at least 2^32
 * words), seeded through splitmix32. Each part of a world draws from a stream of its own (`fork`), so that one more
 * draw in one part doesn't change the luck of all others.
 */

import { assert } from "../../src/base/assert.ts";
import type { Random } from "../../src/base/random.ts";

/**
 * Words thrown away after seeding, as its author advises: by then every bit of the seed has reached every bit of the
 * state.
 */
const warmUpWords = 12;

export class SimRandom implements Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** Any whole number from 0 to 2^32 - 1. */
  constructor(seed: number) {
    assert(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32, "a seed has 32 bits");
    this.#seed = seed;
    const word = splitmix32(seed);
    this.#a = word();
    this.#b = word();
    this.#c = word();
    for (let i = 0; i < warmUpWords; i++) this.word();
  }

  /** The next 32 bits, as an unsigned number. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  next(): number {
    return this.word() / 2 ** 32;
  }

  id(): string {
    let text = "";
    for (let i = 0; i < 4; i++) text += this.word().toString(16).padStart(8, "0");
    return text;
  }

  /** A generator that depends on this one's seed and on `label` only, not on what was drawn before. */
  fork(label: string): SimRandom {
    let hash = this.#seed ^ 0x9e3779b9;
    for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
    return new SimRandom((hash ^ (hash >>> 15)) >>> 0);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  /** Exponentially distributed around `mean`: mostly short, now and then long, as latencies are. */
  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean;
  }

  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, "there is something to pick from");
    return items[Math.floor(this.next() * items.length)] as T;
  }

  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.whole(0, i);
      [result[i], result[j]] = [result[j] as T, result[i] as T];
    }
    return result;
  }
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let word = state ^ (state >>> 16);
    word = Math.imul(word, 0x21f0aaad);
    word ^= word >>> 15;
    word = Math.imul(word, 0x735a2d97);
    return word ^ (word >>> 15);
  };
}
