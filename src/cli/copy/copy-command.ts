/**
 * What `weir import` and `weir export` have in common: the options, the run with its progress, and the final report.
 */

import type { Command } from "commander";
import { formatBytes, formatDuration, plain, quote } from "../../base/quantity-text.ts";
import { systemClock, systemRandom } from "../../system.ts";
import { BulkClient } from "../client/bulk-client.ts";
import { CommandFailure } from "../client/run.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "../client/target.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";
import { wholeNumber } from "../process/whole-number.ts";
import { type Fate, Transfer } from "./transfer.ts";
import { TransferProgress } from "./transfer-progress.ts";

export interface CopyOptions extends TargetOptions {
  readonly prefix: string;
  readonly parallel: number;
  readonly json?: boolean;
}

/** Something to be copied. */
export interface CopyItem {
  /** Shown to people if the copy fails. */
  readonly name: string;
}

/** The part that differs between the commands. */
export interface Copy<T extends CopyItem> {
  /** What is to be copied. An item that cannot be copied goes to {@link Transfer.fail} instead. */
  items(cluster: BulkClient, transfer: Transfer): AsyncGenerator<T>;
  /** The sizes of the items, only to be counted for the progress. */
  sizes(cluster: BulkClient): AsyncIterable<number>;
  copy(cluster: BulkClient, item: T): Promise<Fate>;
}

const defaultParallel = 16;
const maxParallel = 256;

export function addCopyOptions(command: Command): Command {
  return addTargetOptions(command)
    .option("--prefix <prefix>", "what comes before each file's path in its key; end it with / for a folder", "")
    .option("--parallel <n>", "values under way at a time", wholeNumber(1, maxParallel), defaultParallel)
    .option("--json", "print what was done as JSON");
}

/**
 * Copies everything and tells the outcome.
 *
 * @throws CommandFailure when something could not be copied. The user has then been told.
 */
export async function runCopy<T extends CopyItem>(
  copy: Copy<T>,
  options: CopyOptions,
  terminal: Terminal,
): Promise<void> {
  await using cluster = new BulkClient(resolveTarget(options, terminal.env), {
    clock: systemClock,
    random: systemRandom,
  });
  using progress = new TransferProgress(terminal, systemClock);
  const transfer = new Transfer(() => progress.show(transfer));
  const counting = new AbortController();
  const counted = terminal.stderr.isTTY === true ? count(copy.sizes(cluster), progress, counting.signal) : undefined;
  try {
    await transfer.run(copy.items(cluster, transfer), options.parallel, (item) => copy.copy(cluster, item));
  } finally {
    counting.abort();
    await counted;
    progress[Symbol.dispose]();
  }
  report(transfer, progress.seconds, options, terminal);
}

/**
 * Runs ahead of the copying, so that the progress can tell how much is left. What fails here fails in the copying, too.
 */
async function count(sizes: AsyncIterable<number>, { total }: TransferProgress, signal: AbortSignal): Promise<void> {
  try {
    for await (const bytes of sizes) {
      if (signal.aborted) return;
      total.values++;
      total.bytes += bytes;
    }
    total.isWhole = true;
  } catch {
    // The total stays a lower bound.
  }
}

function report({ counts, failures }: Transfer, seconds: number, { json }: CopyOptions, terminal: Terminal): void {
  const { copied, copiedBytes, same, gone, failed } = counts;
  if (json) printJson(terminal, { ...counts, seconds: Math.round(seconds * 1_000) / 1_000, failures });
  else {
    const parts = [`${copied} copied (${formatBytes(copiedBytes)})`, `${same} were the same`];
    if (gone > 0) parts.push(`${gone} have been removed meanwhile`);
    if (failed > 0) parts.push(`${failed} failed`);
    printLine(terminal, `${parts.join(", ")}, in ${formatDuration(seconds * 1_000)}`);
  }
  if (failed === 0) return;
  if (!json) {
    for (const { name, reason } of failures) terminal.stderr.write(`${quote(name)}: ${plain(reason)}\n`);
    if (failed > failures.length) terminal.stderr.write(`and ${failed - failures.length} more\n`);
  }
  terminal.stderr.write("weir: not everything was copied; the same command again goes on with what is missing\n");
  throw new CommandFailure();
}
