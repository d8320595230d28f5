/**
 * The composition of one node: its settings, store, network, member and HTTP server put together. The only file that knows
 * all of them.
 */

import { assert } from "./base/assert.ts";
import { OperatingError } from "./base/errors.ts";
import type { Log } from "./base/log.ts";
import type { Config, NodeConfig, StoreConfig } from "./config/config.ts";
import { listenAddress } from "./config/own-node.ts";
import { createHttpServer } from "./http/server.ts";
import { defaultHttpSettings, type HttpSettings } from "./http/settings.ts";
import { Member } from "./member/member.ts";
import type { MemberSettings } from "./member/settings.ts";
import { peerProtocol } from "./network/dial.ts";
import { HttpNetwork } from "./network/http-network.ts";
import { defaultLinkSettings, type LinkSettings } from "./network/link-settings.ts";
import type { BlobStore } from "./store/blob-store.ts";
import { openStore, type StoreSettings } from "./store/open-store.ts";
import { systemClock, systemRandom } from "./system.ts";

export interface NodeOptions {
  readonly log: Log;
}

export interface RunningNode {
  /** Where it serves, such as `http://127.0.0.1:7070`. */
  readonly url: string;
  /** Rejects when the node cannot go on: its process has to end. Never resolves. */
  readonly failed: Promise<never>;
  /** Stops in order: no new requests, what is under way is answered, what can be flushed is flushed. */
  stop(): Promise<void>;
}

/** A flush begins with this many requests at once, and adds to them while the store keeps up. */
const initialConcurrency = 8;
/** Connections to the store beyond those for flushing: for reads. */
const readConnections = 64;

/**
 * Starts the node `nodeId` of `config`; resolves once it listens (`/readyz` says when it serves).
 * @throws OperatingError when it can't listen.
 */
export async function startNode(config: Config, nodeId: string, { log }: NodeOptions): Promise<RunningNode> {
  const node = config.nodes.find((each) => each.id === nodeId);
  assert(node !== undefined, "the node's id is one of the configuration's");
  const clock = systemClock;
  const random = systemRandom;
  const incarnation = random.id();
  const store = openConfiguredStore(config);
  const network = new HttpNetwork({
    identity: { id: nodeId, incarnation },
    cluster: config.cluster,
    secret: config.secret.reveal(),
    settings: linkSettings(config),
    clock,
    random,
    log,
  });
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  // Who waits for it hears of it; nobody has to.
  failed.catch(() => undefined);
  const member = new Member({
    // In memory only, every process begins with nothing: like a new folder.
    identity: { id: nodeId, folder: incarnation, incarnation, url: node.url, weight: node.weight, ...zoneOf(node) },
    nodes: config.nodes.map(({ id, url }) => ({ id, url })),
    settings: memberSettings(config),
    clock,
    random,
    network,
    store,
    log,
    onReplaced: () => fail(new OperatingError("shutting_down", `another process has joined as ${nodeId}`)),
  });
  const http = createHttpServer({
    operations: member,
    settings: httpSettings(config, node),
    clock,
    log,
    upgradeProtocol: peerProtocol,
    onUpgrade: (request, socket, head) => network.accept(request, socket, head),
  });
  const { port } = await http.listen();

  let isStopping = false;
  // It joins in its own time: meanwhile `/readyz` says why it does not serve yet.
  member.start().catch((error: unknown) => {
    if (!isStopping) fail(error);
  });
  return {
    url: `${new URL(node.url).origin.replace(/:\d+$/, "")}:${port}`,
    failed,
    async stop() {
      isStopping = true;
      await Promise.all([http[Symbol.asyncDispose](), member.stop()]);
      await network[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** The store that the configuration names; it still has to be probed. */
export function openConfiguredStore(config: Config): BlobStore {
  const settings = storeSettings(config.store, config.flush.concurrency);
  return openStore(settings, { clock: systemClock, random: systemRandom });
}

function zoneOf(node: NodeConfig): { zone?: string } {
  return node.zone === undefined ? {} : { zone: node.zone };
}

function memberSettings(config: Config): MemberSettings {
  const { buffer, flush, request } = config;
  return {
    cluster: config.cluster,
    replicas: config.replicas,
    flushDeadlineMs: flush.deadlineMs,
    leaseMs: config.peers.leaseMs,
    suspectMs: config.peers.suspectMs,
    room: { dirtyBytes: buffer.dirtyBytes, waitMs: buffer.waitMs },
    cacheBytes: buffer.cacheBytes,
    maxValueBytes: buffer.maxValueBytes,
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

function httpSettings(config: Config, node: NodeConfig): HttpSettings {
  const { host = "::", port } = listenAddress(config, node);
  return { ...defaultHttpSettings, ...config.http, host, port, maxValueBytes: config.buffer.maxValueBytes };
}

function linkSettings({ peers, buffer }: Config): LinkSettings {
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
      payloadBytes: Math.max(receive.payloadBytes, buffer.maxValueBytes),
      // Two of the largest values at once.
      reassemblyBytes: Math.max(receive.reassemblyBytes, 2 * buffer.maxValueBytes),
    },
  };
}

function storeSettings(store: StoreConfig, concurrency: number): StoreSettings {
  if (store.type === "file") return { type: "file", path: store.path };
  const { bucket, prefix, region, endpoint, forcePathStyle, accessKeyId, secretAccessKey } = store;
  return {
    type: "s3",
    bucket,
    prefix,
    region,
    endpoint,
    forcePathStyle,
    accessKeyId: accessKeyId?.reveal(),
    secretAccessKey: secretAccessKey?.reveal(),
    connections: concurrency + readConnections,
  };
}
