/** `weir dev`: a whole cluster of real processes on this machine, with nothing to configure. */

import { resolve } from "node:path";
import type { Command } from "commander";
import { sleep } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { memoryLimitBytes } from "../../config/buffer-size.ts";
import { loadConfig } from "../../config/config.ts";
import { systemClock, systemRandom } from "../../system.ts";
import { CommandFailure } from "../client/run.ts";
import type { ChildSpec } from "../dev/child-processes.ts";
import { DevFolder } from "../dev/dev-folder.ts";
import { findLeftovers } from "../dev/dev-leftovers.ts";
import { type DevEnd, DevNodes } from "../dev/dev-nodes.ts";
import { DevOutput } from "../dev/dev-output.ts";
import {
  type DevNode,
  devClusterFile,
  devNodeIds,
  devSecretName,
  devStore,
  devStorePath,
} from "../dev/dev-settings.ts";
import { printWelcome } from "../dev/dev-welcome.ts";
import { freePorts, takenPort } from "../dev/free-ports.ts";
import { untilUnread } from "../process/output.ts";
import { selfCommand } from "../process/self-command.ts";
import { StopRequest } from "../process/stop-request.ts";
import { printLine, type Terminal } from "../process/terminal.ts";
import { createTerminalLog } from "../process/terminal-log.ts";
import { wholeNumber } from "../process/whole-number.ts";

interface DevOptions {
  readonly nodes: number;
  readonly store?: string;
  readonly port?: number;
  readonly dir: string;
  readonly verbose?: boolean;
}

const defaultPort = 7070;

/** Named a to z. More would not show more on one machine. */
const maxNodes = 26;

/**
 * Milliseconds for the others to hear that a node has left, several pings long. Until then they complain that they
 * cannot reach it.
 */
const hearMs = 500;

/** Milliseconds until a node that has ended is started again: long enough to see that the others go on. */
const restartMs = 3_000;

/** Milliseconds for the nodes to stop in order. Longer than a node waits for the store (`flush.stopMs`). */
const stopMs = 30_000;

export function addDevCommand(program: Command, terminal: Terminal): void {
  program
    .command("dev")
    .summary("run a whole cluster on this machine, to try it out")
    .description(
      "Starts a cluster of several nodes on this machine, over a folder unless --store names another store. Ctrl-C stops it.",
    )
    .option("--nodes <count>", "how many nodes", wholeNumber(1, maxNodes), 3)
    .option(
      "--port <port>",
      `the first node's port, the others' follow (default: ${defaultPort}, or free ones)`,
      wholeNumber(1, 65_535 - maxNodes),
    )
    .option(
      "--store <url>",
      "s3://BUCKET/PREFIX?endpoint=…&region=…, azure://CONTAINER/PREFIX?account=…, or a folder (default: $WEIR_STORE, or a folder in --dir)",
    )
    .option("--dir <folder>", "keeps the generated cluster.json, the journals and the store", ".weir-dev")
    .option("--verbose", "show what the nodes log, not only their warnings")
    .addHelpText(
      "after",
      "\nExamples:\n  weir dev\n  weir dev --nodes 5 --port 9000\n  AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… weir dev --store 's3://bucket/try?endpoint=http://127.0.0.1:9000'",
    )
    .action(async (options: DevOptions) => {
      await dev(options, terminal);
    });
}

