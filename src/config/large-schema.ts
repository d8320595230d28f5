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
        "Bytes in a value, at most. Those over buffer.maxValueBytes go to the store as they come and are answered once it has them; no more than that refuses them.",
      ),
    partBytes: z
      .int()
      .min(minPartBytes)
      .max(512 * mebibyte)
      .default(minPartBytes)
      .describe(
        "Bytes of such a value that are sent to the store at a time; more for values that would need over 10,000 parts. Up to three parts are in memory for each upload, fewer while others need the room, and each has flush.deadlineMs to get into the store: larger parts want a faster store, or a longer deadline.",
      ),
    inFlightBytes: byteCount
      .default(128 * mebibyte)
      .describe(
        "Bytes of parts in memory at a time, at most; then uploads go slower, and further ones are answered 503. A part of an S3 client's multipart upload may have as many.",
      ),
    idleMs: durationMs
      .default(30_000)
      .describe("Milliseconds without a byte of such a value after which its sender is given up."),
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
        "Milliseconds after which what a lost node left of an upload is removed from the store, and S3 clients' multipart uploads. No upload may take longer.",
      ),
  })
  .prefault({});
