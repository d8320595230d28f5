/** `weir flush`: makes every node send at once what the store lacks, and waits until the store has it. */

import type { Readable } from "node:stream";
import { type Command, InvalidArgumentError } from "commander";
import { OperatingError } from "../../base/errors.ts";
import { formatBytes, plain } from "../../base/quantity-text.ts";
import type { FlushProgress } from "../../core/administration.ts";
import { failingText } from "../../core/troubles.ts";
import { systemClock } from "../../system.ts";
import { ClusterClient } from "../client/client.ts";
import { flushLineSchema } from "../client/cluster-status.ts";
import { refusedUnder, withVersion } from "../client/refused-keys.ts";
import { CommandFailure } from "../client/run.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "../client/target.ts";
import { formatBar } from "../process/format.ts";
import { StageProgress } from "../process/stage-progress.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";

interface FlushOptions extends TargetOptions {
  readonly wait: boolean;
  readonly timeout?: number;
  readonly json?: boolean;
}

/** How it ended, with the last progress. */
interface FlushEnd {
  readonly outcome: "stored" | "refused" | "asked" | "timeout";
  readonly progress: FlushProgress;
}

/**
 * Milliseconds between two pieces of the answer. A node tells its progress four times a second, unless another node
 * does not answer.
 */
const silenceMs = 20_000;

export function addFlushCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("flush"))
    .summary("bring everything to the store now, and wait for it")
    .description(
      "Has every node flush at once, without waiting for overwrites, and waits until everything is in the store that was acknowledged before. Fails when only keys are left that the store refuses, and names them.",
    )
    .option("--no-wait", "only ask for it")
    .option("--timeout <seconds>", "wait so long at most", seconds)
    .option("--json", "print the outcome as JSON")
    .addHelpText("after", "\nExamples:\n  weir flush\n  weir flush --timeout 60 --config cluster.json")
    .action(async (options: FlushOptions) => {
      await using client = new ClusterClient(resolveTarget(options, terminal.env), silenceMs);
      tell(await withAllRefused(client, await flush(client, options, terminal)), options, terminal);
    });
}

/** A node tells progress with a few keys only. What is left at the end is asked for. */
async function withAllRefused(client: ClusterClient, end: FlushEnd): Promise<FlushEnd> {
  const { outcome, progress } = end;
  if (outcome !== "refused" || progress.keys <= progress.failing.length) return end;
  const { keys } = await refusedUnder(client, "");
  return keys.length > progress.failing.length ? { outcome, progress: { ...progress, failing: keys } } : end;
}

async function flush(client: ClusterClient, options: FlushOptions, terminal: Terminal): Promise<FlushEnd> {
  const { body } = await client.request({ method: "POST", path: "/cluster/flush" });
  body.setEncoding("utf8");
  let last: FlushProgress | undefined;
  let isLate = false;
  const timer =
    options.timeout === undefined
      ? undefined
      : systemClock.after(options.timeout * 1_000, () => {
          isLate = true;
          body.destroy();
        });
  using progress = new StageProgress(terminal);
  let total = 0;
  try {
    for await (const line of linesOf(body)) {
      const heard = flushLineSchema.parse(JSON.parse(line));
      if (heard.outcome === "failed") throw new OperatingError("not_ready", `${heard.detail} (${heard.code})`);
      last = heard as FlushProgress;
      total = Math.max(total, last.keys);
      show(progress, last, total);
      if (last.outcome !== undefined) return { outcome: last.outcome, progress: last };
      // All nodes have answered, so all are flushing.
      if (!options.wait && last.waitingFor.length === 0) return { outcome: "asked", progress: last };
    }
  } catch (error) {
    if (!isLate) throw broken(error);
  } finally {
    timer?.cancel();
  }
  if (isLate && last !== undefined) return { outcome: "timeout", progress: last };
  throw broken(new Error("the answer ended too early"));
}

async function* linesOf(body: Readable): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function broken(error: unknown): OperatingError {
  if (error instanceof OperatingError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new OperatingError("peer_unreachable", `the node that was asked no longer tells how far it is: ${reason}`, {
    cause: error,
  });
}

function show(progress: StageProgress, { keys, bytes, waitingFor }: FlushProgress, total: number): void {
  if (waitingFor.length > 0) progress.show(`waiting for ${waitingFor.join("; ")}`);
  else progress.show("flushing", `${formatBar(total - keys, total)} ${keys} keys, ${formatBytes(bytes)} left`);
}

function tell({ outcome, progress }: FlushEnd, options: FlushOptions, terminal: Terminal): void {
  const { keys, bytes, failing, waitingFor } = progress;
  const isDone = outcome === "stored" || outcome === "asked";
  if (options.json) printJson(terminal, { ...progress, failing: failing.map(withVersion), outcome });
  else if (outcome === "stored") printLine(terminal, "everything is in the store");
  else if (outcome === "asked")
    printLine(terminal, `${keys} keys, ${formatBytes(bytes)}, are on their way to the store`);
  else {
    const [noun, verb, them] = keys === 1 ? ["key", "is", "it"] : ["keys", "are", "them"];
    const left = `${keys} ${noun}, ${formatBytes(bytes)}, ${verb} not in the store`;
    terminal.stderr.write(`weir: ${left}${outcome === "refused" ? `, which refuses ${them}` : " yet"}\n`);
    for (const reason of waitingFor) terminal.stderr.write(`      waiting for ${plain(reason)}\n`);
    for (const key of failing) terminal.stderr.write(`      ${failingText(key)}\n`);
    const rest = keys - failing.length;
    if (outcome === "refused" && rest > 0) terminal.stderr.write(`      and ${rest} more\n`);
  }
  if (!isDone) throw new CommandFailure("not everything is in the store");
}

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 86_400) return value;
  throw new InvalidArgumentError("It must be a number of seconds, more than 0 and at most 86400.");
}
