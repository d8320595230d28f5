/** What `weir check` finds out about tokens and about the certificate that a node would show. */

import { isOperatingError } from "../../base/errors.ts";
import { dateText } from "../../config/certificates.ts";
import type { Config, NodeConfig, TlsConfig } from "../../config/config.ts";
import { isLoopbackHost, urlHost } from "../../config/node-url.ts";
import { findOwnNode, hostAddresses } from "../../config/own-node.ts";
import { dayMs } from "../../config/quantities.ts";
import { loadTls } from "../../config/tls-files.ts";
import { systemClock } from "../../system.ts";
import type { Terminal } from "../process/terminal.ts";

export interface CheckedTls {
  readonly lines: readonly string[];
  readonly certificate: { readonly names: string; readonly expires: string; readonly node?: string };
}

/** @throws OperatingError `config_invalid` that names every mistake. */
export async function checkTlsOf(
  config: Config,
  tls: TlsConfig,
  node: string | undefined,
  env: Terminal["env"],
): Promise<CheckedTls> {
  const own = ownNode(config, node, env);
  const nowMs = systemClock.wallMs();
  const { certificate } = await loadTls(tls, { host: own && urlHost(own.url), nowMs });
  const { validToDate, subjectAltName = "no names" } = certificate;
  const days = Math.floor((validToDate.getTime() - nowMs) / dayMs);
  const expiry = `until ${dateText(validToDate)}, ${days} days from now${days <= tls.warnDays ? ": renew it" : ""}`;
  const clients = tls.clientCa === undefined ? "clients need none" : `clients need one by ${tls.clientCa}`;
  return {
    lines: [
      `tls      ${tls.cert}: ${subjectAltName}, ${expiry}; ${clients}`,
      ...(own === undefined
        ? ["         say --node ID to have it checked for that node's url: which node this host is can't be told"]
        : []),
    ],
    certificate: { names: subjectAltName, expires: validToDate.toISOString(), ...(own && { node: own.id }) },
  };
}

/** Undefined if this host's node cannot be told and no option names it. That is no mistake. */
function ownNode(config: Config, node: string | undefined, env: Terminal["env"]): NodeConfig | undefined {
  try {
    return findOwnNode(config, { node, env, addresses: hostAddresses() });
  } catch (error) {
    if (node === undefined && isOperatingError(error, "config_invalid")) return undefined;
    throw error;
  }
}

/** Who may use the cluster, in words. */
export function authText({ auth, tls, nodes }: Config): string {
  if (auth === undefined) return "none: programs of this host only";
  if (auth === "none") return "none: whoever reaches a node can read and write everything";
  const { tokens, s3Keys } = auth;
  const lists = [listText("token", tokens), listText("S3 key", s3Keys)].filter((each) => each !== undefined);
  const isOpen = tls === undefined && nodes.some(({ url }) => !isLoopbackHost(urlHost(url)));
  const warning = isOpen ? "; without tls what they protect crosses the network unencrypted" : "";
  return lists.join("; ") + warning;
}

interface Holder {
  readonly name: string;
  readonly allow: readonly string[];
  readonly prefix?: string | undefined;
}

function listText(kind: string, holders: readonly Holder[]): string | undefined {
  if (holders.length === 0) return undefined;
  const names = holders.map(
    ({ name, allow, prefix }) => `${name} (${allow.join(", ")}${prefix ? ` below ${prefix}` : ""})`,
  );
  return `${holders.length === 1 ? `${kind === "token" ? "a" : "an"} ${kind}` : `${holders.length} ${kind}s`}: ${names.join(", ")}`;
}

/** What S3 clients see, in words. */
export function s3Text({ s3, auth }: Config): string {
  const { buckets, createBuckets, domain, port } = s3;
  const names = buckets.map(({ name, prefix }) => (prefix === "" ? `${name} (all keys)` : `${name} (${prefix})`));
  const more = [
    ...(createBuckets ? ["clients may create others"] : []),
    ...(domain === undefined ? [] : [`as hosts below ${domain}, too`]),
    ...(port === undefined ? [] : [`port ${port} speaks S3 alone`]),
    ...(typeof auth === "object" && auth.s3Keys.length === 0 ? ["nobody has an S3 key"] : []),
  ];
  return [`buckets ${names.join(", ") || "none"}`, ...more].join("; ");
}
