/**
 * A soak: a cluster of real processes over a bucket that is slower than its clients, for as long as one likes. In the
 * end nothing acknowledged may be lost, everything has to be in the bucket, and memory has to have stayed within what
 * the limits add up to.
 */

import { sleep } from "../../../src/base/clock.ts";
import { replicaReserve } from "../../../src/core/admission.ts";
import { systemClock } from "../../../src/system.ts";
import { TestBucket } from "../bucket.ts";
import { TestCluster } from "../cluster.ts";
import type { S3Server } from "../s3-server.ts";
import { SimRandom } from "../sim-random.ts";
import { StoreProxy } from "../store-proxy.ts";
import { type MemoryFigures, MemoryWatch } from "./memory-watch.ts";
import { SoakClients, type SoakCounts } from "./soak-clients.ts";
import { Contents, type KeyModel } from "./soak-model.ts";

export interface SoakSettings {
  /** How long clients are at work; checking takes some more. */
  readonly seconds: number;
  readonly seed: number;
  readonly clients: number;
  readonly keysPerClient: number;
  readonly maxValueBytes: number;
  readonly dirtyBytes: number;
  readonly cacheBytes: number;
  readonly inFlightBytes: number;
  readonly maxQueueBytes: number;
  /** Of the store, through the proxy. */
  readonly storeDelayMs: number;
  readonly storeBytesPerSecond: number;
}

export interface SoakResult {
  readonly counts: SoakCounts;
  readonly memory: ReadonlyMap<string, MemoryFigures>;
  /** What each process may have resided in. */
  readonly memoryLimitBytes: number;
  readonly mostDirtyBytes: number;
  readonly storeWrites: number;
  readonly storeBytes: number;
  readonly flushMs: number;
  readonly objects: number;
  /** What was wrong, in words; empty when all is well. */
  readonly violations: readonly string[];
}

/**
 * Replicas may exceed the limit of dirty bytes by {@link replicaReserve}, or by one entry: its value, and this that
 * counts too.
 */
const entryExtraBytes = 8 * 1024;
/** The queues towards the two peers of a node. */
const peers = 2;
/**
 * What no limit counts: garbage that waits for its collection, the collector's young generation, and gaps in the
 * allocator's memory. Of the order of what is allocated in a second.
 */
const slackBytes = 96 * 1024 ** 2;

/** Of the limit of dirty bytes: a buffer with as many has been full. */
export const fullPart = 0.8;

const progressMs = 2_000;
/** A buffer is full for moments, between which flushes take something from it. */
const lookMs = 100;
/** Beyond what the bytes take on the line: delays, retries, and values that were written again meanwhile. */
const flushExtraMs = 30_000;
const checkersAtOnce = 16;
/** Attempts to read a key in the end, when nobody else asks for anything. */
const readAttempts = 50;
const shownViolations = 20;

