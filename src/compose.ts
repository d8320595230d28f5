/**
 * The composition of one node: its settings, store, journal, networks, host and HTTP server put together. It is
 * the only file that knows all of them.
 */

import { Access, type AccessRules } from "./access/access.ts";
import { assert } from "./base/assert.ts";
import { endOrTimeout, sleep } from "./base/clock.ts";
import { Complaints, complaintIntervalMs } from "./base/complaints.ts";
import { isOperatingError, OperatingError } from "./base/errors.ts";
import type { Log } from "./base/log.ts";
import { SpareTime } from "./base/spare-time.ts";
import { type Config, dataFolder, type NodeConfig } from "./config/config.ts";
import { isLoopbackHost, urlHost } from "./config/node-url.ts";
import { loadTls, type TlsMaterial } from "./config/tls-files.ts";
import { TlsReload } from "./config/tls-reload.ts";
import type { Operations } from "./core/operation.ts";
import type { ClusterStatus } from "./core/status.ts";
import { createHttpServer, type HttpServer } from "./http/server.ts";
import { DataFolder } from "./journal/data-folder.ts";
import { DiskJournals, journalLimitBytes } from "./journal/disk-journals.ts";
import { freeBytesAt, spaceAt } from "./journal/file-disk.ts";
import { noJournal } from "./journal/no-journal.ts";
import { Host } from "./member/host.ts";
import { ViewRecord } from "./member/views/view-record.ts";
import { exposeNode } from "./metrics/node-metrics.ts";
import { peerProtocol } from "./network/dial.ts";
import { Networks } from "./node-networks.ts";
import { httpSettings, journalSettings, memberSettings, s3Rules, storeSettings } from "./node-settings.ts";
import { Buckets } from "./s3/buckets.ts";
import { s3Activity } from "./s3/s3-activity.ts";
import { S3Front } from "./s3/s3-front.ts";
import { ClientUploads } from "./s3/uploads/client-uploads.ts";
import { UploadSweep } from "./s3/uploads/upload-sweep.ts";
import type { BlobStore } from "./store/blob-store.ts";
import { MeteredStore } from "./store/metered-store.ts";
import { openStore } from "./store/open-store.ts";
import { openFilesLimit, systemClock, systemLoop, systemRandom } from "./system.ts";
import { Dashboard, pagePolicy } from "./ui/dashboard.ts";
import { version } from "./version.ts";

/** Milliseconds in which a disk should say how much of it is free. A scrape does not wait longer for that. */
const lookMs = 1_000;

export interface NodeOptions {
  readonly log: Log;
}

export interface RunningNode {
  /** Where it serves, such as `http://127.0.0.1:7070`. */
  readonly url: string;
  /** Rejects when the node cannot go on: its process has to end at once. Never resolves. */
  readonly failed: Promise<never>;
  /**
   * Resolves, with the reason in words, when the node has left the cluster without {@link stop}. The node has nothing
   * more to do, so the caller stops it.
   */
  readonly ended: Promise<string>;
  /**
   * Takes over this configuration's nodes, tokens and secrets. New nodes are connected to. Nodes that are no longer
   * listed are asked to leave.
   */
  reconfigure(config: Config): void;
  /** Begins to leave the cluster. {@link ended} tells when it has. */
  leave(): void;
  /**
   * Stops in order, within bounded time: hands over what the node holds, leaves the cluster, answers what is under way.
   */
  stop(): Promise<void>;
}

/**
 * Starts the node `nodeId` of `config`. Resolves once it listens (`/readyz` says when it serves).
 *
 * @throws OperatingError when it can't listen, or its certificate or its data folder can't be used
 */