async function dev(options: DevOptions, terminal: Terminal): Promise<void> {
  let running: DevNodes | undefined;
  using stop = new StopRequest(systemClock, { stopAtOnce: () => running?.killAll() });
  using folder = await DevFolder.open(resolve(options.dir));
  const storeUrl = options.store ?? (terminal.env["WEIR_STORE"] || undefined);
  const nodes = await chooseNodes(options, terminal);
  const env = { ...terminal.env, [devSecretName]: systemRandom.id() + systemRandom.id() };
  const write = (listed: readonly DevNode[], sharers: number): void =>
    folder.writeClusterFile(
      devClusterFile({
        nodes: listed,
        sharers,
        store: storeUrl === undefined ? { type: "file", path: devStorePath } : devStore(storeUrl),
        logLevel: options.verbose ? "info" : "warn",
        memoryBytes: memoryLimitBytes(),
      }),
    );
  write(nodes, nodes.length);
  const config = loadConfig(folder.clusterFile, { env, purpose: "store" });
  const leftoverIds = await findLeftovers(config, createTerminalLog(terminal));
  const leftoverPorts = await freePorts(leftoverIds.length, new Set(nodes.map(({ port }) => port)));
  const leftovers = leftoverIds.map((id, index) => ({ id, port: leftoverPorts[index] as number }));
  const all = [...nodes, ...leftovers];
  if (leftovers.length > 0) {
    printLine(
      terminal,
      `${leftoverIds.join(", ")} of the last run may have values that are nowhere else: started again to hand them over, and to leave`,
    );
    write(all, all.length);
  }

  const output = new DevOutput(terminal, options.verbose === true);
  const devNodes = new DevNodes({
    nodes: all,
    specOf: (id) => nodeSpec(id, folder.clusterFile, env),
    clock: systemClock,
    onLine: (id, line) => output.line(id, line),
    onNews: (text) => printLine(terminal, text),
    restartMs,
    flushDeadlineMs: config.flush.deadlineMs,
  });
  running = devNodes;
  const ready = devNodes.allReady().then(async () => {
    if (leftovers.length === 0) return "ready" as const;
    // Nodes that are no longer listed leave by themselves, as on any host.
    write(nodes, all.length);
    await devNodes.left(leftoverIds);
    await sleep(systemClock, hearMs);
    return "ready" as const;
  });
  let failures: readonly string[] = [];
  const stopped = Promise.race([stop.requested, untilUnread(terminal)]).then(() => "stopped" as const);
  try {
    let event = await Promise.race([ready, devNodes.ended, stopped]);
    if (event === "ready") {
      devNodes.keepRunning();
      output.show();
      printWelcome({ nodes, storeUrl, folder: folder.path, pidOf: (id) => devNodes.pidOf(id) }, terminal);
      event = await Promise.race([devNodes.ended, stopped]);
    }
    if (event === "stopped") {
      printLine(terminal, "stopping; values that are not in the store yet are sent there (Ctrl-C again: at once)");
    } else {
      output.release();
      tellEnd(event, terminal);
    }
  } catch (error) {
    output.release();
    throw error;
  } finally {
    output.hold();
    failures = await devNodes.stop(stopMs);
    // Its rejection was handled above, or comes from stopping.
    await ready.catch(() => undefined);
    if (failures.length > 0) output.release();
    for (const text of failures) terminal.stderr.write(`weir: ${text}\n`);
  }
  if (failures.length > 0) throw new CommandFailure("not all nodes stopped in order");
}

/** @throws CommandFailure unless all is well. */
function tellEnd(end: DevEnd, terminal: Terminal): void {
  if (end.kind === "left") {
    printLine(terminal, "all nodes have left");
    return;
  }
  terminal.stderr.write(`weir: ${end.text}; stopping the others\n`);
  throw new CommandFailure("a node ended");
}

async function chooseNodes(options: DevOptions, terminal: Terminal): Promise<readonly DevNode[]> {
  const ids = devNodeIds(options.nodes);
  const ports = await choosePorts(options, terminal);
  return ids.map((id, index) => ({ id, port: ports[index] as number }));
}

async function choosePorts(options: DevOptions, terminal: Terminal): Promise<readonly number[]> {
  const first = options.port ?? defaultPort;
  const ports = Array.from({ length: options.nodes }, (_, index) => first + index);
  const taken = await takenPort(ports);
  if (taken === undefined) return ports;
  if (options.port !== undefined) {
    throw new OperatingError("config_invalid", `port ${taken} is in use; choose another first port with --port`);
  }
  printLine(terminal, `port ${taken} is in use; taking free ones`);
  return await freePorts(options.nodes);
}

function nodeSpec(id: string, configPath: string, env: Terminal["env"]): ChildSpec {
  const self = selfCommand();
  return {
    name: id,
    program: self.program,
    arguments: [...self.arguments, "serve", "--config", configPath, "--node", id],
    env,
  };
}
