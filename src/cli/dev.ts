/** `weir dev`: a whole cluster on this machine, of real processes, with nothing to configure. */

import { join, relative, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { Agent } from "undici";
import { sleep } from "../base/clock.ts";
import { OperatingError } from "../base/errors.ts";
import { memoryLimitBytes } from "../config/buffer-size.ts";
import { viewName } from "../core/view.ts";
import { openStore } from "../store/open-store.ts";
import { systemClock, systemRandom } from "../system.ts";
import { type ChildEnd, ChildProcesses } from "./child-processes.ts";
import { DevFolder } from "./dev-folder.ts";
import { DevOutput } from "./dev-output.ts";
import { devClusterFile, devNodeIds, devSecretName, devStore } from "./dev-settings.ts";
import { freePorts, takenPort } from "./free-ports.ts";
import { CommandFailure } from "./run.ts";
import { selfCommand } from "./self-command.ts";
import { StopRequest } from "./stop-request.ts";
import { printLine, type Terminal } from "./terminal.ts";

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

/** Milliseconds between two questions whether a node serves. */
const askMs = 50;

/** Milliseconds for the nodes to stop in order. Longer than one waits for the store (`flush.stopMs`). */
const stopMs = 30_000;

/** Milliseconds for a request to the folder. */
const storeMs = 10_000;

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
    .option("--dir <folder>", "keeps the generated cluster.json and the store", ".weir-dev")
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
  const ports = await choosePorts(options, terminal);
  using folder = new DevFolder(resolve(options.dir));
  const storeUrl = options.store ?? (terminal.env["WEIR_STORE"] || undefined);
  const configPath = folder.writeClusterFile(
    devClusterFile({
      ports,
      store: storeUrl === undefined ? { type: "file", path: "store" } : devStore(storeUrl),
      logLevel: options.verbose ? "info" : "warn",
      memoryBytes: memoryLimitBytes(),
    }),
  );

  if (storeUrl === undefined) await forgetView(join(folder.path, "store"));
  const output = new DevOutput(terminal, options.verbose === true);
  children = startNodes(ports, configPath, terminal, output);
  const died = children.diedUnasked.then((end) => ({ kind: "died", end }) as const);
  const stopped = stop.requested.then(() => ({ kind: "stopped" }) as const);
  const giveUp = new AbortController();
  const ready = allReady(ports, giveUp.signal).then(() => ({ kind: "ready" }) as const);
  let endedUnasked: string | undefined;
  try {
    let event: Awaited<typeof died | typeof stopped | typeof ready> = await Promise.race([ready, died, stopped]);
    if (event.kind === "ready") {
      output.show();
      printWelcome(ports, storeUrl, folder.path, terminal);
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

/**
 * Makes the nodes found a new cluster over the values of the last one, which is gone whole: its view may list nodes that are not
 * started this time, and everybody would wait for them. Only for the folder's own store, which no one else uses.
 */
async function forgetView(storePath: string): Promise<void> {
  await using store = openStore({ type: "file", path: storePath }, { clock: systemClock, random: systemRandom });
  await store.probe({ deadlineMs: storeMs });
  await store.remove(viewName, { kind: "always" }, { deadlineMs: storeMs });
}

function startNodes(
  ports: readonly number[],
  configPath: string,
  terminal: Terminal,
  output: DevOutput,
): ChildProcesses {
  const self = selfCommand();
  const secret = systemRandom.id() + systemRandom.id();
  const specs = devNodeIds(ports.length).map((name) => ({
    name,
    program: self.program,
    arguments: [...self.arguments, "serve", "--config", configPath, "--node", name],
    env: { ...terminal.env, [devSecretName]: secret },
  }));
  return new ChildProcesses(specs, systemClock, (name, line) => output.line(name, line));
}

/**
 * Resolves once every node serves.
 * @throws OperatingError `not_ready` with the node's reason when one doesn't in time; the signal's reason when it is aborted.
 */
async function allReady(ports: readonly number[], signal: AbortSignal): Promise<void> {
  const agent = new Agent();
  const deadline = systemClock.now() + readyMs;
  try {
    for (const port of ports) {
      for (;;) {
        const reason = await unreadiness(agent, port, signal);
        if (reason === undefined) break;
        if (systemClock.now() > deadline) {
          throw new OperatingError(
            "not_ready",
            `the node on port ${port} does not serve after ${readyMs / 1_000} s: ${reason}`,
          );
        }
        await sleep(systemClock, askMs, signal);
      }
    }
  } finally {
    await agent.destroy();
  }
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
  ports: readonly number[],
  storeUrl: string | undefined,
  folder: string,
  terminal: Terminal,
): void {
  const [first, second = first] = ports.map((port) => `http://127.0.0.1:${port}`);
  const shownFolder = relative(process.cwd(), folder) || ".";
  const ids = devNodeIds(ports.length);
  printLine(
    terminal,
    `${ports.length === 1 ? "A node is" : `${ports.length} nodes are`} up, over ${storeUrl ?? join(shownFolder, "store")}:`,
  );
  for (const [index, port] of ports.entries()) printLine(terminal, `  ${ids[index]}  http://127.0.0.1:${port}`);
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
