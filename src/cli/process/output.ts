/** Output at its reader's pace, and what happens when it cannot be written. */

import { pipeline } from "node:stream/promises";
import type { Terminal } from "./terminal.ts";

/**
 * Writes `chunks` to the standard output. A reader that has seen enough (`weir ls | head`) closes it. That is no
 * failure.
 *
 * @throws what `chunks` throws, and any other failure of the output.
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

/** Resolves when nobody reads the standard output any more: a command that would go on for ever should end then. */
export async function untilUnread({ stdout }: Terminal): Promise<void> {
  await new Promise<void>((resolve) => stdout.once("error", () => resolve()));
}

/**
 * From now on, a standard output that cannot be written ends the process, with exit code 1 and a reason. A write that
 * fails after it was handed over is reported nowhere else. If the reader has seen enough (`weir status | grep -q`), the
 * command goes on to its end, and its exit code says how that was: perhaps its output came before its work.
 */
export function exitWithoutOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    process.stderr.write(`weir: the output can't be written: ${error.message}\n`);
    process.exit(1);
  });
}
