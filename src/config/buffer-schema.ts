/** The settings of the buffer and the cache: what a node holds in memory. */

import { z } from "zod";
import { byteCount, dayMs, mebibyte } from "./quantities.ts";

/**
 * The most that `buffer.maxValueBytes` may be. A node may still hold a value from a time when the setting was this
 * high.
 */
export const largestBufferedBytes = 64 * mebibyte;

export const bufferSchema = z.strictObject({
  dirtyBytes: byteCount.optional().meta({
    description:
      "Bytes of values that are not in the store yet, own and others', at most; then writers wait. A quarter leaves room for the cache, the runtime and requests.",
    computed: "25 % of the memory limit",
  }),
  refusedBytes: byteCount.optional().meta({
    description:
      "Dirty bytes on a node up to which there is room for values that the store refuses: those of one token, or of one address without tokens, may take what is free of it. Above that its writes are refused (507 `refused_full`), and the rest of the buffer is for others.",
    computed: "75 % of dirtyBytes",
  }),
  cacheBytes: z.int().min(0).optional().meta({
    description: "Bytes of values kept for reading once the store has them, at most; 0 keeps none.",
    computed: "25 % of the memory limit, at most 16 GiB",
  }),
  maxValueBytes: byteCount
    .max(largestBufferedBytes)
    .default(4 * mebibyte)
    .describe("Bytes in a value, at most. A value is in memory as a whole on two nodes, so this bounds their peaks."),
  waitMs: z
    .int()
    .min(0)
    .max(dayMs)
    .default(2_000)
    .describe("Milliseconds that a write waits for room in a full buffer before it's answered 503."),
  maxDirtyAgeMs: z
    .int()
    .min(0)
    .max(dayMs)
    .default(0)
    .describe(
      "Milliseconds that the store may lack an acknowledged value: while a node's oldest is older, its writers wait as for a full buffer. 0: as long as it takes, since the store may be away; else at least flush.delayMs + flush.deadlineMs.",
    ),
});
