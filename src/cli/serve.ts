/** `weir serve`: one node, from its configuration to its orderly end. */

import type { Command } from "commander";
import type { Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { startNode } from "../compose.ts";
import { loadConfig } from "../config/config.ts";
import { findOwnNode, hostAddresses } from "../config/own-node.ts";
import { createProcessLog } from "../log.ts";
import { systemClock } from "../system.ts";
import { version } from "../version.ts";
import { exitOnUncaught } from "./crash.ts";
import { StopRequest } from "./stop-request.ts";
import type { Terminal } from "./terminal.ts";

interface ServeOptions {
  readonly config: string;
  readonly node?: string;
}

/** Milliseconds that a node whose parent is gone may take to stop in order: nobody waits for it, and nobody would end it. */
const orphanStopMs = 10_000;

export function addServeCommand(program: Command, terminal: Terminal): void {
  program
    .command("serve")
    .summary("run a node")
    .description(
      "Runs one node of the cluster that the configuration describes, until SIGTERM or Ctrl-C. A second one stops it at once.",
    )
    .requiredOption("--config <file>", "the cluster's cluster.json, the same on every host")
    .option("--node <id>", "which node this is (default: $WEIR_NODE, or the one whose url names this host)")
    .addHelpText("after", "\nExample:\n  WEIR_SECRET=... weir serve --config cluster.json --node a")
    .action(async (options: ServeOptions) => {
      await serve(options, terminal);
    });
}

async function serve(options: ServeOptions, terminal: Terminal): Promise<void> {
  using stop = new StopRequest(systemClock, () =>
    process.stderr.write("weir: stopped at once; values on this node only are lost\n"),
  );
  const config = loadConfig(options.config, { env: terminal.env, purpose: "member" });
  const { id } = findOwnNode(config, { node: options.node, env: terminal.env, addresses: hostAddresses() });
  const log = createProcessLog(config.log).child({ node: id });
  exitOnUncaught(log);
  log.info("starting", { version, cluster: config.cluster, pid: process.pid });

  const node = await startNode(config, id, { log }).catch((error: unknown) => giveUp(log, "could not start", error));
  log.info("listening", { url: node.url });
  const failed = node.failed.catch((error: unknown) => giveUp(log, "the node can't go on", error));
  const reason = await Promise.race([stop.requested, failed]);
  log.info("stopping", { reason });
  // Of a child of weir dev whose parent is gone.
  const bound = process.connected === false ? boundOrphanStop(log) : undefined;
  await node.stop();
  bound?.cancel();
  log.info("stopped");
}

/** Ends the process at once: what is half started, or has failed, has nothing left that could be stopped in order. */
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
