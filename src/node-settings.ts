/** Turns the configuration into the settings of each part of a node. `compose.ts` hands them out. */

import { OperatingError } from "./base/errors.ts";
import type { SliceSettings } from "./base/slices.ts";
import { largestBufferedBytes } from "./config/buffer-schema.ts";
import type { Config, NodeConfig } from "./config/config.ts";
import { listenAddress } from "./config/own-node.ts";
import { replicaReserve } from "./core/admission.ts";
import { defaultHttpSettings, type HttpSettings } from "./http/server/http-settings.ts";
import { defaultSegmentBytes, type JournalSettings } from "./journal/file-journal.ts";
import { longestTriesMs, partsUnderWay } from "./member/large/upload-run.ts";
import type { MemberSettings } from "./member/settings.ts";
import { defaultLinkSettings, type LinkSettings } from "./network/link-settings.ts";
import type { S3Rules } from "./s3/buckets.ts";
import type { StoreSettings } from "./store/open-store.ts";

/** Flushing begins with this many requests at once, and adds to them while the store keeps up. */
const initialConcurrency = 8;
/** Connections to the store for reads, beyond those for flushing. */
const readConnections = 64;
/** The files of the journal, of the log and of the runtime, and those that are open only for a moment. */
const otherFiles = 64;
/** With fewer connections there is no point in starting. */
const leastConnections = 16;
/** The longest silence that a request may need, plus this, in milliseconds: then its connection is cut. */
const silenceMarginMs = 10_000;

/** A slice ends after a few milliseconds anyway. So many items take about one. */
const slices: SliceSettings = { items: 1_000, pauseMs: 0 };

export function memberSettings(config: Config): MemberSettings {
  const { buffer, flush, request } = config;
  return {
    cluster: config.cluster,
    storeName: storeName(config.store),
    replicas: config.replicas,
    flushDeadlineMs: flush.deadlineMs,
    lateEffectMs: flush.lateEffectMs,
    leaseMs: config.peers.leaseMs,
    suspectMs: config.peers.suspectMs,
    admission: { dirtyBytes: buffer.dirtyBytes, refusedBytes: buffer.refusedBytes, waitMs: buffer.waitMs },
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
    pingMs: config.peers.pingMs,
    slices,
    viewCheckMs: config.peers.viewCheckMs,
    stopMs: flush.stopMs,
  };
}

export function journalSettings({ buffer }: Config): JournalSettings {
  return {
    segmentBytes: defaultSegmentBytes,
    // The journal holds what the buffer holds, including others' values beyond the buffer's limit.
    liveLimitBytes: Math.ceil((1 + replicaReserve) * buffer.dirtyBytes),
  };
}

/** Hosts may reach a bucket by different endpoints, and have a shared folder in different places. */
function storeName(store: Config["store"]): string | undefined {
  if (store.type === "s3") return `s3://${store.bucket}/${store.prefix}`;
  if (store.type === "azure") return `azure://${store.container}/${store.prefix}`;
  return undefined;
}

/**
 * @param openFiles - how many files and sockets the process may have open. If they are too few for `http.connections`,
 *   there are as many connections as they leave room for.
 * @throws OperatingError `config_invalid` when they are too few to do anything
 */
export function httpSettings(config: Config, node: NodeConfig, openFiles = Number.POSITIVE_INFINITY): HttpSettings {
  const { host, port } = listenAddress(config, node);
  const { hosts: _ofAccess, ...http } = config.http;
  const others = ownFiles(config) + defaultHttpSettings.spareConnections;
  if (openFiles < others + leastConnections) {
    throw new OperatingError(
      "config_invalid",
      `this process may have ${openFiles} files and sockets open, and needs ${others + leastConnections} at least: raise its limit (ulimit -n, LimitNOFILE of systemd)`,
    );
  }
  const connections = Math.min(config.http.connections, openFiles - others);
  return {
    ...defaultHttpSettings,
    ...http,
    connections,
    host,
    port,
    maxValueBytes: config.buffer.maxValueBytes,
    maxStreamBytes: config.large.maxValueBytes,
    bodyIdleMs: config.large.idleMs,
    uploads: config.large.uploads,
    downloads: config.large.downloads,
    uploadBytes: config.large.inFlightBytes,
    partBytes: config.large.partBytes,
    // A connection has one request under way, and is not given up meanwhile. One caller must not have all of them.
    requests: Math.min(config.request.limit, connections),
    stallMs: Math.max(defaultHttpSettings.stallMs, longestSilenceMs(config)),
  };
}

/** How many files and sockets a node has open for itself, at most. */
function ownFiles({ store, flush, large, nodes }: Config): number {
  // A flush to a folder has four files open: the object, its metadata, a lock and the folder.
  const ofFlush = store.type === "file" ? 4 : 1;
  const ofStore = ofFlush * flush.concurrency + readConnections + partsUnderWay * large.uploads + large.downloads;
  return ofStore + 4 * nodes.length + otherFiles;
}

/**
 * How long a request may be under way with nothing moving on its connection. That may be between two chunks of its
 * body. Or its client has not read the answer. Or it is while the store takes a part of the body at the last try, and
 * completes the value.
 */
function longestSilenceMs({ large, flush, request, http }: Config): number {
  const storeMs = longestTriesMs(flush.deadlineMs) + 2 * flush.deadlineMs + request.deadlineMs;
  return Math.max(large.idleMs, http.bodyTimeoutMs, http.answerTimeoutMs, storeMs) + silenceMarginMs;
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
      // The largest limit there is, not the node's own. Another node may hold a value from a time when its limit was
      // higher, and has to hand it over.
      payloadBytes: largestBufferedBytes,
      // Room for two of the largest values that the node itself takes.
      reassemblyBytes: Math.max(largestBufferedBytes, 2 * buffer.maxValueBytes),
    },
  };
}

export function s3Rules({ s3: { buckets, createBuckets, domain } }: Config): S3Rules {
  return { buckets, createBuckets, domain };
}

/** The settings of the store that the configuration names. */
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
