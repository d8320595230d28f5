/** `weir bench`: throughput and latency of a running cluster under load, as a client sees them. */

import { type Command, InvalidArgumentError } from "commander";
import { formatBytes, plain } from "../../base/quantity-text.ts";
import { systemClock, systemRandom } from "../../system.ts";
import { CommandFailure } from "../client/run.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "../client/target.ts";
import { formatTable } from "../process/format.ts";
import { StageProgress } from "../process/stage-progress.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";
import { wholeNumber } from "../process/whole-number.ts";
import { Load, type LoadSettings, type Measured } from "./bench-load.ts";

interface BenchOptions extends TargetOptions, LoadSettings {
  readonly keep?: boolean;
  readonly json?: boolean;
}

export function addBenchCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("bench"))
    .summary("put a running cluster under load, and measure")
    .description(
      "Reads and writes values of its own for a while, over connections that are spread over the nodes (one node, unless --config names more), and tells throughput and latency. It removes its values afterwards; where it is cut short, the same command removes them at its end.",
    )
    .option("--seconds <n>", "how long", wholeNumber(1, 86_400), 10)
    .option("--connections <n>", "requests under way at a time", wholeNumber(1, 4_096), 32)
    .option("--size <bytes>", "bytes in a value", wholeNumber(0, 64 * 1024 ** 2), 1_024)
    .option("--read-share <part>", "part of the requests that read, 0 to 1", share, 0.5)
    .option("--keys <n>", "keys that are written and read", wholeNumber(1, 10_000_000), 1_000)
    .option("--prefix <prefix>", "what its keys begin with", "weir-bench/")
    .option("--keep", "leave its values there")
    .option("--json", "print the figures as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  weir bench\n  weir bench --config cluster.json --connections 64 --size 65536 --read-share 0.9",
    )
    .action(async (options: BenchOptions) => {
      await bench(options, terminal);
    });
}

async function bench(options: BenchOptions, terminal: Terminal): Promise<void> {
  await using load = new Load(resolveTarget(options, terminal.env), options, {
    clock: systemClock,
    random: systemRandom,
  });
  using progress = new StageProgress(terminal);
  progress.show("writing the values that are to be read");
  try {
    await load.fill();
    await load.run((seconds, requests) => progress.show("under load", `${seconds} s left, ${requests} requests`));
  } finally {
    progress.show("removing the values");
    if (!options.keep) await load.clear();
    progress[Symbol.dispose]();
  }
  const { reads, writes, seconds } = load;
  const figures = { seconds, nodes: load.nodes, reads: figuresOf(reads, seconds), writes: figuresOf(writes, seconds) };
  if (options.json) printJson(terminal, figures);
  else {
    const { connections, size } = options;
    printLine(
      terminal,
      `${connections} connections to ${load.nodes === 1 ? "1 node" : `${load.nodes} nodes`}, values of ${formatBytes(size)}, ${seconds.toFixed(1)} s:`,
    );
    for (const line of table(figures)) printLine(terminal, line);
  }
  const failed = reads.failed + writes.failed;
  if (failed === 0) return;
  terminal.stderr.write(`weir: ${failed} requests failed, the last one with: ${plain(load.lastFailure)}\n`);
  throw new CommandFailure();
}

interface Figures {
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  /** Milliseconds. 0 if there were no requests. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

function figuresOf({ latency, failed }: Measured, seconds: number): Figures {
  const ms = (microseconds: number): number => (latency.count === 0 ? 0 : microseconds / 1_000);
  return {
    requests: latency.count,
    failed,
    perSecond: Math.round(latency.count / seconds),
    p50Ms: ms(latency.percentile(50)),
    p99Ms: ms(latency.percentile(99)),
    maxMs: ms(latency.max),
  };
}

function table({ reads, writes }: { readonly reads: Figures; readonly writes: Figures }): string[] {
  const row = (name: string, { requests, failed, perSecond, p50Ms, p99Ms, maxMs }: Figures): string[] => [
    name,
    String(requests),
    `${perSecond}/s`,
    ...[p50Ms, p99Ms, maxMs].map((ms) => `${ms.toFixed(1)} ms`),
    String(failed),
  ];
  const head = ["", "requests", "rate", "p50", "p99", "max", "failed"];
  return formatTable([head, row("reads", reads), row("writes", writes)], [1, 2, 3, 4, 5, 6]);
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("It must be a number from 0 to 1.");
}
