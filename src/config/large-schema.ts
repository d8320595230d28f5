/** The settings for values that are too large to be buffered: see `schema.ts`. */

import { z } from "zod";
import { minPartBytes } from "../core/part-sizes.ts";
import { byteCount, dayMs, durationMs, mebibyte } from "./quantities.ts";

/** Named as in LargeSettings. */
export const largeSchema = z
  .strictObject({
    maxValueBytes: z
      .int()
      .min(1)
      .max(5 * 1024 * 1024 * mebibyte)
      .default(64 * 1024 * mebibyte)
      .describe(
        "Bytes in a value, at most. A value over buffer.maxValueBytes goes to the store as it comes, and is answered once the store has it. If this is no more than buffer.maxValueBytes, such values are refused.",
      ),
    partBytes: z
      .int()
      .min(minPartBytes)
      .max(512 * mebibyte)
      .default(minPartBytes)
      .describe(
        "Bytes of a large value that are sent to the store at a time. A value that would need over 10,000 parts has larger ones. Up to three parts of an upload are in memory, fewer while others need the room. Each part has flush.deadlineMs to get into the store. So larger parts want a faster store, or a longer deadline.",
      ),
    inFlightBytes: byteCount
      .default(128 * mebibyte)
      .describe(
        "Bytes of parts in memory at a time, at most. When they are used up, uploads go slower, and further ones are answered 503. One part of an S3 client's multipart upload may have as many.",
      ),
    idleMs: durationMs
      .default(30_000)
      .describe("Milliseconds without a byte of a large value after which its sender is given up."),
    uploads: z
      .int()
      .min(1)
      .max(1_024)
      .default(16)
      .describe("Large values that are written through a node at a time, at most; further ones are answered 503."),
    downloads: z
      .int()
      .min(1)
      .max(1_024)
      .default(64)
      .describe("Large values that are read through a node at a time, at most; further ones are answered 503."),
    leftoverMs: z
      .int()
      .min(3_600_000)
      .max(30 * dayMs)
      .default(3 * dayMs)
      .describe(
        "Milliseconds after which the parts that a lost node left in the store are removed, and S3 clients' multipart uploads that were not completed. No upload may take longer.",
      ),
  })
  .prefault({});
