/**
 * `weir health`: whether a node answers, for the supervisor of its process. With `--ready`: whether it may be sent
 * requests.
 */

import { isIPv6 } from "node:net";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { isOperatingError } from "../../base/errors.ts";
import { plain } from "../../base/quantity-text.ts";
import { loadConfig, readConfigFile } from "../../config/config.ts";
import { type NodePlaces, placesDespiteMistakes } from "../../config/node-places.ts";
import { isTlsUrl, urlHost } from "../../config/node-url.ts";
import { findOwnNode, hostAddresses, listenAddress } from "../../config/own-node.ts";
import { ClusterClient, foreignAnswer, parseJson, readText } from "../client/client.ts";
import { failureText } from "../client/run.ts";
import { addTargetOptions, resolveTarget, type Target, type TargetOptions } from "../client/target.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";

interface HealthOptions extends TargetOptions {
  readonly ready?: boolean;
  readonly json?: boolean;
}

/** What keeps a node that is alive from taking part. */
const trouble = z.string().optional();
const aliveSchema = z.looseObject({ alive: z.literal(true), trouble });
const readySchema = z.looseObject({ ready: z.literal(true), trouble });

/** Milliseconds for an answer. Health checks usually allow more, so that this command says what is wrong. */
const answerMs = 3_000;

export function addHealthCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("health"))
    .summary("whether this host's node answers, for health checks")
    .description(
      "Asks a node whether it is alive, and exits with 0 if it is. With --config it is the node of this host, or the one that --node or $WEIR_NODE names, where it listens. If that file has become wrong, the node is asked all the same: where the rest of the file says that it listens, or else as without --config. " +
        "A node that is alive but not ready (it joins, it leaves, it has no lease) must not be restarted for that: use --ready for load balancers only.",
    )
    .option("--ready", "whether it may be sent requests")
    .option(
      "--json",
      'print the outcome as JSON: { "url", "state" }, alive or ready, and "trouble" if it takes no part',
    )
    .addHelpText("after", "\nExamples:\n  weir health\n  weir health --ready --config cluster.json")
    .action(async (options: HealthOptions) => {
      await using client = new ClusterClient(ownTarget(options, terminal), answerMs);
      const answer = await client.request({ method: "GET", path: options.ready ? "/readyz" : "/healthz" });
      const parsed = (options.ready ? readySchema : aliveSchema).safeParse(parseJson(await readText(answer.body)));
      if (!parsed.success) throw foreignAnswer(answer);
      const { trouble } = parsed.data;
      const { url } = answer;
      const state = options.ready ? "ready" : "alive";
      if (options.json) printJson(terminal, { url, state, ...(trouble !== undefined && { trouble }) });
      else printLine(terminal, `${url} is ${state}${trouble === undefined ? "" : `: ${plain(trouble)}`}`);
    });
}

/** This one node, and no other node that answers in its place. */
function ownTarget(options: HealthOptions, terminal: Terminal): Target {
  const { env } = terminal;
  if (options.config === undefined || options.url !== undefined) return resolveTarget(options, env);
  let places: NodePlaces;
  try {
    places = loadConfig(options.config, { env, purpose: "client" });
  } catch (error) {
    if (!isOperatingError(error, "config_invalid")) throw error;
    const target = targetDespiteMistakes(options.config, options, env);
    terminal.stderr.write(`${failureText(error)}\n      The node is asked at ${target.urls.join()} all the same.\n`);
    return target;
  }
  return targetIn(places, options, env);
}

/**
 * A node that runs goes on with what it had when its file becomes wrong, but could not start again with that. So a
 * wrong file must not have a supervisor restart it. If the file does not even tell where the node listens, the node is
 * asked where a command without a configuration would ask it.
 */
function targetDespiteMistakes(path: string, options: HealthOptions, env: Terminal["env"]): Target {
  const { config: _config, node: _node, ...others } = options;
  try {
    const places = placesDespiteMistakes(readConfigFile(path), dirname(resolve(path)));
    if (places !== undefined) return targetIn(places, options, env);
  } catch (error) {
    if (!isOperatingError(error)) throw error;
  }
  return resolveTarget(others, env);
}

function targetIn(places: NodePlaces, options: HealthOptions, env: Terminal["env"]): Target {
  const target = resolveTarget(options, env, () => places);
  const node = findOwnNode(places, { node: options.node, env, addresses: hostAddresses() });
  // The address on which it listens. Others may reach it at another one.
  const { host, port } = listenAddress(places, node);
  return {
    ...target,
    urls: [`${isTlsUrl(node.url) ? "https" : "http"}://${hostInUrl(host)}:${port}`],
    tls: { ...target.tls, host: urlHost(node.url) },
  };
}

/** A node can listen on all addresses of its host, but not every system can connect to that wildcard. */
function hostInUrl(host: string | undefined): string {
  // Who listens on "::" is reached by IPv4, too, also where the system has IPv6 switched off.
  if (host === undefined || host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return isIPv6(host) ? `[${host}]` : host;
}
