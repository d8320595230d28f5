/** The cache: clean values of keys that this member serves, least recently used first out, bounded in bytes. */

import { LRUCache } from "lru-cache";
import { footprint, type ValueInfo } from "../core/entry.ts";

/** A value that the store holds, too. */
export interface CleanValue extends ValueInfo {
  readonly value: Buffer;
  /** The store's tag of the object. */
  readonly tag: string;
}

export type Cache = LRUCache<string, CleanValue>;

export function createCache(bytes: number): Cache {
  return new LRUCache({
    maxSize: Math.max(1, bytes), // 1 holds nothing
    sizeCalculation: (clean, key) => footprint({ key, size: clean.size, headers: clean.headers }),
  });
}
