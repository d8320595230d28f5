/** Multipart uploads by S3 over a real S3 gateway and over Azure: what becomes of the parts there. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { azureServerFromEnvironment, freshContainer } from "../harness/azure-server.ts";
import { TestBucket } from "../harness/bucket.ts";
import type { ClusterOptions } from "../harness/cluster.ts";
import { noise } from "../harness/noise.ts";
import { s3Bucket as Bucket, s3Key, s3Region, startS3Cluster } from "../harness/s3-cluster.ts";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";

const timeout = 120_000;
const partBytes = 5 * 1024 * 1024;

/** What is known of an object in parts, beside its bytes: the parts' checksum, and each part. */
interface Facts {
  readonly ChecksumSHA256: string | undefined;
  readonly second: Buffer | undefined;
  readonly PartsCount: number | undefined;
}

/** Sends an object in parts by all nodes, and checks what every node gives of it. Then `check` looks at the store. */
async function sendInParts(options: ClusterOptions, seed: number, check: (whole: Buffer, parts: Buffer[], ETag: string, facts: Facts) => Promise<void>): Promise<void> {
  await using cluster = await startS3Cluster({ ...options, config: { buffer: { cacheBytes: 0 } } });
  const random = new SimRandom(seed);
  const clients = cluster.urls.map((endpoint) => new S3Client({ endpoint, region: s3Region, credentials: s3Key, forcePathStyle: true }));
  const [a, b, c] = clients as [S3Client, S3Client, S3Client];
  const Key = "ü a/film";
  const { UploadId } = await a.send(new CreateMultipartUploadCommand({ Bucket, Key, ContentType: "video/x", Metadata: { a: "b" }, ChecksumAlgorithm: "SHA256" }));
  const upload = { Bucket, Key, UploadId };
  const parts = [noise(random, partBytes), noise(random, partBytes + 1), noise(random, 17)];
  const send = async (client: S3Client, PartNumber: number, Body: Buffer) => ({
    PartNumber,
    ETag: (await client.send(new UploadPartCommand({ ...upload, PartNumber, Body, ChecksumAlgorithm: "SHA256" }))).ETag,
  });
  const other = await send(c, 4, noise(random, partBytes));
  const Parts = [await send(b, 2, parts[0] as Buffer), await send(c, 4, parts[1] as Buffer), await send(a, 7, parts[2] as Buffer)];
  assert.notEqual(other.ETag, Parts[1]?.ETag);
  const completed = await c.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
  const whole = Buffer.concat(parts);
  for (const client of clients) {
    const { Body, ETag, ContentType, Metadata } = await client.send(new GetObjectCommand({ Bucket, Key }));
    assert.ok(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(whole));
    assert.deepEqual([ETag, ContentType, Metadata], [completed.ETag, "video/x", { a: "b" }]);
    const repeat = await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    assert.equal(repeat.ETag, completed.ETag);
  }
  const gone = await b.send(new CreateMultipartUploadCommand({ Bucket, Key: "gone" }));
  await a.send(new UploadPartCommand({ Bucket, Key: "gone", UploadId: gone.UploadId, PartNumber: 1, Body: "1" }));
  await c.send(new AbortMultipartUploadCommand({ Bucket, Key: "gone", UploadId: gone.UploadId }));
  await assert.rejects(b.send(new HeadObjectCommand({ Bucket, Key: "gone" })), { name: "NotFound" });
  const { ChecksumSHA256 } = await b.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
  assert.ok(ChecksumSHA256 === undefined || ChecksumSHA256 === completed.ChecksumSHA256);
  const part = await a.send(new GetObjectCommand({ Bucket, Key, PartNumber: 2 })).catch((error: Error) => {
    assert.equal(error.name, "InvalidPartNumber");
    return undefined;
  });
  const second = part && Buffer.from((await part.Body?.transformToByteArray()) ?? []);
  await check(whole, parts, completed.ETag as string, { ChecksumSHA256, second, PartsCount: part?.PartsCount });
} // biome-ignore format: long calls

const server = s3ServerFromEnvironment();

test("parts become one object of a real bucket, with the ETag that S3 gives it", { timeout, skip: typeof server === "string" && server }, async (t) => {
  assert.ok(typeof server !== "string");
  await using bucket = await TestBucket.create(server);
  await sendInParts(bucket.clusterOptions(), seedOf(t), async (whole, parts, ETag, facts) => {
    // S3 wants an object's metadata when its upload begins.
    assert.deepEqual(facts, { ChecksumSHA256: undefined, second: undefined, PartsCount: undefined });
    const stored = await bucket.get("ü a/film");
    assert.ok(stored?.body.equals(whole));
    assert.equal(stored?.contentType, "video/x");
    assert.deepEqual(Object.keys(stored?.metadata ?? {}).toSorted(), ["a", "weir-upload"]);
    assert.equal(ETag, `"${hash("md5", Buffer.concat(parts.map((part) => hash("md5", part, "buffer"))))}-3"`);
  });
}); // biome-ignore format: long calls

const azure = azureServerFromEnvironment();

test("parts become one blob of a container of Azure", { timeout, skip: typeof azure === "string" && azure }, async (t) => {
  assert.ok(typeof azure !== "string");
  const container = await freshContainer(azure);
  const { account, endpoint, accountKey } = azure;
  const store = { type: "azure", container: container.containerName, account, endpoint, accountKey: "env:WEIR_TEST_ACCOUNT_KEY" };
  const options = { store, env: { WEIR_TEST_ACCOUNT_KEY: accountKey } };
  await sendInParts(options, seedOf(t), async (whole, parts, ETag, { ChecksumSHA256, second, PartsCount }) => {
    const sums = Buffer.concat(parts.map((part) => hash("sha256", part, "buffer")));
    assert.deepEqual([ChecksumSHA256, PartsCount], [`${hash("sha256", sums, "base64")}-3`, 3]);
    assert.ok(second?.equals(parts[1] as Buffer));
    const blob = container.getBlobClient("ü a/film");
    assert.ok((await blob.downloadToBuffer()).equals(whole));
    assert.equal((await blob.getProperties()).contentType, "video/x");
    assert.match(ETag, /-1"$/, "Azure's tag is no MD5");
  });
}); // biome-ignore format: long calls
