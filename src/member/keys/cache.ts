/** The cache: clean values of keys that this member serves, least recently used first out, bounded in bytes. */

import { LRUCache } from "lru-cache";
import { type Entry, footprint, type ValueInfo } from "../../core/entry.ts";

/** A value that the store holds, too. */
export interface CleanValue extends ValueInfo {
  /** Undefined for one that is too large to be kept: it is read from the store. */
  readonly value: Buffer | undefined;
  /** The store's tag of the object. */
  readonly tag: string;
  /** The token of the upload that it was, if it was one. */
  readonly upload: string | undefined;
}

export type Cache = LRUCache<string, CleanValue>;

export function createCache(bytes: number): Cache {
  return new LRUCache({
    maxSize: Math.max(1, bytes), // 1 holds nothing
    sizeCalculation: (clean, key) => footprint({ key, size: clean.value?.length ?? 0, headers: clean.headers }),
  });
}

/**
 * Every cached key. Values may come and go while it runs: a key that stays in the cache is not missed. The cache's own
 * iterator follows links from key to key, and may end early when one of them goes.
 */
export function* cachedKeys(cache: Cache): Generator<string> {
  const { keyList } = LRUCache.unsafeExposeInternals(cache);
  for (let slot = 0; slot < keyList.length; slot++) {
    const key = keyList[slot];
    if (key !== undefined) yield key;
  }
}

/** Whether the store holds this state, too. */
export function isClean(state: Entry | CleanValue): state is CleanValue {
  return "tag" in state;
}

/** A key's state, if it is a value. */
export function presentState<S extends Entry | CleanValue>(state: S | undefined): S | undefined {
  return state !== undefined && (state.value !== undefined || isClean(state)) ? state : undefined;
}
