/** What `weir dev` runs: a cluster.json for nodes that share this machine, over the store that the user named. */

import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { parseStoreUrl } from "../../store/open-store.ts";

/** The environment variable that passes the cluster's secret to the nodes. */
export const devSecretName = "WEIR_DEV_SECRET";

/** Share of the machine's memory for the buffers and caches of all nodes together. The rest is for other work. */
const memoryShare = 0.25;

/** The most for a buffer or a cache. It is enough to try things out. */
const maxBufferBytes = 256 * 1024 ** 2;

/** The least for a buffer or a cache. It holds four values of 4 MiB. */
const minBufferBytes = 16 * 1024 ** 2;

/** The bucket that S3 clients find all keys in. */
export const devBucket = "dev";

/** The store of a `weir dev` that is told no other, in its folder. */
export const devStorePath = "store";

export interface DevNode {
  readonly id: string;
  /** On 127.0.0.1. */
  readonly port: number;
}

export interface DevSettings {
  readonly nodes: readonly DevNode[];
  /** How many nodes share the memory. While some leave, that is more than the file lists. */
  readonly sharers: number;
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
  const { nodes, sharers, memoryBytes } = settings;
  const bufferBytes = Math.max(
    minBufferBytes,
    Math.min(maxBufferBytes, Math.floor((memoryShare * memoryBytes) / (2 * sharers))),
  );
  return {
    cluster: "dev",
    secret: `env:${devSecretName}`,
    store: settings.store,
    data: dataName(settings.store),
    nodes: nodes.map(({ id, port }) => ({ id, url: `http://127.0.0.1:${port}` })),
    // Also for one node, which then writes through to the store. The first run fixes it, and the next may have more
    // nodes.
    replicas: 2,
    buffer: { dirtyBytes: bufferBytes, cacheBytes: bufferBytes },
    http: { drainMs: 0 },
    s3: { buckets: [{ name: devBucket, prefix: "" }], createBuckets: true },
    log: { level: settings.logLevel, format: "pretty" },
  };
}

/**
 * The folder of the journals. Each store has one of its own: a journal remembers its cluster, and does not go with
 * another store.
 */
function dataName(store: DevSettings["store"]): string {
  if (store["path"] === devStorePath) return "data";
  return `data-${createHash("sha256").update(JSON.stringify(store)).digest("hex").slice(0, 8)}`;
}

/**
 * The store at `url` (see {@link parseStoreUrl}) as cluster.json names it. Paths are absolute, since that file's own
 * folder would be their base.
 */
export function devStore(url: string): Readonly<Record<string, unknown>> {
  const settings = parseStoreUrl(url);
  if (settings.type === "file") return { type: "file", path: resolve(settings.path) };
  const { connections: _connections, ...store } = settings;
  return store;
}
