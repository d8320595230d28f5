/** `weir dev`: a whole cluster on this machine, of real processes, with nothing to configure. */

import { join, relative, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { Agent } from "undici";
import { sleep } from "../base/clock.ts";
import { OperatingError } from "../base/errors.ts";
import { memoryLimitBytes } from "../config/buffer-size.ts";
import { loadConfig } from "../config/config.ts";
import { systemClock, systemRandom } from "../system.ts";
import { type ChildEnd, ChildProcesses } from "./child-processes.ts";
import { DevFolder } from "./dev-folder.ts";
import { findLeftovers } from "./dev-leftovers.ts";
import { DevOutput } from "./dev-output.ts";
import { type DevNode, devClusterFile, devNodeIds, devSecretName, devStore } from "./dev-settings.ts";
import { freePorts, takenPort } from "./free-ports.ts";
import { CommandFailure } from "./run.ts";
import { selfCommand } from "./self-command.ts";
import { StopRequest } from "./stop-request.ts";
import { printLine, type Terminal } from "./terminal.ts";
import { createTerminalLog } from "./terminal-log.ts";

interface DevOptions {
  readonly nodes: number;
  readonly store?: string;
  readonly port?: number;
  readonly dir: string;
  readonly verbose?: boolean;
}

const defaultPort = 7070;

/** Named a to z; more would not show more on one machine. */
const maxNodes = 26;

/** Milliseconds for all nodes to serve: about a second each on a slow machine, and what the store takes. */
const readyMs = 60_000;

/** Milliseconds for the others to hear that a node has left, some pings long: until then they complain that they can't reach it. */
const hearMs = 500;

/** Milliseconds between two questions whether a node serves. */
const askMs = 50;

/** Milliseconds for the nodes to stop in order. Longer than one waits for the store (`flush.stopMs`). */
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
      "s3://BUCKET/PREFIX?endpoint=…&region=… or a folder (default: $WEIR_STORE, or a folder in --dir)",
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
  let children: ChildProcesses | undefined;
  using stop = new StopRequest(systemClock, { stopAtOnce: () => children?.killAll() });
  using folder = new DevFolder(resolve(options.dir));
  const storeUrl = options.store ?? (terminal.env["WEIR_STORE"] || undefined);
  const nodes = await chooseNodes(options, terminal);
  const env = { ...terminal.env, [devSecretName]: systemRandom.id() + systemRandom.id() };
  const write = (listed: readonly DevNode[], sharers: number): void =>
    folder.writeClusterFile(
      devClusterFile({
        nodes: listed,
        sharers,
        store: storeUrl === undefined ? { type: "file", path: "store" } : devStore(storeUrl),
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
  children = startNodes(all, folder.clusterFile, env, output);
  const died = children.diedUnasked.then((end) => ({ kind: "died", end }) as const);
  const stopped = stop.requested.then(() => ({ kind: "stopped" }) as const);
  const giveUp = new AbortController();
  const running = children;
  const ready = allReady(all, giveUp.signal).then(async () => {
    if (leftovers.length > 0) {
      const left = running.expectEnds(leftoverIds);
      // Nodes that are not listed any more leave by themselves, as on any host.
      write(nodes, all.length);
      await Promise.race([left, aborted(giveUp.signal)]);
      await sleep(systemClock, hearMs, giveUp.signal);
    }
    return { kind: "ready" } as const;
  });
  let endedUnasked: string | undefined;
  try {
    let event: Awaited<typeof died | typeof stopped | typeof ready> = await Promise.race([ready, died, stopped]);
    if (event.kind === "ready") {
      output.show();
      printWelcome(nodes, storeUrl, folder.path, terminal);
      event = await Promise.race([died, stopped]);
    }
    if (event.kind === "died") {
      output.release();
      endedUnasked = event.end.name;
      terminal.stderr.write(`weir: ${endText(event.end)}; stopping the others\n`);
      throw new CommandFailure("a node ended");
    }
    printLine(terminal, "stopping; values that are not in the store yet are sent there (Ctrl-C again: at once)");
  } catch (error) {
    output.release();
    throw error;
  } finally {
    giveUp.abort();
    output.hold();
    // Its rejection has been seen above, or is that of giving up.
    await ready.catch(() => undefined);
    const failures = (await children.stop(stopMs)).filter((end) => end.code !== 0 && end.name !== endedUnasked);
    if (failures.length > 0) output.release();
    for (const end of failures) terminal.stderr.write(`weir: ${endText(end)}\n`);
  }
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

function startNodes(
  nodes: readonly DevNode[],
  configPath: string,
  env: Terminal["env"],
  output: DevOutput,
): ChildProcesses {
  const self = selfCommand();
  const specs = nodes.map(({ id }) => ({
    name: id,
    program: self.program,
    arguments: [...self.arguments, "serve", "--config", configPath, "--node", id],
    env,
  }));
  return new ChildProcesses(specs, systemClock, (name, line) => output.line(name, line));
}

/**
 * Resolves once every node serves.
 * @throws OperatingError `not_ready` with the node's reason when one doesn't in time; the signal's reason when it is aborted.
 */
async function allReady(nodes: readonly DevNode[], signal: AbortSignal): Promise<void> {
  const agent = new Agent();
  const deadline = systemClock.now() + readyMs;
  try {
    for (const { id, port } of nodes) {
      for (;;) {
        const reason = await unreadiness(agent, port, signal);
        if (reason === undefined) break;
        if (systemClock.now() > deadline) {
          throw new OperatingError(
            "not_ready",
            `the node ${id} on port ${port} does not serve after ${readyMs / 1_000} s: ${reason}`,
          );
        }
        await sleep(systemClock, askMs, signal);
      }
    }
  } finally {
    await agent.destroy();
  }
}

/** Rejects when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

/** Why the node on `port` does not serve yet; undefined if it does. */
async function unreadiness(agent: Agent, port: number, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await agent.request({ origin: `http://127.0.0.1:${port}`, path: "/readyz", method: "GET", signal });
    const text = await answer.body.text();
    return answer.statusCode === 200 ? undefined : text.trim();
  } catch (error) {
    if (signal.aborted) throw error;
    return (error as Error).message;
  }
}

function printWelcome(
  nodes: readonly DevNode[],
  storeUrl: string | undefined,
  folder: string,
  terminal: Terminal,
): void {
  const [first, second = first] = nodes.map(({ port }) => `http://127.0.0.1:${port}`);
  const shownFolder = relative(process.cwd(), folder) || ".";
  printLine(
    terminal,
    `${nodes.length === 1 ? "A node is" : `${nodes.length} nodes are`} up, over ${storeUrl ?? join(shownFolder, "store")}:`,
  );
  for (const { id, port } of nodes) printLine(terminal, `  ${id}  http://127.0.0.1:${port}`);
  printLine(terminal, "\nTry, in another terminal:");
  printLine(terminal, `  echo hello | curl -T - ${first}/kv/greeting`);
  printLine(terminal, `  curl ${second}/kv/greeting`);
  printLine(
    terminal,
    storeUrl === undefined ? `  cat ${join(shownFolder, "store", "greeting")}` : `  curl ${first}/cluster`,
  );
  printLine(terminal, "\nCtrl-C stops all.");
}

function endText(end: ChildEnd): string {
  if (end.error !== undefined) return `node ${end.name} could not be started: ${end.error.message}`;
  return end.signal === null
    ? `node ${end.name} ended with exit code ${end.code}`
    : `node ${end.name} was ended by ${end.signal}`;
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}
