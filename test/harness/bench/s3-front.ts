/**
 * What S3 costs: the same values on the same node by signed requests of S3, against the node's own ones with a token.
 * Compared is the processor time of all nodes for one request.
 */

import { formatToken, hashToken } from "../../../src/access/token.ts";
import { systemRandom } from "../../../src/system.ts";
import { signS3, testKey, testKeyRule } from "../s3-request.ts";
import { BenchCluster } from "./cluster.ts";
import { median, type Row } from "./report.ts";
import { interleaved, ratio, type Settings, scaled } from "./rounds.ts";
import { runWrk, type WrkPlan, type WrkRequest } from "./wrk.ts";

/** The folder's bucket has the cluster's name. */
const bucket = "bench";
const keyCount = 2_000;
const bytes = 1_024;
/** A signed request costs no more than so many of the node's own. */
const target = { most: 1.3 };
const warmUpSeconds = 1;

export async function compareS3(settings: Settings): Promise<Row[]> {
  const token = formatToken(Buffer.from(systemRandom.id() + systemRandom.id(), "hex"));
  const tokens = [{ name: "bench", hash: hashToken(token), allow: ["read", "write", "admin"] }];
  const entry = { tokens, s3Keys: [{ ...testKeyRule, secret: "env:WEIR_BENCH_S3" }] };
  await using cluster = await BenchCluster.start({
    auth: { entry, token },
    env: { WEIR_BENCH_S3: testKey.secretAccessKey },
  });
  const { url, headers } = cluster.node("a");
  const keys = cluster.keysOf("a", scaled(keyCount, settings));
  const native = keys.map((key): WrkRequest => ({ path: `/kv/${key}`, headers }));
  const rows: Row[] = [];
  for (const method of ["PUT", "GET"] as const) {
    const body = method === "PUT" ? "x".repeat(bytes) : "";
    const run = (requestsOf: () => WrkRequest[] | Promise<WrkRequest[]>) => async (warmUp: boolean) => {
      const requests = await requestsOf();
      const seconds = warmUp ? warmUpSeconds : settings.seconds;
      return await microsFor(cluster, { url, method, requests, bytes, seconds });
    };
    const figures = await interleaved(settings, {
      native: run(() => native),
      // Anew each time: a signature is good for 15 minutes.
      s3: run(() => Promise.all(keys.map((key) => signed(method, key, body, new URL(url).host)))),
    });
    rows.push({
      what: `${method} 1 KiB by S3, signed, on its primary`,
      weir: `${median(figures.s3).toFixed(1)} µs`,
      against: `the node's own ${method} with a token ${median(figures.native).toFixed(1)} µs`,
      figure: ratio(figures.s3, figures.native),
      digits: 2,
      unit: "",
      target,
    });
  }
  return rows;
}

async function signed(method: string, key: string, body: string, host: string): Promise<WrkRequest> {
  const { target: path, headers } = await signS3({ method, path: `/${bucket}/${key}`, body }, host);
  const { host: _host, ...others } = headers as Record<string, string>;
  return { path, headers: others };
}

/** Processor time of all nodes for one request. */
async function microsFor(cluster: BenchCluster, plan: WrkPlan): Promise<number> {
  const before = cluster.cpuMicros();
  const { requests } = await runWrk(plan);
  return (cluster.cpuMicros() - before) / requests;
}
