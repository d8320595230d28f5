/** How a client command reaches the cluster: options that all of them share, and what these come down to. */

import { readFileSync } from "node:fs";

import type { Command } from "commander";
import { isToken } from "../access/token.ts";
import { OperatingError } from "../base/errors.ts";
import { loadConfig } from "../config/config.ts";
import type { Terminal } from "./terminal.ts";

export interface TargetOptions {
  readonly url?: string;
  readonly config?: string;
  readonly node?: string;
  readonly tokenFile?: string;
}

export interface Target {
  /** Base URLs of nodes, in the order in which to try them. */
  readonly urls: readonly string[];
  /** Sent with each request. */
  readonly token: string | undefined;
}

const defaultUrl = "http://127.0.0.1:7070";

export function addTargetOptions(command: Command): Command {
  return addCredentialOptions(command)
    .option("--url <url>", `a node of the cluster (default: $WEIR_URL, or ${defaultUrl})`)
    .option("--config <file>", "find the nodes in this cluster.json; the next is tried if one does not answer")
    .option("--node <id>", "with --config: the node to try first");
}

/** What a command shows to nodes, wherever it finds them. */
export function addCredentialOptions(command: Command): Command {
  return command.option("--token-file <file>", "send the token in this file (default: $WEIR_TOKEN)");
}

/**
 * The nodes to ask, and what to show them.
 * @throws OperatingError `config_invalid` when the options contradict each other or the file is wrong.
 */
export function resolveTarget(options: TargetOptions, env: Terminal["env"]): Target {
  return { urls: resolveUrls(options, env), token: resolveToken(options, env) };
}

function resolveUrls(options: TargetOptions, env: Terminal["env"]): readonly string[] {
  if (options.config === undefined) {
    if (options.node !== undefined) throw new OperatingError("config_invalid", "--node needs --config");
    return [checkedUrl(options.url ?? (env["WEIR_URL"] || defaultUrl))];
  }
  if (options.url !== undefined) throw new OperatingError("config_invalid", "give --url or --config, not both");
  const { nodes } = loadConfig(options.config, { env, purpose: "client" });
  const first = nodes.find((node) => node.id === options.node);
  if (options.node !== undefined && first === undefined) {
    const ids = nodes.map((node) => node.id).join(", ");
    throw new OperatingError(
      "config_invalid",
      `there is no node ${JSON.stringify(options.node)}; the nodes are ${ids}`,
    );
  }
  return [...(first === undefined ? [] : [first]), ...nodes.filter((node) => node !== first)].map((node) => node.url);
}

/** What was found is not quoted: a wrong file may hold any secret. */
function resolveToken({ tokenFile }: TargetOptions, env: Terminal["env"]): string | undefined {
  const source = tokenFile ?? "WEIR_TOKEN";
  const token = (tokenFile === undefined ? env["WEIR_TOKEN"] : readTokenFile(tokenFile))?.trim();
  if (token === undefined || (token === "" && tokenFile === undefined)) return undefined;
  if (isToken(token)) return token;
  throw new OperatingError("config_invalid", `${source} does not hold a token, as weir token prints it`);
}

function readTokenFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new OperatingError("config_invalid", `can't read ${path}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    });
  }
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new OperatingError("config_invalid", `${JSON.stringify(text)} is not a URL of a node, such as ${defaultUrl}`);
  }
  return url.origin;
}
