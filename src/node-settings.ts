/** From the configuration to the settings of each part of a node: what `compose.ts` hands out. */

import { OperatingError } from "./base/errors.ts";
import { largestBufferedBytes } from "./config/buffer-schema.ts";
import type { Config, NodeConfig } from "./config/config.ts";
import { listenAddress } from "./config/own-node.ts";
import { defaultHttpSettings, type HttpSettings } from "./http/server/settings.ts";
import { longestTriesMs, partsUnderWay } from "./member/large/upload-run.ts";
import type { MemberSettings } from "./member/settings.ts";
import { defaultLinkSettings, type LinkSettings } from "./network/link-settings.ts";
import type { StoreSettings } from "./store/open-store.ts";

/** A flush begins with this many requests at once, and adds to them while the store keeps up. */
const initialConcurrency = 8;
/** Connections to the store beyond those for flushing: for reads. */
const readConnections = 64;
/** The journal's, the log's, the runtime's own, and what is open for a moment only. */
const otherFiles = 64;
/** With less there is no point in beginning. */
const leastConnections = 16;
/** Beyond what a request may take without a sign of life before its connection is cut, in milliseconds. */
const silenceMarginMs = 10_000;

export function memberSettings(config: Config): MemberSettings {
  const { buffer, flush, request } = config;
  return {
    cluster: config.cluster,
    replicas: config.replicas,
    flushDeadlineMs: flush.deadlineMs,
    leaseMs: config.peers.leaseMs,
    suspectMs: config.peers.suspectMs,
    admission: { dirtyBytes: buffer.dirtyBytes, waitMs: buffer.waitMs },
    maxDirtyAgeMs: buffer.maxDirtyAgeMs,
    journaled: config.journal !== "off",
    cacheBytes: buffer.cacheBytes,
    maxValueBytes: buffer.maxValueBytes,
    large: config.large,
    flush: {
      delayMs: flush.delayMs,
      pace: {
        initialConcurrency: Math.min(initialConcurrency, flush.concurrency),
        maxConcurrency: flush.concurrency,
      },
      backoff: { minMs: flush.retryMinMs, maxMs: flush.retryMaxMs },
    },
    operationMs: request.deadlineMs,
    operationLimit: request.limit,
    pingMs: config.peers.pingMs,
    stopMs: flush.stopMs,
  };
}

/**
 * @param openFiles - how many files and sockets the process may have open: where they are too few for `http.connections`, as many connections as they leave room for
 * @throws OperatingError `config_invalid` when they are too few to do anything.
 */
export function httpSettings(config: Config, node: NodeConfig, openFiles = Number.POSITIVE_INFINITY): HttpSettings {
  const { host = "::", port } = listenAddress(config, node);
  const others = ownFiles(config) + defaultHttpSettings.spareConnections;
  if (openFiles < others + leastConnections) {
    throw new OperatingError(
      "config_invalid",
      `this process may have ${openFiles} files and sockets open, and needs ${others + leastConnections} at least: raise its limit (ulimit -n, LimitNOFILE of systemd)`,
    );
  }
  return {
    ...defaultHttpSettings,
    ...config.http,
    connections: Math.min(config.http.connections, openFiles - others),
    host,
    port,
    maxValueBytes: config.buffer.maxValueBytes,
    maxStreamBytes: config.large.maxValueBytes,
    bodyIdleMs: config.large.idleMs,
    stallMs: Math.max(defaultHttpSettings.stallMs, longestSilenceMs(config)),
  };
}

/** What a node has open for itself, at most. */
function ownFiles({ store, flush, large, nodes }: Config): number {
  // To a folder it is the object, that one's metadata, a lock and the folder.
  const ofFlush = store.type === "file" ? 4 : 1;
  const ofStore = ofFlush * flush.concurrency + readConnections + partsUnderWay * large.uploads + large.downloads;
  return ofStore + 4 * nodes.length + otherFiles;
}

/** How long a request may be under way with nothing moving on its connection: between two chunks of its body, or while the store takes a part of it at the last try and completes it. */
function longestSilenceMs({ large, flush, request }: Config): number {
  const storeMs = longestTriesMs(flush.deadlineMs) + 2 * flush.deadlineMs + request.deadlineMs;
  return Math.max(large.idleMs, storeMs) + silenceMarginMs;
}

export function linkSettings({ peers, buffer }: Config): LinkSettings {
  const { silenceMs, handshakeMs, redialMinMs, redialMaxMs, maxQueueBytes, maxInFlight } = peers;
  const { receive } = defaultLinkSettings;
  return {
    ...defaultLinkSettings,
    silenceMs,
    handshakeMs,
    redialMinMs,
    redialMaxMs,
    maxQueueBytes,
    maxInFlight,
    receive: {
      ...receive,
      // Whatever a node's own limit is: another may hold what was written when it was higher, and has to hand it over.
      payloadBytes: largestBufferedBytes,
      // Two of the largest that it takes itself at once.
      reassemblyBytes: Math.max(largestBufferedBytes, 2 * buffer.maxValueBytes),
    },
  };
}

/** Of the store that it names. */
export function storeSettings({ store, flush, large }: Pick<Config, "store" | "flush" | "large">): StoreSettings {
  if (store.type === "file") return store;
  const connections = flush.concurrency + large.uploads * partsUnderWay + large.downloads + readConnections;
  if (store.type === "azure") {
    const { accountKey, connectionString } = store;
    return {
      ...store,
      accountKey: accountKey?.reveal(),
      connectionString: connectionString?.reveal(),
      connections,
    };
  }
  const { accessKeyId, secretAccessKey } = store;
  return {
    ...store,
    accessKeyId: accessKeyId?.reveal(),
    secretAccessKey: secretAccessKey?.reveal(),
    connections,
  };
}
