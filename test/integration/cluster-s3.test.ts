/** AWS's own SDK against three nodes: an application changes its endpoint and nothing else. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  type S3ServiceException,
} from "@aws-sdk/client-s3";
import { neverFlush, type TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import { s3Bucket as Bucket, s3Key, s3Operator, s3Region, startS3Cluster } from "../harness/s3-cluster.ts";
import { setStage } from "../harness/stage.ts";

const timeout = 120_000;
const mebibyte = 1024 * 1024;

function clientOf(endpoint: string, options: S3ClientConfig = {}): S3Client {
  return new S3Client({ endpoint, region: s3Region, credentials: s3Key, forcePathStyle: true, ...options });
}

function clientsOf(cluster: TestCluster): S3Client[] {
  return cluster.urls.map((url) => clientOf(url));
}

async function bytesOf(body: { transformToByteArray(): Promise<Uint8Array> } | undefined): Promise<Buffer> {
  assert.ok(body !== undefined);
  return Buffer.from(await body.transformToByteArray());
}

async function codeOf(act: Promise<unknown>): Promise<string> {
  return await act.then(
    () => "none",
    (error: unknown) => (error as Error).name,
  );
}

async function statusOf(act: Promise<unknown>): Promise<number | undefined> {
  return await act.then(
    () => 200,
    (error: unknown) => (error as S3ServiceException).$metadata.httpStatusCode,
  );
}

describe("AWS's SDK with a cluster that has all in memory", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await startS3Cluster({ config: neverFlush })) }));

  it("objects of AWS's SDK are put on one node and read from another, before the store has them", { timeout }, async () => {
    const { cluster } = stage();
    const [a, b, c] = clientsOf(cluster) as [S3Client, S3Client, S3Client];
    const Key = "a folder/cät +1%.txt";
    const put = await a.send(
      new PutObjectCommand({ Bucket, Key, Body: "meow", ContentType: "text/cat", Metadata: { owner: "ada", "odd-name": "x  y" } }),
    );
    const got = await b.send(new GetObjectCommand({ Bucket, Key }));
    assert.equal((await bytesOf(got.Body)).toString(), "meow");
    assert.deepEqual(
      [got.ETag, got.ContentType, got.ContentLength, got.Metadata],
      [put.ETag, "text/cat", 4, { owner: "ada", "odd-name": "x  y" }],
    );
    assert.equal((await cluster.get("c", Key)).body.toString(), "meow");
    const { ETag } = await c.send(new HeadObjectCommand({ Bucket, Key }));
    assert.equal(ETag, put.ETag);
    const part = await c.send(new GetObjectCommand({ Bucket, Key, Range: "bytes=1-2" }));
    assert.equal((await bytesOf(part.Body)).toString(), "eo");
    assert.equal(await codeOf(a.send(new PutObjectCommand({ Bucket, Key, Body: "2", IfNoneMatch: "*" }))), "PreconditionFailed");
    assert.equal(await codeOf(b.send(new PutObjectCommand({ Bucket, Key, Body: "2", IfMatch: '"x"' }))), "PreconditionFailed");
    await c.send(new PutObjectCommand({ Bucket, Key, Body: "2", IfMatch: put.ETag }));
    const { ETag: IfNoneMatch } = await b.send(new HeadObjectCommand({ Bucket, Key }));
    assert.equal(await statusOf(a.send(new GetObjectCommand({ Bucket, Key, IfNoneMatch }))), 304);
    await b.send(new DeleteObjectCommand({ Bucket, Key }));
    assert.equal(await codeOf(a.send(new GetObjectCommand({ Bucket, Key }))), "NoSuchKey");
    assert.equal(await codeOf(a.send(new HeadObjectCommand({ Bucket, Key }))), "NotFound");
  }); // biome-ignore format: long calls

  it("a node tells people of its S3 clients: in its status, to weir status, and on its page", { timeout }, async () => {
    const { cluster } = stage();
    const url = cluster.url("c");
    const denied = async (): Promise<number> => (await cluster.status("c")).s3?.denied ?? 0;
    const before = await denied();
    await clientOf(url).send(new PutObjectCommand({ Bucket, Key: "told", Body: "x" }));
    const stranger = clientOf(url, { credentials: { ...s3Key, secretAccessKey: "another secret, of some length" } });
    assert.equal(await statusOf(stranger.send(new PutObjectCommand({ Bucket, Key: "told", Body: "y" }))), 403);
    // A request is counted once its answer is written.
    await cluster.until(20_000, "both are counted", async () => (await denied()) > before);
    const { s3 } = await cluster.status("c");
    assert.ok((s3?.operations["PutObject"] ?? 0) >= 2 && s3?.failed === 0, JSON.stringify(s3));
    const words = /S3 through c since it was started: \d+ requests \(.*PutObject.*\), [1-9]\d* denied, 0 failed\./;
    const page = await cluster.http.request(url, "GET", "/", { headers: { accept: "text/html" } });
    assert.match(page.body.toString(), words);
    const { stdout } = await weir(["status", "--url", url], { env: { WEIR_TOKEN: s3Operator.token } });
    assert.match(stdout, words);
  });

  it("listings, copies and removals of AWS's SDK see what every node has taken", { timeout }, async () => {
    const { cluster } = stage();
    const clients = clientsOf(cluster);
    const [a, b, c] = clients as [S3Client, S3Client, S3Client];
    const keys = Array.from({ length: 25 }, (_, n) => `list/${n % 5}/${String(n).padStart(2, "0")} é+&<`);
    await Promise.all(keys.map((Key, n) => (clients[n % 3] as S3Client).send(new PutObjectCommand({ Bucket, Key, Body: Key }))));
    const listed: string[] = [];
    for (let ContinuationToken: string | undefined, more = true; more; ) {
      const page = await b.send(new ListObjectsV2Command({ Bucket, Prefix: "list/", MaxKeys: 7, ContinuationToken }));
      listed.push(...(page.Contents ?? []).map(({ Key }) => Key as string));
      ContinuationToken = page.NextContinuationToken;
      more = page.IsTruncated === true;
    }
    assert.deepEqual(listed, keys.toSorted());
    const folders = await c.send(new ListObjectsCommand({ Bucket, Prefix: "list/", Delimiter: "/", EncodingType: "url" }));
    assert.deepEqual(folders.CommonPrefixes?.map(({ Prefix }) => Prefix), ["list/0/", "list/1/", "list/2/", "list/3/", "list/4/"]);
    const source = keys[0] as string;
    const CopySource = `${Bucket}/${encodeURIComponent(source)}`;
    await a.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource, MetadataDirective: "REPLACE", Metadata: { a: "1" } }));
    const copy = await b.send(new GetObjectCommand({ Bucket, Key: "copy" }));
    assert.deepEqual([(await bytesOf(copy.Body)).toString(), copy.Metadata], [source, { a: "1" }]);
    const Delete = { Objects: keys.map((Key) => ({ Key })) };
    const { Deleted = [], Errors = [] } = await c.send(new DeleteObjectsCommand({ Bucket, Delete }));
    assert.deepEqual([Deleted.length, Errors], [keys.length, []]);
    assert.equal((await a.send(new ListObjectsV2Command({ Bucket, Prefix: "list/" }))).KeyCount, 0);
  }); // biome-ignore format: long calls
});

describe("AWS's SDK with a cluster whose store has all soon", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await startS3Cluster()) }));

  it("bodies of AWS's SDK come in every form: with each checksum, as a stream, small and large", { timeout }, async () => {
    const { cluster } = stage();
    const [a, b] = clientsOf(cluster) as [S3Client, S3Client];
    const algorithms = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;
    for (const size of [0, 1, 70_000, 5 * mebibyte]) {
      const value = Buffer.alloc(size, "0123456789");
      for (const ChecksumAlgorithm of size === 70_000 ? algorithms : [algorithms[0]]) {
        const Key = `${ChecksumAlgorithm}-${size}`;
        await a.send(new PutObjectCommand({ Bucket, Key, Body: value, ChecksumAlgorithm }));
        const got = await b.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
        assert.ok((await bytesOf(got.Body)).equals(value), Key);
        if (size === 70_000) assert.ok(got[`Checksum${ChecksumAlgorithm}`] !== undefined, Key);
      }
      // As a stream: in chunks, with a checksum after them.
      const Key = `stream-${size}`;
      const pieces = Array.from({ length: Math.ceil(size / 16_384) }, (_, n) => value.subarray(n * 16_384, (n + 1) * 16_384));
      await b.send(new PutObjectCommand({ Bucket, Key, Body: Readable.from(pieces), ContentLength: size }));
      assert.ok((await bytesOf((await a.send(new GetObjectCommand({ Bucket, Key }))).Body)).equals(value), Key);
    }
    const md5 = createHash("md5").update("right").digest("base64");
    assert.equal(await codeOf(a.send(new PutObjectCommand({ Bucket, Key: "md5", Body: "wrong", ContentMD5: md5 }))), "BadDigest");
    assert.equal(await codeOf(a.send(new PutObjectCommand({ Bucket, Key: "sum", Body: "wrong", ChecksumSHA256: createHash("sha256").update("right").digest("base64") }))), "BadDigest");
    assert.equal((await a.send(new ListObjectsV2Command({ Bucket, Prefix: "md5" }))).KeyCount, 0);
    const plain = clientOf(cluster.urls[2] as string, { requestChecksumCalculation: "WHEN_REQUIRED" });
    await plain.send(new PutObjectCommand({ Bucket, Key: "plain", Body: "no checksum" }));
  }); // biome-ignore format: long calls

  it("buckets that AWS's SDK creates are there on every node, at once and after a restart of all", { timeout }, async () => {
    const { cluster } = stage();
    const [a, b, c] = clientsOf(cluster) as [S3Client, S3Client, S3Client];
    const created = await Promise.all([a, b, c].map((client) => codeOf(client.send(new CreateBucketCommand({ Bucket: "new" })))));
    assert.deepEqual(created.toSorted(), ["BucketAlreadyOwnedByYou", "BucketAlreadyOwnedByYou", "none"]);
    for (const client of [a, b, c]) {
      await client.send(new HeadBucketCommand({ Bucket: "new" }));
      const names = (await client.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name);
      assert.deepEqual(names, [Bucket, "new"]);
      await client.send(new GetBucketLocationCommand({ Bucket: "new" }));
    }
    await b.send(new PutObjectCommand({ Bucket: "new", Key: "a", Body: "1" }));
    assert.equal((await cluster.get("a", "new/a")).body.toString(), "1");
    await cluster.stopAll();
    for (const id of cluster.ids) cluster.restart(id);
    await cluster.untilReady();
    assert.equal((await bytesOf((await c.send(new GetObjectCommand({ Bucket: "new", Key: "a" }))).Body)).toString(), "1");
    assert.equal(await codeOf(a.send(new DeleteBucketCommand({ Bucket: "new" }))), "BucketNotEmpty");
    await a.send(new DeleteObjectCommand({ Bucket: "new", Key: "a" }));
    await b.send(new DeleteBucketCommand({ Bucket: "new" }));
    assert.equal(await codeOf(c.send(new HeadBucketCommand({ Bucket: "new" }))), "NotFound");
  }); // biome-ignore format: long calls

  it("a node is killed under an application of AWS's SDK, which loses nothing and hears of no error", { timeout }, async () => {
    const { cluster } = stage();
    const [a, b] = clientsOf(cluster) as [S3Client, S3Client];
    const acknowledged: string[] = [];
    const write = async (from: number): Promise<void> => {
      for (let n = from; n < from + 40; n++) {
        const Key = `kill/${String(n).padStart(3, "0")}`;
        await (n % 2 === 0 ? a : b).send(new PutObjectCommand({ Bucket, Key, Body: Key }));
        acknowledged.push(Key);
      }
    };
    await write(0);
    await cluster.process("c").kill();
    await write(40);
    for (const Key of acknowledged) {
      assert.equal((await bytesOf((await b.send(new GetObjectCommand({ Bucket, Key }))).Body)).toString(), Key);
    }
    const { Contents = [] } = await a.send(new ListObjectsV2Command({ Bucket, Prefix: "kill/" }));
    assert.deepEqual(Contents.map(({ Key }) => Key), acknowledged);
    cluster.restart("c");
    await cluster.untilReady();
  }); // biome-ignore format: long calls

  it("an S3 key counts from when cluster.json has it, and no longer than that", { timeout }, async () => {
    const { cluster } = stage();
    const [a] = clientsOf(cluster) as [S3Client];
    await a.send(new PutObjectCommand({ Bucket, Key: "a", Body: "1" }));
    // The last test that needs the key.
    cluster.configure({ auth: { tokens: [s3Operator.rule] } });
    await cluster.until(20_000, "the key counts no more", async () => (await codeOf(a.send(new GetObjectCommand({ Bucket, Key: "a" })))) === "InvalidAccessKeyId");
  }); // biome-ignore format: long calls
});
