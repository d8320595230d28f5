/**
 * A map by strings that may have very many entries. A Map that is full moves all its entries at once: at a million that
 * takes 40 to 80 ms, in which the event loop stands still. Here each part moves its own, a millisecond at a time.
 */

/** A power of two. */
const partCount = 64;

export class PartedMap<Value> {
  /** None before something comes into it: most maps of a node stay empty. */
  #parts: (Map<string, Value> | undefined)[] = noParts();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Value | undefined {
    return this.#parts[partOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#parts[partOf(key)]?.has(key) === true;
  }

  set(key: string, value: Value): void {
    const index = partOf(key);
    let part = this.#parts[index];
    if (part === undefined) {
      part = new Map();
      this.#parts[index] = part;
    }
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    const wasThere = this.#parts[partOf(key)]?.delete(key) === true;
    if (wasThere) this.#size--;
    return wasThere;
  }

  clear(): void {
    if (this.#size === 0) return;
    this.#parts = noParts();
    this.#size = 0;
  }

  /**
   * All values, part by part. Entries may come and go while it runs. Each that stays is met once; one that comes may
   * not be.
   */
  *values(): IterableIterator<Value> {
    for (const part of this.#parts) if (part !== undefined && part.size > 0) yield* part.values();
  }

  /** Of each part, the value that has been in it longest. */
  firsts(): readonly Value[] {
    const firsts: Value[] = [];
    if (this.#size === 0) return firsts;
    for (const part of this.#parts) {
      // Mostly nearly all parts are empty, and an iterator costs more than this.
      if (part !== undefined && part.size > 0) firsts.push(part.values().next().value as Value);
    }
    return firsts;
  }
}

function noParts(): undefined[] {
  return Array.from({ length: partCount }, () => undefined);
}

let lastKey = "";
let lastPart = hashOf(lastKey) & (partCount - 1);

/**
 * FNV-1a (Fowler, Noll and Vo), its halves folded. Keys that are chosen for it share a part: that is one Map again. One
 * operation looks for its key in several maps: for the same string again nothing is counted.
 */
function partOf(key: string): number {
  if (key !== lastKey) {
    lastPart = hashOf(key) & (partCount - 1);
    lastKey = key;
  }
  return lastPart;
}

function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 16);
}