/** Runs it all. `print` gets a line now and then. */
export async function runSoak(
  server: S3Server,
  settings: SoakSettings,
  print: (line: string) => void,
): Promise<SoakResult> {
  const { storeDelayMs: delayMs, storeBytesPerSecond: bytesPerSecond } = settings;
  await using bucket = await TestBucket.create(server);
  await using proxy = await StoreProxy.start(server.endpoint, { delayMs, bytesPerSecond });
  const { dirtyBytes, cacheBytes, maxValueBytes, inFlightBytes, maxQueueBytes } = settings;
  await using cluster = await TestCluster.start({
    ...bucket.clusterOptions(proxy.url),
    config: {
      buffer: { dirtyBytes, cacheBytes, maxValueBytes },
      // As in production: a line this thin needs the time.
      flush: { delayMs: 100, deadlineMs: 10_000, lateEffectMs: 10_000, retryMaxMs: 2_000 },
      http: { inFlightBytes },
      // On a machine that is busy with other work, a node may pause for longer than the usual 800 ms.
      peers: { maxQueueBytes, suspectMs: 2_000, leaseMs: 2_000 },
    },
  });
  const pids = new Map(cluster.ids.map((id) => [id, cluster.process(id).pid]));
  await using memory = new MemoryWatch(pids);
  const clients = new SoakClients(cluster, new Contents(maxValueBytes), settings.clients, settings.keysPerClient);

  let mostDirtyBytes = 0;
  const startedAt = systemClock.now();
  const endsAt = startedAt + settings.seconds * 1_000;
  let pace = { delayMs, bytesPerSecond };
  const slowEachMs = (settings.seconds * 1_000) / 8;
  let slowAt = startedAt + slowEachMs;
  const flood = clients.run(new SimRandom(settings.seed), () => systemClock.now() < endsAt);
  for (let shownAt = startedAt; systemClock.now() < endsAt; ) {
    await sleep(systemClock, Math.min(lookMs, Math.max(1, endsAt - systemClock.now())));
    const dirty = await Promise.all(cluster.ids.map(async (id) => (await cluster.figures(id)).dirtyBytes));
    mostDirtyBytes = Math.max(mostDirtyBytes, ...dirty);
    const now = systemClock.now();
    if (now >= slowAt && mostDirtyBytes < fullPart * dirtyBytes) {
      // On a busy machine clients are slow, and the store has to be slower than they are.
      pace = { delayMs, bytesPerSecond: pace.bytesPerSecond / 2 };
      proxy.setPace(pace);
      slowAt = now + slowEachMs;
      print(`no buffer is full yet: the store takes ${pace.bytesPerSecond} bytes a second from now on`);
    }
    if (now - shownAt < progressMs && now < endsAt) continue;
    shownAt = now;
    const resident = [...pids.keys()].map((id) => memory.nowBytes(id));
    print(progressLine(now - startedAt, clients, dirty, resident));
  }
  await flood;
  proxy.setPace({ delayMs, bytesPerSecond });

  const floodedAt = systemClock.now();
  const flushMs = (dirtyBytes * cluster.ids.length * 1_000) / bytesPerSecond + flushExtraMs;
  await cluster.untilFlushed(flushMs);
  const flushedMs = systemClock.now() - floodedAt;
  print(`everything was in the bucket ${(flushedMs / 1_000).toFixed(1)} s after the last write; now all is compared`);
  proxy.setPace({});
  await forEach(clients.models, async (model, index) => await checkRead(cluster, clients, model, index));
  const objects = await checkBucket(bucket, clients);

  const figures = new Map(cluster.ids.map((id) => [id, memory.figures(id)]));
  const idleBytes = Math.max(...[...figures.values()].map(({ firstBytes }) => firstBytes));
  const dirtyLimitBytes = dirtyBytes + Math.max(dirtyBytes * replicaReserve, maxValueBytes + entryExtraBytes);
  const memoryLimitBytes =
    idleBytes + dirtyLimitBytes + cacheBytes + inFlightBytes + peers * maxQueueBytes + slackBytes;
  const { violations } = clients;
  for (const [id, { mostBytes }] of figures) {
    if (mostBytes > memoryLimitBytes)
      violations.push(`node ${id} had ${mostBytes} bytes, more than ${memoryLimitBytes}`);
  }
  if (mostDirtyBytes > dirtyLimitBytes) violations.push(`${mostDirtyBytes} bytes were dirty`);
  return {
    counts: clients.counts,
    memory: figures,
    memoryLimitBytes,
    mostDirtyBytes,
    storeWrites: proxy.total("PUT"),
    storeBytes: proxy.bodyBytes,
    flushMs: flushedMs,
    objects,
    violations: shortened(violations),
  };
}

function shortened(violations: readonly string[]): string[] {
  const shown = violations.slice(0, shownViolations);
  if (violations.length > shown.length) shown.push(`and ${violations.length - shown.length} more`);
  return shown;
}

/** Reads a key through one node after the other, until it is answered. */
async function checkRead(cluster: TestCluster, clients: SoakClients, model: KeyModel, index: number): Promise<void> {
  for (let attempt = 0; attempt < readAttempts; attempt++) {
    if (await clients.read(cluster.ids[(index + attempt) % cluster.ids.length] as string, model)) return;
  }
  clients.violations.push(`${model.key} was refused again and again, though nobody else asked for anything`);
}

/** Compares all objects with the model; the number of those that there are. */
async function checkBucket(bucket: TestBucket, clients: SoakClients): Promise<number> {
  let objects = 0;
  await forEach(clients.models, async (model) => {
    const floor = model.acknowledged;
    const stored = await bucket.get(model.key);
    if (stored) objects++;
    else if (!model.mayBe(undefined, floor)) clients.violations.push(`${model.key} is not in the bucket`);
    const wrong = stored && clients.judgeContent(model, floor, stored.metadata["number"], stored.body);
    if (wrong !== undefined) clients.violations.push(`${model.key} in the bucket: ${wrong}`);
    if (stored && stored.contentType !== "application/x-soak") clients.violations.push(`${model.key}: content type`);
  });
  return objects;
}

/** Some at once, all in the end. */
async function forEach<T>(items: readonly T[], act: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: checkersAtOnce }, async () => {
      for (let index = next++; index < items.length; index = next++) await act(items[index] as T, index);
    }),
  );
}

function progressLine(ms: number, clients: SoakClients, dirty: readonly number[], resident: readonly number[]): string {
  const { puts, gets, deletes, refusals } = clients.counts;
  const refused = [...refusals.values()].reduce((sum, count) => sum + count, 0);
  const mebibytes = (bytes: readonly number[]): string => bytes.map((each) => Math.round(each / 1024 ** 2)).join(" ");
  const wrong = clients.violations.length > 0 ? `, ${clients.violations.length} WRONG` : "";
  return `${Math.round(ms / 1_000)} s: ${puts} puts, ${deletes} deletes, ${gets} gets, ${refused} refused; dirty ${mebibytes(dirty)} MiB, resident ${mebibytes(resident)} MiB${wrong}`;
}
