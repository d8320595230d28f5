/**
 * Where the newest record of each key is. There is one for every entry in memory, so it is kept in columns. A key takes
 * about 75 bytes, its slot in the map included; the key itself is shared with the entry. The collector has nothing to
 * look at.
 */

import { assert } from "../base/assert.ts";
import { PartedList } from "../base/parted-list.ts";
import { PartedMap } from "../base/parted-map.ts";
import type { Version } from "../core/version.ts";

/** Numbers in a chunk of a column, as a power of two: a new chunk takes some microseconds. */
const chunkBits = 12;
const chunkSize = 1 << chunkBits;

export class Places {
  readonly #slots = new PartedMap<number>();
  /** By slot. A free slot has no key. */
  #keys = new PartedList<string | undefined>();
  /** The slot that was freed last, plus one, or 0. A free slot has the next free one, in the same way, as its bytes. */
  #free = 0;
  #segments = new Column(Uint32Array);
  #bytes = new Column(Uint32Array);
  #epochs = new Column(Float64Array);
  #seqs = new Column(Float64Array);

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
    return this.#keys.at(slot);
  }

  /** Number of the segment with the record. */
  segmentAt(slot: number): number {
    return this.#segments.at(slot);
  }

  /** Bytes of the record. */
  bytesAt(slot: number): number {
    return this.#bytes.at(slot);
  }

  /** Negative when the record's version is older than this one, positive when it is newer, 0 when it's the same. */
  compareAt(slot: number, { epoch, seq }: Version): number {
    return this.#epochs.at(slot) - epoch || this.#seqs.at(slot) - seq;
  }

  /** From now on, this is the key's record. */
  set(key: string, version: Version, segment: number, bytes: number): void {
    assert(segment < 2 ** 32 && bytes < 2 ** 32, "segments and records are counted in 32 bits");
    const slot = this.#slots.get(key) ?? this.#take(key);
    this.#segments.set(slot, segment);
    this.#bytes.set(slot, bytes);
    this.#epochs.set(slot, version.epoch);
    this.#seqs.set(slot, version.seq);
  }

  remove(key: string, slot: number): void {
    assert(this.#keys.at(slot) === key, "a slot belongs to its key");
    this.#slots.delete(key);
    this.#keys.set(slot, undefined);
    this.#segments.set(slot, 0);
    this.#bytes.set(slot, this.#free);
    this.#free = slot + 1;
    if (this.#slots.size === 0 && this.#keys.length > chunkSize) this.#reset();
  }

  #take(key: string): number {
    let slot = this.#free - 1;
    if (slot < 0) {
      slot = this.#keys.length;
      assert(slot === this.#slots.size, "a slot has a key or is free");
      this.#keys.push(key);
    } else {
      assert(this.#keys.at(slot) === undefined, "a free slot has no key");
      this.#free = this.#bytes.at(slot);
      this.#keys.set(slot, key);
    }
    this.#slots.set(key, slot);
    return slot;
  }

  /** Gives back the memory that very many keys needed. */
  #reset(): void {
    this.#keys = new PartedList();
    this.#free = 0;
    this.#segments = new Column(Uint32Array);
    this.#bytes = new Column(Uint32Array);
    this.#epochs = new Column(Float64Array);
    this.#seqs = new Column(Float64Array);
  }
}

/** Numbers by their index. It grows a chunk at a time: what it has is never moved. */
class Column {
  readonly #chunks: (Uint32Array | Float64Array)[] = [];
  readonly #make: new (
    size: number,
  ) => Uint32Array | Float64Array;

  constructor(make: new (size: number) => Uint32Array | Float64Array) {
    this.#make = make;
  }

  at(index: number): number {
    return (this.#chunks[index >>> chunkBits] as Uint32Array)[index & (chunkSize - 1)] as number;
  }

  /** @param index - no further than one after the last chunk */
  set(index: number, value: number): void {
    if (index >>> chunkBits === this.#chunks.length) this.#chunks.push(new this.#make(chunkSize));
    (this.#chunks[index >>> chunkBits] as Uint32Array)[index & (chunkSize - 1)] = value;
  }
}
