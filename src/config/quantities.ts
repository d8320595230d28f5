/** The quantities of settings, with the bounds that all of a kind share. */

import { z } from "zod";

export const mebibyte = 1024 * 1024;

/** Also the upper bound of every duration: Node's timers take at most 2^31 - 1 ms, and a day is long enough. */
export const dayMs = 86_400_000;

export const durationMs = z.int().min(1).max(dayMs);
export const byteCount = z.int().min(1);
