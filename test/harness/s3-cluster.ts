/** A cluster of three nodes with an S3 key, and what S3 clients need to reach it. */

import { type ClusterOptions, TestCluster } from "./cluster.ts";
import { tokenOf } from "./tokens.ts";

export const s3Key = {
  accessKeyId: "WEIRCLUSTERTESTKEY00",
  secretAccessKey: "0123456789abcdef0123456789abcdef01234567",
};
export const s3Bucket = "data";
export const s3Region = "us-east-1";

/** What the cluster is watched with. */
export const s3Operator = tokenOf("operator", ["read", "write", "monitor", "admin"]);

/** Its bucket `data` is all keys; clients may create others. */
export async function startS3Cluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const { accessKeyId } = s3Key;
  const keys = [{ name: "s3", accessKeyId, secret: "env:WEIR_TEST_S3_SECRET", allow: ["read", "write"] }];
  return await TestCluster.start({
    ...options,
    env: { ...options.env, WEIR_TEST_S3_SECRET: s3Key.secretAccessKey },
    token: s3Operator.token,
    config: {
      auth: { tokens: [s3Operator.rule], s3Keys: keys },
      s3: { buckets: [{ name: s3Bucket, prefix: "" }], createBuckets: true },
      ...options.config,
    },
  });
}
