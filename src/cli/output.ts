/** Long output, at the pace of whoever reads it. */

import { pipeline } from "node:stream/promises";
import type { Terminal } from "./terminal.ts";

/**
 * Writes what comes to the standard output. A reader that has seen enough (`weir ls | head`) ends it, and is no failure.
 * @throws what `chunks` throws, and whatever else the output fails with
 */
export async function writeOut(
  chunks: AsyncIterable<string | Buffer> | NodeJS.ReadableStream,
  { stdout }: Terminal,
): Promise<void> {
  try {
    await pipeline(chunks, stdout, { end: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  }
}
