/**
 * The S3 server that tests use: `test/harness/s3-server.sh` starts one, and its `S3_…` answers go into the environment
 * as `WEIR_TEST_S3_ENDPOINT`, `_ACCESS_KEY`, `_SECRET_KEY`, `_REGION`. Every test has a bucket of its own in it.
 */

import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";
import type { S3StoreSettings } from "../../src/store/s3/s3-store.ts";

export interface S3Server {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

/**
 * The server that the environment names, or the reason why there is none. In continuous integration there must be one.
 */
export function s3ServerFromEnvironment(env: Readonly<NodeJS.ProcessEnv> = process.env): S3Server | string {
  const endpoint = env["WEIR_TEST_S3_ENDPOINT"];
  if (endpoint === undefined) {
    const reason = "WEIR_TEST_S3_ENDPOINT is not set: start a server with test/harness/s3-server.sh and name it there";
    if (env["CI"] !== undefined) throw new Error(reason);
    return reason;
  }
  return {
    endpoint,
    accessKeyId: env["WEIR_TEST_S3_ACCESS_KEY"] ?? "test",
    secretAccessKey: env["WEIR_TEST_S3_SECRET_KEY"] ?? "testtest1234",
    region: env["WEIR_TEST_S3_REGION"] ?? "us-east-1",
  };
}

/** Settings of a store in a new bucket. */
export async function freshBucket(server: S3Server, versioned = false): Promise<S3StoreSettings> {
  const bucket = `weir-test-${process.pid}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  const { accessKeyId, secretAccessKey, endpoint, region } = server;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  if (versioned) {
    await client.send(
      new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: "Enabled" } }),
    );
  }
  client.destroy();
  return { ...server, bucket, prefix: "", forcePathStyle: true, connections: 16 };
}
