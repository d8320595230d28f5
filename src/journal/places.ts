/**
 * Where the newest record of each key is. There is one for every entry in memory, so it is kept in columns. A key takes
 * about 80 bytes, its slot in the map included; the key itself is shared with the entry. The collector has nothing to
 * look at.
 */

import { assert } from "../base/assert.ts";
import { PartedMap } from "../base/parted-map.ts";
import type { Version } from "../core/version.ts";

const firstSlots = 1024;
const growth = 1.5;

export class Places {
  readonly #slots = new PartedMap<number>();
  /** By slot. A free slot has no key. */
  #keys: (string | undefined)[] = [];
  #free: number[] = [];
  #segments = new Uint32Array(firstSlots);
  #bytes = new Uint32Array(firstSlots);
  #epochs = new Float64Array(firstSlots);
  #seqs = new Float64Array(firstSlots);

  get size(): number {
    return this.#slots.size;
  }

  /** How many slots there are so far, the free ones among them. */
  get end(): number {
    return this.#keys.length;
  }

  /** The slot of the key; undefined if it has none. */
  find(key: string): number | undefined {
    return this.#slots.get(key);
  }

  keyAt(slot: number): string | undefined {
    return this.#keys[slot];
  }

  /** Number of the segment with the record. */
  segmentAt(slot: number): number {
    return this.#segments[slot] as number;
  }

  /** Bytes of the record. */
  bytesAt(slot: number): number {
    return this.#bytes[slot] as number;
  }

  /** Negative when the record's version is older than this one, positive when it is newer, 0 when it's the same. */
  compareAt(slot: number, { epoch, seq }: Version): number {
    return (this.#epochs[slot] as number) - epoch || (this.#seqs[slot] as number) - seq;
  }

  /** From now on, this is the key's record. */
  set(key: string, version: Version, segment: number, bytes: number): void {
    assert(segment < 2 ** 32 && bytes < 2 ** 32, "segments and records are counted in 32 bits");
    const slot = this.#slots.get(key) ?? this.#take(key);
    this.#segments[slot] = segment;
    this.#bytes[slot] = bytes;
    this.#epochs[slot] = version.epoch;
    this.#seqs[slot] = version.seq;
  }

  remove(key: string, slot: number): void {
    assert(this.#keys[slot] === key, "a slot belongs to its key");
    this.#slots.delete(key);
    this.#keys[slot] = undefined;
    this.#segments[slot] = 0;
    this.#free.push(slot);
    assert(this.#slots.size + this.#free.length === this.#keys.length, "a slot has a key or is free");
    if (this.#slots.size === 0 && this.#segments.length > firstSlots) this.#reset();
  }

  #take(key: string): number {
    const slot = this.#free.pop() ?? this.#keys.length;
    assert(this.#keys[slot] === undefined, "a free slot has no key");
    if (slot === this.#segments.length) this.#grow();
    this.#keys[slot] = key;
    this.#slots.set(key, slot);
    return slot;
  }

  #grow(): void {
    const size = Math.ceil(this.#segments.length * growth);
    this.#segments = copied(new Uint32Array(size), this.#segments);
    this.#bytes = copied(new Uint32Array(size), this.#bytes);
    this.#epochs = copied(new Float64Array(size), this.#epochs);
    this.#seqs = copied(new Float64Array(size), this.#seqs);
  }

  /** Gives back the memory that very many keys needed. */
  #reset(): void {
    this.#keys = [];
    this.#free = [];
    this.#segments = new Uint32Array(firstSlots);
    this.#bytes = new Uint32Array(firstSlots);
    this.#epochs = new Float64Array(firstSlots);
    this.#seqs = new Float64Array(firstSlots);
  }
}

function copied<T extends Uint32Array | Float64Array>(larger: T, from: T): T {
  larger.set(from);
  return larger;
}
