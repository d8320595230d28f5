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
      "Bytes of values that the store does not have yet, at most: the node's own, and its copies of others'. When they are used up, writers wait. A quarter of the memory leaves room for the cache, the runtime and requests.",
    computed: "25 % of the memory limit",
  }),
  refusedBytes: byteCount.optional().meta({
    description:
      "Dirty bytes up to which a node has room for values that the store refuses. One token (without tokens: one address) may fill what is free of it with such values. Above that its writes get 507 `refused_full`. The rest of the buffer is for others.",
    computed: "75 % of dirtyBytes",
  }),
  cacheBytes: z.int().min(0).optional().meta({
    description: "Bytes of values that are kept for reading once the store has them, at most. 0 keeps none.",
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
    .describe("Milliseconds that a write waits for room in a full buffer before it is answered 503."),
  maxDirtyAgeMs: z
    .int()
    .min(0)
    .max(dayMs)
    .default(0)
    .describe(
      "Milliseconds that the store may lack an acknowledged value. While a node's oldest value is older, its writers wait as for a full buffer. 0 sets no bound, since the store may be away for long. Any other value is at least flush.delayMs + flush.deadlineMs.",
    ),
});
