/**
 * A run of chaos: a cluster of real processes, clients that note all that they see, and one fault after the other. In
 * the end every key is read through every node and compared with the bucket, and every history is checked.
 */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestBucket } from "../bucket.ts";
import type { OwnGateway } from "../own-gateway.ts";
import type { S3Server } from "../s3-server.ts";
import { ChaosCluster } from "./chaos-cluster.ts";
import { ChaosRun, type ChaosSettings, type RunResult, type Telling } from "./chaos-run.ts";
import { ChaosStore } from "./chaos-store.ts";
import { ChaosNetwork } from "./network.ts";
import { outageDirtyBytes } from "./outage.ts";

export interface ChaosResult extends RunResult {
  /** Where histories and logs are, if they were kept: if anything was wrong, or on demand. */
  readonly folder: string | undefined;
  /** Why there were no faults of the network; undefined if there could be. */
  readonly withoutNetwork: string | undefined;
}

/** L where the store's disks get stuck, in milliseconds, and where they do not. */
const lateEffectMs = { stuck: 20_000, sound: 3_000 } as const;

const config = {
  buffer: { dirtyBytes: outageDirtyBytes, cacheBytes: 16 * 1024 ** 2 },
  http: { drainMs: 0 },
  // A short F: after each change of owners keys wait for so long before they are flushed.
  flush: { delayMs: 100, deadlineMs: 3_000, retryMaxMs: 1_000, stopMs: 40_000 },
  log: { level: "info", format: "json" },
} as const;

/**
 * Runs it all.
 * @param gateway the server's process, if it may be harmed.
 */
export async function runChaos(
  server: S3Server,
  gateway: OwnGateway | undefined,
  settings: ChaosSettings,
  telling: Telling,
): Promise<ChaosResult> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "weir-chaos-"));
  mkdirSync(join(folder, "histories"));
  const ids = Array.from({ length: settings.maxNodes }, (_, index) => String.fromCodePoint(97 + index));
  const made = await ChaosNetwork.create(ids);
  const network = "missing" in made ? undefined : stack.use(made);
  const bucket = stack.use(await TestBucket.create(server));
  const chaosStore = stack.use(await ChaosStore.start(server.endpoint, gateway, network?.hostAddress ?? "127.0.0.1"));
  network?.setStorePort(Number(new URL(chaosStore.url).port));
  const cluster = stack.use(
    await ChaosCluster.start({
      folder,
      ids,
      initial: settings.nodes,
      ...bucket.clusterOptions(chaosStore.url),
      // What is held back is to be flushed before the run ends.
      config: {
        ...config,
        flush: { ...config.flush, lateEffectMs: gateway === undefined ? lateEffectMs.sound : lateEffectMs.stuck },
      },
      network,
    }),
  );
  const run = new ChaosRun({ settings, folder, bucket, store: chaosStore, cluster, network, telling });
  stack.use(run);
  const result = await run.run();
  const isKept = result.violations.length > 0 || settings.keep === true;
  await stack.disposeAsync();
  if (!isKept) rmSync(folder, { recursive: true, force: true });
  return {
    ...result,
    folder: isKept ? folder : undefined,
    withoutNetwork: "missing" in made ? made.missing : undefined,
  };
}