export async function startNode(config: Config, nodeId: string, { log }: NodeOptions): Promise<RunningNode> {
  const node = config.nodes.find((each) => each.id === nodeId);
  assert(node !== undefined, "the node's id is one of the configuration's");
  const openFiles = openFilesLimit();
  const settings = httpSettings(config, node, openFiles);
  if (settings.connections < config.http.connections) {
    log.warn(
      "the system allows this process too few open files for http.connections: fewer connections are served; raise its limit (ulimit -n, LimitNOFILE of systemd)",
      { openFiles, connections: settings.connections },
    );
  }
  const hostName = urlHost(node.url);
  const tls = config.tls && (await loadTls(config.tls, { host: hostName, nowMs: systemClock.wallMs() }));
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  // Nobody has to wait for it.
  failed.catch(() => undefined);
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  /** Taken down in reverse order: when the node stops, or when a later part can't be set up. */
  await using stack = new AsyncDisposableStack();
  const store = stack.use(new MeteredStore(openConfiguredStore(config, log), systemClock));
  const diskJournals = config.journal === "off" ? undefined : nodeJournals(config, nodeId, log);
  const spare = new SpareTime(systemClock, systemLoop);
  const networks = new Networks(config, tls, log, spare);
  const access = new Access(accessRules(config));
  const host = stack.use(
    new Host({
      host: { id: nodeId, url: node.url, weight: node.weight, ...zoneOf(node) },
      nodes: addressesOf(config.nodes),
      settings: memberSettings(config),
      clock: systemClock,
      random: systemRandom,
      connect: (identity) => networks.connect(identity),
      store,
      journals: diskJournals ?? { open: () => Promise.resolve(noJournal(systemRandom.id())) },
      log,
      onReplaced: () => fail(new OperatingError("shutting_down", `another process has joined as ${nodeId}`)),
      onLeaveAsked: () => leave(),
      onLeft: () => end("it has left the cluster"),
    }),
  );
  await host.open();
  const operations = (): Operations => host.operations;
  const buckets = new Buckets(operations, systemClock, s3Rules(config));
  const complaints = new Complaints(log, systemClock, complaintIntervalMs);
  const { leftoverMs } = config.large;
  const uploadParts = { operations, clock: systemClock, random: systemRandom, complaints, leftoverMs };
  const uploads = stack.use(new ClientUploads(uploadParts));
  const sweep = stack.use(new UploadSweep({ ...uploadParts, records: uploads.records, log }));
  sweep.start();
  const http = stack.use(
    createHttpServer({
      operations,
      administration: () => host.operations,
      node: {
        trouble: () => host.trouble(),
        readiness: () => host.readiness(),
        status: () => status(),
        leave: () => leave(),
      },
      onScrape: async () => {
        if (diskJournals) await endOrTimeout(systemClock, lookMs, diskJournals.look());
        return await exposition.scrape();
      },
      dashboard: { policy: pagePolicy, render: () => dashboard.render() },
      access,
      tls: tls?.texts,
      settings,
      clock: systemClock,
      log,
      spare,
      dialect: {
        port: config.s3.port,
        make: (parts) => {
          const ports = { clock: systemClock, random: systemRandom, log };
          return new S3Front({ operations, access, buckets, uploads, settings, ...ports }, parts);
        },
      },
      upgradeProtocol: peerProtocol,
      onUpgrade: (request, socket, head) => networks.accept(request, socket, head),
    }),
  );
  const status = (): ClusterStatus => {
    const s3 = s3Activity(http.metrics.routes());
    return { ...host.status(), ...(s3 !== undefined && { s3 }) };
  };
  const dashboard = stack.use(new Dashboard({ version, status, clock: systemClock }));
  const exposition = exposeNode({
    version,
    status: () => host.status(),
    isReady: () => host.readiness().ready,
    member: host.metrics,
    gauges: () => host.gauges(),
    http,
    store: store.metrics,
    journals: diskJournals,
    journalFailures: () => host.journalFailures,
    isJournalFailed: () => host.trouble() !== undefined,
    peers: () => networks.peers,
    limits: config.buffer,
    certificateExpires: () => networks.tls?.certificate.validToDate,
  });
  const { port, dialectPort } = await http.listen();
  if (dialectPort !== undefined) log.info("listening for S3 alone", { port: dialectPort });
  const onChange = (material: TlsMaterial): void => {
    http.setTls(material.texts);
    networks.tls = material;
  };
  if (config.tls && tls) {
    stack.use(new TlsReload({ tls: config.tls, host: hostName, material: tls, clock: systemClock, log, onChange }));
  }

  if (typeof config.auth === "object" && !config.tls && !isLoopbackHost(hostName)) {
    log.warn("tokens and values cross the network unencrypted, for anyone on it to read; configure tls");
  }
  let isStopping = false;
  let drained: Promise<void> | undefined;
  /**
   * Prepares to leave, in two steps:
   *
   * 1. Load balancers are told, and have time to see it. Near its end, clients that keep connections are sent away.
   * 2. What clients have begun is done to its end.
   *
   * While the node leaves, it still answers, by way of the other nodes.
   */
  const drain = (): Promise<void> => {
    const { joined } = host;
    host.withdraw();
    drained ??= letGo(http, joined ? config.http.drainMs : 0);
    return drained;
  };
  const leave = (): void => void drain().then(() => host.leave());
  // The host joins in its own time. Meanwhile `/readyz` says why it does not serve yet.
  host.run().catch((error: unknown) => {
    if (!isStopping || isOperatingError(error, "disk_failed")) fail(error);
  });
  const resources = stack.move();
  return {
    url: `${new URL(node.url).origin.replace(/:\d+$/, "")}:${port}`,
    failed,
    ended,
    reconfigure(next) {
      access.setRules(accessRules(next));
      buckets.setRules(s3Rules(next));
      networks.setSecrets(next);
      host.setNodes(addressesOf(next.nodes));
    },
    leave,
    async stop() {
      isStopping = true;
      await drain();
      await host.stop();
      await resources.disposeAsync();
    },
  };
}

