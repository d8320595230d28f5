/** `weir leave`: makes a node hand over what it holds and leave the cluster, and waits until it has left. */

import type { Command } from "commander";
import { sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError, UsageError } from "../../base/errors.ts";
import { formatBytes } from "../../base/quantity-text.ts";
import { loadConfig } from "../../config/config.ts";
import { findOwnNode, hostAddresses } from "../../config/own-node.ts";
import type { ClusterStatus } from "../../core/status.ts";
import { systemClock } from "../../system.ts";
import { ClusterClient, readText } from "../client/client.ts";
import { fetchStatus } from "../client/cluster-status.ts";
import { CommandFailure } from "../client/run.ts";
import { addTargetOptions, resolveTarget, type Target, type TargetOptions } from "../client/target.ts";
import { StageProgress } from "../process/stage-progress.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";
import { type Departure, DepartureWatch } from "./departure.ts";

interface LeaveOptions extends TargetOptions {
  readonly json?: boolean;
}

/** Milliseconds between two looks. The stages of leaving take longer. */
const pollMs = 100;

/** Milliseconds for a node to tell its progress. If it does not, it is asked again. */
const answerMs = 2_000;

/**
 * Milliseconds without an answer from any node. After that nothing more can be learned. Several nodes may be leaving at
 * once.
 */
const silenceMs = 15_000;

export function addLeaveCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("leave"))
    .summary("have a node hand over and leave the cluster")
    .description(
      "Has a node leave the cluster: it hands over everything that it holds, is taken out of the view, and its process ends with exit code 0. Waits until it has left. " +
        "What runs the process must not start it again: systemd does not with the project's unit, Docker and Kubernetes do.",
    )
    .option("--json", "print the outcome as JSON")
    .addHelpText(
      "after",
      "\nThe node has to be named, WEIR_URL does not count: with --config it is the node of this host, or the one that --node names.\n\nExamples:\n  weir leave --url http://10.0.0.3:7070\n  weir leave --config cluster.json --node c",
    )
    .action(async (options: LeaveOptions) => {
      await leave(options, terminal);
    });
}

/** The node that is to leave, never just any node that answers. */
function leaverUrl(options: LeaveOptions, terminal: Terminal): string {
  if (options.config === undefined && options.url === undefined) {
    // WEIR_URL may be that of a load balancer.
    throw new UsageError("say which node is to leave: --url URL, or --config FILE [--node ID]");
  }
  if (options.config === undefined || options.url !== undefined) {
    return resolveTarget(options, terminal.env).urls[0] as string;
  }
  const config = loadConfig(options.config, { env: terminal.env, purpose: "client" });
  return findOwnNode(config, { node: options.node, env: terminal.env, addresses: hostAddresses() }).url;
}

async function leave(options: LeaveOptions, terminal: Terminal): Promise<void> {
  const url = leaverUrl(options, terminal);
  const target = { ...resolveTarget(options, terminal.env), urls: [url] };
  await using leaver = new ClusterClient(target, answerMs);
  const before = await fetchStatus(leaver);
  const id = before.self;
  if (options.node !== undefined && id !== options.node) {
    throw new OperatingError("config_invalid", `the node at ${url} is ${id}, not ${options.node}`);
  }
  const watch = new DepartureWatch(before);
  const answer = await leaver.request({ method: "POST", path: "/cluster/leave" });
  await readText(answer.body);
  tell(id, await untilGone(watch, leaver, target, terminal), options, terminal);
}

async function untilGone(
  watch: DepartureWatch,
  leaver: ClusterClient,
  target: Target,
  terminal: Terminal,
): Promise<Departure> {
  using progress = new StageProgress(terminal);
  let heardAt = systemClock.now();
  for (;;) {
    const [own, other] = await Promise.all([statusOf(leaver), statusOfAny({ ...target, urls: watch.others })]);
    if (own !== undefined || other !== undefined) heardAt = systemClock.now();
    const departure = watch.judge(own, other);
    if (departure.kind !== "under way") return departure;
    if (systemClock.now() - heardAt > silenceMs) {
      throw new OperatingError("peer_unreachable", "no node answers any more; the node's log says whether it has left");
    }
    const { stage, dirtyKeys, dirtyBytes } = departure;
    progress.show(stage, `it holds ${dirtyKeys} keys, ${formatBytes(dirtyBytes)}, that are not in the store yet`);
    await sleep(systemClock, pollMs);
  }
}

async function statusOfAny(target: Target): Promise<ClusterStatus | undefined> {
  if (target.urls.length === 0) return undefined;
  // Each call has its own client, because the other nodes change as nodes come and go.
  await using client = new ClusterClient(target, answerMs);
  return await statusOf(client);
}

async function statusOf(client: ClusterClient): Promise<ClusterStatus | undefined> {
  try {
    return await fetchStatus(client);
  } catch (error) {
    if (isOperatingError(error)) return undefined;
    throw error;
  }
}

function tell(id: string, departure: Departure, options: LeaveOptions, terminal: Terminal): void {
  const hasLeft = departure.kind === "left" || departure.kind === "ended";
  if (options.json) {
    printJson(terminal, { node: id, ...departure, left: hasLeft });
  } else if (departure.kind === "left") {
    const remaining = departure.remaining.length === 0 ? "no node is" : `${departure.remaining.join(", ")} are`;
    printLine(terminal, `${id} has left the cluster: ${remaining} in view ${departure.epoch}`);
  } else if (departure.kind === "ended") {
    printLine(terminal, `${id} was the only node, and has ended; its log says whether everything is in the store`);
  } else if (departure.kind === "lost") {
    terminal.stderr.write(
      `weir: ${id} is gone without having handed over everything, and some keys wait for it: start it again with its data folder, then have it leave\n`,
    );
  } else {
    terminal.stderr.write(
      `weir: ${id} left, and was started again at once: stop whatever runs it (systemd, Kubernetes) instead of asking it to leave\n`,
    );
  }
  if (!hasLeft) throw new CommandFailure("it has not left");
}
