/**
 * Which entry of `nodes` this process is, and where it listens. The same cluster.json lies on every host, so each
 * process has to find itself in it.
 */

import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { OperatingError, UsageError } from "../base/errors.ts";
import type { Config, NodeConfig } from "./config.ts";
import { urlHost, urlPort } from "./node-url.ts";

type Listed = Pick<NodeConfig, "id" | "url">;

interface WithNodes<T extends Listed> {
  readonly nodes: readonly T[];
}

export interface OwnNodeHints {
  /** From the command line. */
  readonly node?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** This host's addresses, without brackets. */
  readonly addresses: readonly string[];
}

/**
 * The entry that is this process: the one named by `--node`, or by WEIR_NODE, or the only one whose url holds an
 * address of this host.
 *
 * @throws OperatingError `config_invalid`, which says what to do, when there is none, or more than one
 */
export function findOwnNode<T extends Listed>(config: WithNodes<T>, hints: OwnNodeHints): T {
  const name = hints.node ?? (hints.env["WEIR_NODE"] || undefined);
  if (name !== undefined) return namedNode(config, name);
  const own = config.nodes.filter((node) => hints.addresses.includes(urlHost(node.url)));
  const [first] = own;
  if (own.length === 1 && first !== undefined) return first;
  const reason =
    own.length === 0
      ? "no node's url names an address of this host"
      : `the urls of ${own.map((node) => node.id).join(", ")} all name this host`;
  throw new OperatingError(
    "config_invalid",
    `${reason}: say which node this is with --node ID or WEIR_NODE (${idsOf(config)})`,
  );
}

/**
 * The entry of this id.
 *
 * @throws UsageError when there is none
 */
export function namedNode<T extends Listed>(config: WithNodes<T>, id: string): T {
  const named = config.nodes.find((node) => node.id === id);
  if (named !== undefined) return named;
  throw new UsageError(`there is no node ${JSON.stringify(id)}; the nodes are ${idsOf(config)}`);
}

function idsOf({ nodes }: WithNodes<Listed>): string {
  return nodes.map(({ id }) => id).join(", ");
}

/** This host's addresses, and the name that always means this host. */
export function hostAddresses(): readonly string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return [...addresses.map((each) => each.address), "localhost"];
}

export interface ListenAddress {
  /** Undefined means every address of the host. */
  readonly host: string | undefined;
  readonly port: number;
}

/**
 * Where `node` listens. If its url has an address, it listens on that one, so that the host's other networks can't
 * reach it. A name may resolve to an address that isn't the host's own (a service, a translated address). So with a
 * name it listens on all addresses.
 */
export function listenAddress({ listen }: Pick<Config, "listen">, node: Listed): ListenAddress {
  const host = urlHost(node.url);
  const ownHost = isIP(host) !== 0 || host === "localhost" ? host : undefined;
  return { host: listen.host ?? ownHost, port: listen.port ?? urlPort(node.url) };
}
