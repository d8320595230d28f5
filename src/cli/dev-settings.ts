/** What `weir dev` runs: a cluster.json for nodes that share this machine, and the store that it was asked for. */

import { OperatingError } from "../base/errors.ts";

/** The environment variable that hands the cluster's secret to the nodes. */
export const devSecretName = "WEIR_DEV_SECRET";

/** Of the machine's memory, for the buffers and caches of all nodes together: other work goes on beside them. */
const memoryShare = 0.25;

/** Each of a node's two, at most: enough to try things out. */
const maxBufferBytes = 256 * 1024 ** 2;

/** Each of a node's two, at least: the least that holds four values of 4 MiB. */
const minBufferBytes = 16 * 1024 ** 2;

export interface DevSettings {
  /** Of 127.0.0.1, one for each node. */
  readonly ports: readonly number[];
  /** As in cluster.json. */
  readonly store: Readonly<Record<string, unknown>>;
  readonly logLevel: "info" | "warn";
  readonly memoryBytes: number;
}

/** The names of nodes: a, b, c and so on. */
export function devNodeIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String.fromCodePoint("a".charCodeAt(0) + index));
}

/** The content of the cluster.json that the nodes are started with. */
export function devClusterFile(settings: DevSettings): Readonly<Record<string, unknown>> {
  const { ports, memoryBytes } = settings;
  const ids = devNodeIds(ports.length);
  const bufferBytes = Math.max(
    minBufferBytes,
    Math.min(maxBufferBytes, Math.floor((memoryShare * memoryBytes) / (2 * ports.length))),
  );
  return {
    cluster: "dev",
    secret: `env:${devSecretName}`,
    store: settings.store,
    nodes: ports.map((port, index) => ({ id: ids[index], url: `http://127.0.0.1:${port}` })),
    replicas: Math.min(2, ports.length),
    buffer: { dirtyBytes: bufferBytes, cacheBytes: bufferBytes },
    log: { level: settings.logLevel, format: "pretty" },
  };
}

/**
 * The store that a URL names: `s3://BUCKET/PREFIX?endpoint=…&region=…` or `file:PATH`.
 * @throws OperatingError `config_invalid` if it is neither.
 */
export function parseStoreUrl(text: string): Readonly<Record<string, unknown>> {
  if (text.startsWith("file:")) return { type: "file", path: text.slice("file:".length).replace(/^\/\/(?=\/)/, "") };
  const url = URL.parse(text);
  if (url === null || url.protocol !== "s3:" || url.hostname === "") {
    throw new OperatingError(
      "config_invalid",
      `${JSON.stringify(text)} is not a store; write s3://BUCKET/PREFIX?region=REGION&endpoint=URL or file:PATH`,
    );
  }
  const unknown = [...url.searchParams.keys()].find((name) => name !== "region" && name !== "endpoint");
  if (unknown !== undefined) {
    throw new OperatingError("config_invalid", `a store has no ${unknown}; there is region and endpoint`);
  }
  const prefix = decodeURIComponent(url.pathname.slice(1));
  return {
    type: "s3",
    bucket: url.hostname,
    ...(prefix !== "" && { prefix: prefix.endsWith("/") ? prefix : `${prefix}/` }),
    ...Object.fromEntries(url.searchParams),
  };
}
