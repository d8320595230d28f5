/**
 * What S3 costs: the same values on the same node by signed requests of S3, against the node's own ones with a token.
 * Compared is the processor time of all nodes for one request: at full speed, and at one rate that the node can do
 * with ease. At full speed the generator sleeps while it waits for a signed answer, and not for another. The node has
 * to wake it, which takes it some 3 µs.
 */

import type { BenchCluster } from "./cluster.ts";
import { median, type Row } from "./report.ts";
import { interleaved, ratio, restOf, type Settings, scaled } from "./rounds.ts";
import { clusterBucket, signedRequests, startS3Cluster } from "./s3-cluster.ts";
import { runWrk, type WrkPlan, type WrkRequest } from "./wrk.ts";

const keyCount = 2_000;
const bytes = 1_024;
/** A signed request costs no more than so many of the node's own. */
const target = { most: 1.3 };
const warmUpSeconds = 1;
/** How long a connection rests. With 4 ms all together send some 7,000 requests a second. */
const loads = [
  { when: "at full speed", restMs: undefined },
  { when: "at one rate", restMs: 4 },
] as const;

export async function compareS3(settings: Settings): Promise<Row[]> {
  await using cluster = await startS3Cluster();
  const { url, headers } = cluster.node("a");
  const keys = cluster.keysOf("a", scaled(keyCount, settings));
  const native = keys.map((key): WrkRequest => ({ path: `/kv/${key}`, headers }));
  const rows: Row[] = [];
  for (const method of ["PUT", "GET"] as const) {
    for (const { when, restMs } of loads) {
      const run = (requestsOf: () => WrkRequest[] | Promise<WrkRequest[]>) => async (warmUp: boolean) => {
        const requests = await requestsOf();
        const seconds = warmUp ? warmUpSeconds : settings.seconds;
        const load = restMs === undefined ? restOf(settings) : { restMs };
        return await microsFor(cluster, { url, method, requests, bytes, seconds, ...load });
      };
      const figures = await interleaved(settings, {
        native: run(() => native),
        // Anew each time: a signature is good for 15 minutes.
        s3: run(() => signedRequests({ method, url, bucket: clusterBucket, keys, bytes })),
      });
      rows.push({
        what: `${method} 1 KiB by S3, signed, on its primary, ${when}`,
        weir: `${median(figures.s3).toFixed(1)} µs`,
        against: `the node's own ${method} with a token ${median(figures.native).toFixed(1)} µs`,
        figure: ratio(figures.s3, figures.native),
        digits: 2,
        unit: "",
        target,
      });
    }
  }
  return rows;
}

/** Processor time of all nodes for one request. */
async function microsFor(cluster: BenchCluster, plan: WrkPlan): Promise<number> {
  const before = cluster.cpuMicros();
  const { requests } = await runWrk(plan);
  return (cluster.cpuMicros() - before) / requests;
}