/**
 * The part of `http.drainMs` in which each connection ends with its next answer. Leaving may take a tenth of a second:
 * too short for all clients to hear of it.
 */
const sendAwayPart = 1 / 5;

/** Lets the clients go, within `drainMs`, and then finishes what they have begun. */
async function letGo(http: HttpServer, drainMs: number): Promise<void> {
  await sleep(systemClock, drainMs * (1 - sendAwayPart));
  http.sendAway();
  await sleep(systemClock, drainMs * sendAwayPart);
  await http.finish();
}

/** The node's journals, on its data folder. */
function nodeJournals(config: Config, nodeId: string, log: Log): DiskJournals {
  const path = dataFolder(config, nodeId);
  const folder = new DataFolder(path, systemRandom);
  return new DiskJournals({
    openDisk: () => folder.open().catch(nameDataSetting),
    free: () => freeBytesAt(path),
    clock: systemClock,
    log,
    settings: journalSettings(config),
  });
}

/** The disk that a node's data folder is on, or will be. */
export interface DataDisk {
  readonly folder: string;
  /** Bytes that are free, that the journal takes, and that it may take at most. */
  readonly freeBytes: number;
  readonly ownBytes: number;
  readonly limitBytes: number;
}

/**
 * Measures the disk; changes nothing. Undefined without a journal.
 * @throws OperatingError `config_invalid`, `disk_failed` when the folder, or where it is to be made, cannot be used.
 */
export async function measureDisk(config: Config, nodeId: string): Promise<DataDisk | undefined> {
  if (config.journal === "off") return undefined;
  const folder = dataFolder(config, nodeId);
  const { freeBytes, ownBytes } = await spaceAt(folder).catch(nameDataSetting);
  return { folder, freeBytes, ownBytes, limitBytes: journalLimitBytes(journalSettings(config)) };
}

/** A journal's errors are about its folder. This adds which setting chooses the folder. */
function nameDataSetting(error: unknown): never {
  if (!isOperatingError(error, "config_invalid", "disk_failed")) throw error;
  throw new OperatingError(
    error.code,
    `${error.message}. The setting "data" chooses the folder: a node that is new may have it elsewhere, one that has run must keep it`,
    { cause: error.cause },
  );
}

/** The time between two log lines about the store's clocks, in milliseconds: they stay as they are for long. */
const clocksIntervalMs = 60_000;

/** The store that the configuration names. It still has to be probed. The log hears of clocks that differ. */
export function openConfiguredStore(config: Config, log?: Log): BlobStore {
  const ports = { clock: systemClock, random: systemRandom };
  if (log === undefined) return openStore(storeSettings(config), ports);
  return openStore(storeSettings(config), { ...ports, complaints: new Complaints(log, systemClock, clocksIntervalMs) });
}

/** The view's record in the store that the configuration names, for commands that need no node. */
export async function openViewRecord(config: Config, log: Log): Promise<OpenedViewRecord> {
  const store = openConfiguredStore(config);
  try {
    // The probe also finds out in which form this store wants its conditions.
    await store.probe({ deadlineMs: config.flush.deadlineMs });
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
  const complaints = new Complaints(log, systemClock, complaintIntervalMs);
  return {
    description: store.description,
    record: new ViewRecord({ store, clock: systemClock, random: systemRandom, complaints }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

export interface OpenedViewRecord extends AsyncDisposable {
  /** The store, as a person would name it. */
  readonly description: string;
  readonly record: ViewRecord;
}

function accessRules({ auth, nodes, http }: Config): AccessRules {
  // Without `auth`, no other host can reach the nodes: such a configuration is refused.
  if (auth === undefined) return "loopback";
  if (auth === "none") return { names: [...nodes.map(({ url }) => urlHost(url)), ...http.hosts] };
  const s3Keys = auth.s3Keys.map((key) => ({ ...key, secret: key.secret.reveal() }));
  return { tokens: auth.tokens, s3Keys };
}

function zoneOf(node: NodeConfig): { zone?: string } {
  return node.zone === undefined ? {} : { zone: node.zone };
}

function addressesOf(nodes: readonly NodeConfig[]): { id: string; url: string }[] {
  return nodes.map(({ id, url }) => ({ id, url }));
}
