/** `weir check`: whether a cluster.json is right and its store can be used. It starts nothing. */

import type { Command } from "commander";
import { UsageError } from "../../base/errors.ts";
import { formatBytes } from "../../base/quantity-text.ts";
import { type Config, loadConfig } from "../../config/config.ts";
import { namedNode } from "../../config/own-node.ts";
import { parseView, type View, viewName } from "../../core/view.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import { CommandFailure } from "../client/run.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";
import { checkDiskOf } from "./check-disk.ts";
import { authText, checkTlsOf, s3Text } from "./check-security.ts";

interface CheckOptions {
  readonly config?: string;
  readonly node?: string;
  readonly json?: boolean;
}

export function addCheckCommand(program: Command, terminal: Terminal): void {
  program
    .command("check")
    .summary("check a cluster.json and the store that it names")
    .description(
      "Checks the configuration, all mistakes at once, measures the disk of the data folder, and tries the store: whether it can be reached, whether rights suffice, whether it writes conditionally. It needs the same environment, and the same user, as weir serve.",
    )
    .argument("[file]", "the cluster.json")
    .option("--config <file>", "the same, as the other commands take it")
    .option(
      "--node <id>",
      "check certificate and disk for this node (default: $WEIR_NODE, or the one whose url names this host)",
    )
    .option("--json", "print the findings as JSON")
    .addHelpText("after", "\nExample:\n  WEIR_SECRET=... weir check cluster.json")
    .action(async (argument: string | undefined, options: CheckOptions) => {
      const file = namedFile(argument, options);
      const config = loadConfig(file, { env: terminal.env, purpose: "member" });
      await check(file, config, options, terminal);
    });
}

function namedFile(argument: string | undefined, { config }: CheckOptions): string {
  const file = argument ?? config;
  if (file === undefined) throw new UsageError("say which file is to be checked: weir check cluster.json");
  if (argument !== undefined && config !== undefined) throw new UsageError("give the file once, not with --config too");
  return file;
}

async function check(file: string, config: Config, options: CheckOptions, terminal: Terminal): Promise<void> {
  // A wrong id is a mistake, even if it is not needed.
  if (options.node !== undefined) namedNode(config, options.node);
  const tls = config.tls && (await checkTlsOf(config, config.tls, options.node, terminal.env));
  if (!options.json) {
    for (const line of [...summary(file, config), ...(tls?.lines ?? [])]) printLine(terminal, line);
  }
  const disk = await checkDiskOf(config, options.node, terminal.env);
  if (!options.json) for (const line of disk?.lines ?? []) printLine(terminal, line);
  const { openConfiguredStore } = await import("../../compose.ts");
  await using store = openConfiguredStore(config);
  const abilities = await store.probe({ deadlineMs: config.flush.deadlineMs });
  const view = await viewIn(store, config.flush.deadlineMs);
  // Without conditional writes, each of two nodes could believe that its write was the last.
  const isUsable = abilities.conditionalWrites || config.nodes.length === 1;
  if (options.json) {
    printJson(terminal, {
      file,
      cluster: config.cluster,
      nodes: config.nodes,
      ...(tls && { certificate: tls.certificate }),
      ...(disk?.disk && { disk: disk.disk }),
      store: store.description,
      view: view && {
        clusterId: view.parameters.clusterId,
        epoch: view.epoch,
        members: view.members.map(({ id }) => id),
      },
      ...abilities,
      usable: isUsable,
    });
  } else {
    printLine(terminal, `store    ${store.description} can be read, written and removed from`);
    printLine(terminal, `         ${viewText(view)}`);
    for (const note of abilities.notes) printLine(terminal, `         ${note}`);
    printLine(
      terminal,
      isUsable
        ? "\nAll is well."
        : "\nThis store does not write conditionally: it can serve one node, not several. Use another, or name one node.",
    );
  }
  if (!isUsable) throw new CommandFailure("the store can't serve several nodes");
}

/** @throws OperatingError `store_refused` when what is there is not a view. */
async function viewIn(store: BlobStore, deadlineMs: number): Promise<View | undefined> {
  const result = await store.read(viewName, Number.POSITIVE_INFINITY, { deadlineMs });
  return result.kind === "found" ? parseView(result.blob.body) : undefined;
}

/** Nodes over different stores are no cluster: on each host the same id must be seen. */
function viewText(view: View | undefined): string {
  if (view === undefined) return "it has no cluster yet: the first node that starts founds one";
  const { parameters, epoch, members, settled } = view;
  const who = members.length === 0 ? "all nodes have left it" : members.map(({ id }) => id).join(", ");
  const from = parameters.store === undefined ? "" : ` over ${parameters.store}`;
  return `it has the cluster ${parameters.clusterId}${from}, view ${epoch}: ${who}${settled ? "" : " (not settled: members change, or too many are lost)"}; each host must see this cluster`;
}

function summary(file: string, config: Config): string[] {
  const { nodes, buffer, journal, data, replicas } = config;
  const owners = nodes.filter(({ weight }) => weight > 0).length;
  return [
    `${file} is right.`,
    `cluster  ${config.cluster}, ${nodes.length === 1 ? "1 node" : `${nodes.length} nodes`}: ${nodes.map((node) => `${node.id} ${node.url}`).join(", ")}`,
    `auth     ${authText(config)}`,
    `s3       ${s3Text(config)}`,
    `buffer   ${formatBytes(buffer.dirtyBytes)} not stored yet, ${formatBytes(buffer.cacheBytes)} cached, on this host`,
    journal === "off"
      ? "journal  off: what is not stored yet is in memory only"
      : `journal  ${data}, a folder for each node`,
    ...(owners < replicas
      ? [
          `replicas ${replicas}, and ${owners} of the nodes own keys: each write waits for the store until there are more`,
        ]
      : []),
  ];
}
