/** How a client command reaches the cluster: the options of all such commands, and the target that they name. */

import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { isToken } from "../../access/token.ts";
import { OperatingError, UsageError } from "../../base/errors.ts";
import { type Config, loadConfig } from "../../config/config.ts";
import type { NodePlaces } from "../../config/node-places.ts";
import { namedNode } from "../../config/own-node.ts";
import { fileTrouble } from "../process/file-trouble.ts";
import type { Terminal } from "../process/terminal.ts";

export interface TargetOptions {
  readonly url?: string;
  readonly config?: string;
  readonly node?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** In PEM. */
export interface TargetTls {
  /** Replaces the authorities that the runtime knows. */
  readonly ca?: string;
  /** Shown to nodes that ask for it. */
  readonly cert?: string;
  readonly key?: string;
  /** The host that the node's certificate must name, if it is not the host in the url. */
  readonly host?: string;
}

export interface Target {
  /** Base URLs of nodes, in the order in which to try them. */
  readonly urls: readonly string[];
  /** Sent with each request. */
  readonly token: string | undefined;
  readonly tls: TargetTls;
}

const defaultUrl = "http://127.0.0.1:7070";

export function addTargetOptions(command: Command): Command {
  return addCredentialOptions(command)
    .option("--url <url>", `a node of the cluster (default: $WEIR_URL, or ${defaultUrl})`)
    .option("--config <file>", "find the nodes in this cluster.json; the next is tried if one does not answer")
    .option("--node <id>", "with --config: the node to try first");
}

/** The options for what a command shows to nodes. */
export function addCredentialOptions(command: Command): Command {
  return command
    .option("--token-file <file>", "send the token in this file (default: $WEIR_TOKEN)")
    .option(
      "--ca <file>",
      "check nodes' certificates against these authorities (default: $WEIR_CA, or --config's tls.ca)",
    )
    .option("--cert <file>", "show this certificate (default: $WEIR_CERT, or --config's, where nodes ask for one)")
    .option("--key <file>", "its private key (default: $WEIR_KEY, or --config's)");
}

/**
 * The nodes to ask, and what to show them.
 *
 * @param load Reads the configuration.
 * @throws UsageError when the options contradict each other. OperatingError `config_invalid` when a file is wrong.
 */
export function resolveTarget(
  options: TargetOptions,
  env: Terminal["env"],
  load: (path: string) => NodePlaces = (path) => loadConfig(path, { env, purpose: "client" }),
): Target {
  const config = options.config === undefined || options.url !== undefined ? undefined : load(options.config);
  return {
    urls: resolveUrls(options, config, env),
    token: resolveToken(options, env),
    tls: resolveTls(options, config?.tls, env),
  };
}

function resolveUrls(options: TargetOptions, config: NodePlaces | undefined, env: Terminal["env"]): readonly string[] {
  if (options.config === undefined) {
    if (options.node !== undefined) throw new UsageError("--node needs --config");
    return [checkedUrl(options.url ?? (env["WEIR_URL"] || defaultUrl))];
  }
  if (config === undefined) throw new UsageError("give --url or --config, not both");
  const { nodes } = config;
  const first = options.node === undefined ? undefined : namedNode(config, options.node);
  return [...(first === undefined ? [] : [first]), ...nodes.filter((node) => node !== first)].map((node) => node.url);
}

/** The error does not quote the text: a wrong file may hold any secret. */
function resolveToken({ tokenFile }: TargetOptions, env: Terminal["env"]): string | undefined {
  const source = tokenFile ?? "WEIR_TOKEN";
  const token = (tokenFile === undefined ? env["WEIR_TOKEN"] : readGiven(tokenFile))?.trim();
  if (token === undefined || (token === "" && tokenFile === undefined)) return undefined;
  if (isToken(token)) return token;
  throw new OperatingError("config_invalid", `${source} does not hold a token, as weir token prints it`);
}

/**
 * The client's host may have no certificate of its own, or the user no right to read its key. Then the client shows
 * none.
 */
function resolveTls(options: TargetOptions, tls: Config["tls"], env: Terminal["env"]): TargetTls {
  const ca = options.ca ?? (env["WEIR_CA"] || tls?.ca);
  const cert = options.cert ?? (env["WEIR_CERT"] || undefined);
  const key = options.key ?? (env["WEIR_KEY"] || undefined);
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("give --cert and --key (WEIR_CERT, WEIR_KEY), or neither");
  }
  return {
    ...(ca !== undefined && { ca: readGiven(ca) }),
    ...(cert !== undefined && key !== undefined
      ? { cert: readGiven(cert), key: readGiven(key) }
      : tls?.clientCa !== undefined && readPair(tls.cert, tls.key)),
  };
}

function readPair(cert: string, key: string): { readonly cert: string; readonly key: string } | undefined {
  try {
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  } catch {
    return undefined;
  }
}

function readGiven(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new OperatingError("config_invalid", `can't read ${path}: ${fileTrouble(cause)}`, {
      cause,
    });
  }
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`${JSON.stringify(text)} is not a URL of a node, such as ${defaultUrl}`);
  }
  return url.origin;
}
