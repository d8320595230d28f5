/** Output: at the pace of whoever reads it, and what it means that it can't be written. */

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

/**
 * From now on a standard output that can't be written ends the process: with 1 and a word why, or, when its reader has seen enough (`weir status | grep -q`), as if all had been
 * written. Nobody else hears of a write that fails after it was handed over.
 */
export function exitWithoutOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    process.stderr.write(`weir: the output can't be written: ${error.message}\n`);
    process.exit(1);
  });
}
