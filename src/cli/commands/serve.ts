/** `weir serve`: one node, from its configuration to its orderly end. */

import type { Command } from "commander";
import type { Timer } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { type Config, fileContext, parseConfig, readConfigFile } from "../../config/config.ts";
import { FileWatch } from "../../config/file-watch.ts";
import { findOwnNode, hostAddresses } from "../../config/own-node.ts";
import { createProcessLog } from "../../log.ts";
import { backgroundClock, systemClock } from "../../system.ts";
import { version } from "../../version.ts";
import { ConfigReload } from "../process/config-reload.ts";
import { exitOnUncaught } from "../process/crash.ts";
import { StopRequest } from "../process/stop-request.ts";
import type { Terminal } from "../process/terminal.ts";

interface ServeOptions {
  readonly config: string;
  readonly node?: string;
}

/**
 * Milliseconds that an orderly stop may take after the parent is gone. Nobody waits for such a node, and nobody would
 * end it.
 */
const orphanStopMs = 10_000;

export function addServeCommand(program: Command, terminal: Terminal): void {
  program
    .command("serve")
    .summary("run a node")
    .description(
      "Runs one node of the cluster that the configuration describes, until SIGTERM or Ctrl-C: it hands over what it holds and leaves. A second one stops it at once. " +
        "The file is watched (SIGHUP reads it at once): nodes added to it are reached, nodes removed from it are asked to leave; tokens, secrets and the log's level count at once.",
    )
    .requiredOption("--config <file>", "the cluster's cluster.json, the same on every host")
    .option("--node <id>", "which node this is (default: $WEIR_NODE, or the one whose url names this host)")
    .addHelpText("after", "\nExample:\n  WEIR_SECRET=... weir serve --config cluster.json --node a")
    .action(async (options: ServeOptions) => {
      await serve(options, terminal);
    });
}

async function serve(options: ServeOptions, terminal: Terminal): Promise<void> {
  let config: Config | undefined;
  let watch: FileWatch | undefined;
  let reload: ConfigReload | undefined;
  /** The file, or a secret that it names, has changed while the node was starting. */
  let isHungUp = false;
  using stop = new StopRequest(systemClock, {
    stopAtOnce: () => process.stderr.write(`weir: stopped at once; ${lossText(config)}\n`),
    onHangup: () => {
      isHungUp = true;
      reload?.tellAgain();
      void watch?.reread();
    },
  });
  const text = readConfigFile(options.config);
  config = parseConfig(text, fileContext(options.config, { env: terminal.env, purpose: "member" }));
  const { id } = findOwnNode(config, { node: options.node, env: terminal.env, addresses: hostAddresses() });
  const log = createProcessLog(config.log, backgroundClock, { node: id });
  exitOnUncaught(log);
  log.info("starting", { version, cluster: config.cluster, pid: process.pid });

  // Only this command pays for what a node consists of: others start in two thirds of the time.
  const { startNode } = await import("../../compose.ts");
  const node = await startNode(config, id, { log }).catch((error: unknown) => giveUp(log, "could not start", error));
  log.info("listening", { url: node.url });
  const failed = node.failed.catch((error: unknown) => giveUp(log, "the node can't go on", error));
  reload = new ConfigReload({
    path: options.config,
    env: terminal.env,
    running: config,
    node: id,
    target: {
      reconfigure(next) {
        log.setLevel(next.log.level);
        node.reconfigure(next);
      },
      leave: () => node.leave(),
    },
    clock: systemClock,
    log,
  });
  watch = new FileWatch({ path: options.config, text, clock: systemClock, observer: reload });
  if (isHungUp) void watch.reread();
  const reason = await Promise.race([stop.requested, node.ended, failed]);
  watch[Symbol.dispose]();
  reload[Symbol.dispose]();
  log.info("stopping", { reason });
  // This is a child of weir dev whose parent is gone.
  const bound = process.connected === false ? boundOrphanStop(log) : undefined;
  await node.stop();
  bound?.cancel();
  log.info("stopped");
}

/** What stopping at once means for acknowledged writes that are not in the store yet. */
function lossText(config: Config | undefined): string {
  if (config === undefined) return "it had not started";
  return config.journal === "off"
    ? "there is no journal: what only this node held is lost"
    : "nothing is lost: what is not in the store yet is in the journal, and counts again when the node is started";
}

/** Ends the process at once. A node that is half started or has failed has nothing left to stop in order. */
function giveUp(log: Log, what: string, error: unknown): never {
  log.error(what, { error });
  process.exit(1);
}

function boundOrphanStop(log: Log): Timer {
  return systemClock.after(orphanStopMs, () => {
    log.error("stopping at once: the parent process is gone and the orderly stop takes too long");
    process.exit(1);
  });
}
