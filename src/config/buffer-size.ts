/**
 * The size of the buffer when cluster.json leaves it open. It is a share of the memory that this process may use, so
 * that the same file suits hosts of different sizes.
 */

import { totalmem } from "node:os";
import type { RawConfig } from "./schema.ts";

/**
 * Part of the memory limit for dirty values, and again for the cache. The other half is for the runtime, for requests
 * and for the store client.
 */
const bufferShare = 0.25;

/** Part of the dirty bytes up to which there is room for what the store refuses. The rest is always left for others. */
const refusedShare = 0.75;

/** A larger cache must be a decision: beyond this, millions of entries make garbage collection noticeable. */
const maxDefaultCacheBytes = 16 * 1024 ** 3;

export interface BufferConfig
  extends Readonly<Omit<RawConfig["buffer"], "dirtyBytes" | "refusedBytes" | "cacheBytes">> {
  readonly dirtyBytes: number;
  readonly refusedBytes: number;
  readonly cacheBytes: number;
}

/** What the control group allows this process, or else what the host has. */
export function memoryLimitBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

export function completeBuffer(buffer: RawConfig["buffer"], memoryBytes: number): BufferConfig {
  const share = Math.floor(bufferShare * memoryBytes);
  const dirtyBytes = buffer.dirtyBytes ?? share;
  return {
    ...buffer,
    dirtyBytes,
    refusedBytes: buffer.refusedBytes ?? Math.floor(refusedShare * dirtyBytes),
    cacheBytes: buffer.cacheBytes ?? Math.min(share, maxDefaultCacheBytes),
  };
}
