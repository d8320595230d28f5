/** `weir status`: the nodes of a cluster at a glance, and whether one may be stopped. */

import type { Command } from "commander";
import { sleep } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { formatBytes, formatDuration, formatShare } from "../../base/quantity-text.ts";
import { s3Words } from "../../core/s3-words.ts";
import type { ClusterStatus } from "../../core/status.ts";
import { alikeToStop } from "../../core/stop-advice.ts";
import { troublesOf } from "../../core/troubles.ts";
import { systemClock } from "../../system.ts";
import { ClusterClient } from "../client/client.ts";
import { fetchStatus } from "../client/cluster-status.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "../client/target.ts";
import { cutEnd, cutMiddle, formatTable, wrap } from "../process/format.ts";
import { untilUnread } from "../process/output.ts";
import { outputWidth, printJson, printLine, type Terminal } from "../process/terminal.ts";

interface StatusOptions extends TargetOptions {
  readonly json?: boolean;
  readonly watch?: boolean;
}

/** Milliseconds between two looks with `--watch`. Figures change with every ping, five times a second. */
const watchMs = 1_000;

/** Moves to the top left and clears what is below. Clearing first would flicker. */
const homeAndClear = "\u001b[H\u001b[J";

export function addStatusCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("status"))
    .summary("show the nodes, and whether one may be stopped")
    .description(
      "Shows every node as the node that answers sees it: state, share of the keys, values not in the store yet.",
    )
    .option("--watch", "show it again each second, until Ctrl-C")
    .option("--json", "print it as JSON, as GET /cluster does")
    .addHelpText("after", "\nExamples:\n  weir status\n  weir status --watch --config cluster.json")
    .action(async (options: StatusOptions) => {
      await using client = new ClusterClient(resolveTarget(options, terminal.env));
      if (options.watch) await watch(client, options, terminal);
      else show(await fetchStatus(client), options, terminal);
    });
}

/** Runs while its output is read. If the cluster does not answer for a while, that is shown, too. */
async function watch(client: ClusterClient, options: StatusOptions, terminal: Terminal): Promise<void> {
  let isRead = true;
  void untilUnread(terminal).then(() => {
    isRead = false;
  });
  while (isRead) {
    let status: ClusterStatus | OperatingError;
    try {
      status = await fetchStatus(client);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      status = error;
    }
    if (terminal.stdout.isTTY && !options.json) terminal.stdout.write(homeAndClear);
    if (status instanceof OperatingError) printLine(terminal, `no status: ${status.message}`);
    else show(status, options, terminal);
    await sleep(systemClock, watchMs);
  }
}

function show(status: ClusterStatus, options: StatusOptions, terminal: Terminal): void {
  if (options.json) {
    printJson(terminal, status);
    return;
  }
  for (const line of statusLines(status, outputWidth(terminal))) printLine(terminal, line);
}

/**
 * The status as a person reads it, with the advice on stopping at its end.
 *
 * @param width Characters in a line. Sentences are broken there, the table is cut, and keys are shortened.
 */
export function statusLines(status: ClusterStatus, width = Number.POSITIVE_INFINITY): string[] {
  const header = ["node", "state", "share", "not stored", "keys", "oldest", "failing", "cache", "zone", "url"];
  const rows = status.members.map((member) => [
    member.id,
    member.state,
    formatShare(member.share),
    formatBytes(member.dirtyBytes),
    String(member.dirtyKeys),
    member.oldestDirtyMs === 0 ? "-" : formatDuration(member.oldestDirtyMs),
    String(member.failingKeys),
    formatBytes(member.cacheBytes),
    member.zone ?? "-",
    member.url,
  ]);
  const agreed = status.settled ? "settled" : "changing";
  const head = `${status.cluster} over ${status.store}, as ${status.self} sees it: view ${status.epoch}, ${agreed}, ${leaseText(status)}`;
  return [
    ...wrap(head, width),
    "",
    ...formatTable([header, ...rows], [2, 3, 4, 5, 6, 7]).map((row) => cutEnd(row, width)),
    "",
    ...[...troubleLines(status, width), ...s3Lines(status), ...stopLines(status)].flatMap((line) => wrap(line, width)),
  ];
}

function troubleLines(status: ClusterStatus, width: number): string[] {
  const members = status.members.map((member) => ({
    ...member,
    failing: member.failing.map((failing) => ({ ...failing, key: cutMiddle(failing.key, Math.ceil(width / 2)) })),
  }));
  const troubles = troublesOf({ ...status, members });
  return troubles.length === 0 ? [] : [...troubles, ""];
}

function s3Lines(status: ClusterStatus): string[] {
  const words = s3Words(status);
  return words === undefined ? [] : [words, ""];
}

/** "May I stop a node?" Nodes with the same answer are listed together. */
function stopLines({ members }: ClusterStatus): string[] {
  if (members.length === 0) return ["May I stop a node? No: this node has not joined a view yet."];
  return [
    "May I stop it? In order, and one at a time:",
    ...alikeToStop(members).flatMap(([{ verdict, inOrder, killed }, alike]) => [
      `${alike.map(({ id }) => id).join(", ")}: ${verdict}. ${inOrder}`,
      `  If it is killed: ${killed}`,
    ]),
  ];
}

/** A longer lease never ends: no other node has a say. */
const foreverMs = 1_000_000_000;

function leaseText({ self, leaseMs }: ClusterStatus): string {
  if (leaseMs <= 0) return `no lease: ${self} may not answer now`;
  return leaseMs > foreverMs ? "no lease needed" : `lease for ${formatDuration(leaseMs)}`;
}
