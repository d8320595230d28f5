/** A cluster whose values have a bucket of S3, and requests for them that are signed before the time runs. */

import { hash } from "node:crypto";
import { formatToken, hashToken } from "../../../src/access/token.ts";
import { systemRandom } from "../../../src/system.ts";
import { signS3, type TestKey, testKey, testKeyRule } from "../s3-request.ts";
import { BenchCluster, type ClusterOptions } from "./cluster.ts";
import type { WrkPlan, WrkRequest } from "./wrk.ts";

/** The folder's bucket has the cluster's name. */
export const clusterBucket = "bench";

/** A cluster that takes requests signed with {@link testKey}. */
export async function startS3Cluster(options: Pick<ClusterOptions, "journal"> = {}): Promise<BenchCluster> {
  const token = formatToken(Buffer.from(systemRandom.id() + systemRandom.id(), "hex"));
  const tokens = [{ name: "bench", hash: hashToken(token), allow: ["read", "write", "admin"] }];
  const entry = { tokens, s3Keys: [{ ...testKeyRule, secret: "env:WEIR_BENCH_S3" }] };
  const env = { WEIR_BENCH_S3: testKey.secretAccessKey };
  return await BenchCluster.start({ ...options, auth: { entry, token }, env });
}

export interface SignedPlan {
  readonly method: WrkPlan["method"];
  /** Of the server. */
  readonly url: string;
  readonly bucket: string;
  readonly keys: readonly string[];
  /** Of a PUT's body. */
  readonly bytes: number;
  readonly key?: TestKey;
}

/** One request for each key, with its body's SHA-256. It is valid for 15 minutes. */
export function signedRequests({ method, url, bucket, keys, bytes, key }: SignedPlan): Promise<WrkRequest[]> {
  const contentSha256 = hash("sha256", method === "PUT" ? "x".repeat(bytes) : "");
  const { host } = new URL(url);
  return Promise.all(
    keys.map(async (name) => {
      const request = { method, path: `/${bucket}/${name}`, contentSha256 };
      const { target: path, headers } = await signS3(request, host, key);
      const { host: _host, ...others } = headers as Record<string, string>;
      return { path, headers: others };
    }),
  );
}
