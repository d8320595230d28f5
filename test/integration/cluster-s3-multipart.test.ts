/** Multipart uploads by AWS's own SDK against three nodes: each request goes to another one, and nodes are lost. */

import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { describe, it, test } from "node:test";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { neverFlush, type TestCluster } from "../harness/cluster.ts";
import { s3Bucket as Bucket, s3Key, s3Region, startS3Cluster } from "../harness/s3-cluster.ts";
import { setStage } from "../harness/stage.ts";

const timeout = 180_000;
const mebibyte = 1024 * 1024;
const partBytes = 5 * mebibyte;

function clientsOf(cluster: TestCluster): [S3Client, S3Client, S3Client] {
  const clients = cluster.urls.map(
    (endpoint) =>
      new S3Client({ endpoint, region: s3Region, credentials: s3Key, forcePathStyle: true, maxAttempts: 5 }),
  );
  return clients as [S3Client, S3Client, S3Client];
}

function partOf(number: number, size = partBytes): Buffer {
  return Buffer.alloc(size, `part ${number} `);
}

/** What CompleteMultipartUpload takes. */
interface SentPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
  readonly ChecksumCRC32?: string;
}

async function begin(client: S3Client, Key: string): Promise<string> {
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ Bucket, Key, ContentType: "text/parts", Metadata: { owner: "ada" } }),
  );
  return UploadId as string;
}

async function send(client: S3Client, Key: string, UploadId: string, PartNumber: number, size?: number): Promise<SentPart> {
  const Body = partOf(PartNumber, size);
  const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
  return { PartNumber, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) };
} // biome-ignore format: long calls

async function complete(client: S3Client, Key: string, UploadId: string, Parts: SentPart[]): Promise<string> {
  const input = { Bucket, Key, UploadId, MultipartUpload: { Parts } };
  return (await client.send(new CompleteMultipartUploadCommand(input))).ETag as string;
}

async function bytesOf(client: S3Client, Key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  assert.ok(Body !== undefined);
  return Buffer.from(await Body.transformToByteArray());
}

function ignore(): void {}

async function codeOf(act: Promise<unknown>): Promise<string> {
  return await act.then(
    () => "none",
    (error: unknown) => (error as Error).name,
  );
}

test("parts go to any node in any order, again too, and become one object on all of them", { timeout }, async () => {
  await using cluster = await startS3Cluster({ config: neverFlush });
  const [a, b, c] = clientsOf(cluster);
  const Key = "folder/ä multi+part.bin";
  const id = await begin(a, Key);
  const [third, first] = await Promise.all([send(a, Key, id, 30, 1_000), send(b, Key, id, 1)]);
  await send(c, Key, id, 2, 7);
  const second = await send(a, Key, id, 2);
  const listed = await b.send(new ListPartsCommand({ Bucket, Key, UploadId: id }));
  assert.deepEqual(
    listed.Parts?.map(({ PartNumber, Size, ETag }) => [PartNumber, Size, ETag]),
    [[1, partBytes, first.ETag], [2, partBytes, second.ETag], [30, 1_000, third.ETag]],
  );
  const uploads = await c.send(new ListMultipartUploadsCommand({ Bucket }));
  assert.deepEqual(uploads.Uploads?.map(({ Key: key, UploadId }) => [key, UploadId]), [[Key, id]]);
  assert.equal(await codeOf(a.send(new HeadObjectCommand({ Bucket, Key }))), "NotFound");
  const ETag = await complete(c, Key, id, [first, second, third]);
  const expected = Buffer.concat([partOf(1), partOf(2), partOf(30, 1_000)]);
  for (const client of [a, b, c]) {
    assert.ok((await bytesOf(client, Key)).equals(expected));
    const head = await client.send(new HeadObjectCommand({ Bucket, Key }));
    assert.deepEqual([head.ETag, head.ContentType, head.Metadata, head.ContentLength], [ETag, "text/parts", { owner: "ada" }, expected.length]);
    assert.equal(await complete(client, Key, id, [first, second, third]), ETag, "a repeat is answered as before");
    assert.equal((await client.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads, undefined);
  }
  const objects = await b.send(new ListObjectsV2Command({ Bucket }));
  assert.deepEqual(objects.Contents?.map((each) => [each.Key, each.Size, each.ETag]), [[Key, expected.length, ETag]]);
}); // biome-ignore format: long calls

describe("multipart uploads to three nodes", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await startS3Cluster()) }));

  it("nodes are lost between the requests of an upload, and in the middle of them: the client repeats those", { timeout }, async () => {
    const { cluster } = stage();
    const [a, b, c] = clientsOf(cluster);
    const Key = "survivor";
    const id = await begin(c, Key);
    const first = await send(c, Key, id, 1);
    // What the node answered is there without it. What it was about to answer is sent again.
    const [cut] = await Promise.allSettled([send(c, Key, id, 2), cluster.process("c").kill()]);
    const second = cut.status === "fulfilled" ? cut.value : await send(a, Key, id, 2);
    const third = await send(b, Key, id, 3, 10);
    const listed = await a.send(new ListPartsCommand({ Bucket, Key, UploadId: id }));
    assert.deepEqual(listed.Parts?.map(({ PartNumber, ETag }) => [PartNumber, ETag]), [[1, first.ETag], [2, second.ETag], [3, third.ETag]]);
    cluster.restart("c");
    await cluster.untilReady();
    const parts = [first, second, third];
    const [completed] = await Promise.allSettled([complete(b, Key, id, parts), cluster.process("b").kill()]);
    const again = await complete(a, Key, id, parts);
    if (completed.status === "fulfilled") assert.equal(again, completed.value);
    const expected = Buffer.concat([partOf(1), partOf(2), partOf(3, 10)]);
    for (const client of [a, c]) assert.ok((await bytesOf(client, Key)).equals(expected));
    cluster.restart("b");
    await cluster.untilReady();
    assert.ok((await bytesOf(b, Key)).equals(expected));
  }); // biome-ignore format: long calls

  it("an upload outlives a restart of all nodes; one that is aborted leaves nothing", { timeout }, async () => {
    const { cluster } = stage();
    const [a, b, c] = clientsOf(cluster);
    const [kept, aborted] = [await begin(a, "kept"), await begin(b, "aborted")];
    const first = await send(b, "kept", kept, 1);
    await send(c, "aborted", aborted, 1);
    await cluster.stopAll();
    for (const id of cluster.ids) cluster.restart(id);
    await cluster.untilReady();
    const second = await send(c, "kept", kept, 2, 3);
    await a.send(new AbortMultipartUploadCommand({ Bucket, Key: "aborted", UploadId: aborted }));
    assert.equal(await codeOf(send(b, "aborted", aborted, 2)), "NoSuchUpload");
    assert.equal(await codeOf(c.send(new ListPartsCommand({ Bucket, Key: "aborted", UploadId: aborted }))), "NoSuchUpload");
    await complete(b, "kept", kept, [first, second]);
    assert.ok((await bytesOf(a, "kept")).equals(Buffer.concat([partOf(1), partOf(2, 3)])));
    assert.equal(await codeOf(bytesOf(a, "aborted")), "NoSuchKey");
  }); // biome-ignore format: long calls

  it("parts are copied out of values in memory and in the store", { timeout }, async () => {
    const { cluster } = stage();
    const [a, b, c] = clientsOf(cluster);
    const [small, large] = [Buffer.alloc(mebibyte, "small"), Buffer.alloc(12 * mebibyte, "large")];
    await a.send(new PutObjectCommand({ Bucket, Key: "small", Body: small }));
    await b.send(new PutObjectCommand({ Bucket, Key: "large é", Body: large }));
    const Key = "copied";
    const id = await begin(c, Key);
    const copy = async (client: S3Client, PartNumber: number, source: string, CopySourceRange?: string): Promise<SentPart> => {
      const CopySource = `${Bucket}/${encodeURIComponent(source)}`;
      const { CopyPartResult } = await client.send(new UploadPartCopyCommand({ Bucket, Key, UploadId: id, PartNumber, CopySource, CopySourceRange }));
      return { PartNumber, ETag: CopyPartResult?.ETag };
    };
    const parts = await Promise.all([
      copy(a, 1, "large é", `bytes=0-${partBytes - 1}`),
      copy(b, 2, "large é", `bytes=${partBytes}-${12 * mebibyte - 1}`),
      copy(c, 3, "small"),
    ]);
    await complete(b, Key, id, parts);
    assert.ok((await bytesOf(c, Key)).equals(Buffer.concat([large, small])));
  }); // biome-ignore format: long calls

  it("AWS's Upload sends a stream in parts while a node is killed, or takes all of it back", { timeout }, async () => {
    const { cluster } = stage();
    const [a, b] = clientsOf(cluster);
    const parts = [1, 2, 3, 4, 5].map((number) => partOf(number, 4 * mebibyte));
    async function* slowly(): AsyncGenerator<Buffer> {
      for (const [index, part] of parts.entries()) {
        if (index === 3) await cluster.process("c").kill();
        yield part;
      }
    }
    const params = { Bucket, Key: "stream", Body: Readable.from(slowly()), ContentType: "text/stream" };
    const done = await new Upload({ client: a, params, partSize: partBytes, queueSize: 2 }).done();
    assert.ok((await bytesOf(b, "stream")).equals(Buffer.concat(parts)));
    assert.equal((await b.send(new HeadObjectCommand({ Bucket, Key: "stream" }))).ETag, done.ETag);
    const upload = new Upload({ client: b, params: { ...params, Key: "gone", Body: Readable.from(parts) } });
    upload.once("httpUploadProgress", () => void upload.abort());
    assert.equal(await codeOf(upload.done()), "AbortError");
    await cluster.until(10_000, "the upload is aborted", async () => {
      const { Uploads } = await a.send(new ListMultipartUploadsCommand({ Bucket }));
      return Uploads === undefined;
    });
    assert.equal(await codeOf(b.send(new HeadObjectCommand({ Bucket, Key: "gone" }))), "NotFound");
    cluster.restart("c");
    await cluster.untilReady();
  });
});

test("a part finds room beside values that are streamed and have stopped coming", { timeout }, async () => {
  await using cluster = await startS3Cluster({ nodes: 1 });
  const [client] = clientsOf(cluster);
  client.config.logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const stop = new AbortController();
  // Each may have three parts in memory, so that there is less room left than for the part.
  const streams = Array.from({ length: 6 }, (_, index) => {
    const Body = new PassThrough();
    const put = new PutObjectCommand({ Bucket, Key: `stream ${index}`, Body, ContentLength: 100 * mebibyte });
    const sent = codeOf(client.send(put, { abortSignal: stop.signal }));
    return { Body, sent };
  });
  for (const { Body } of streams) for (const number of [1, 2, 3]) Body.write(partOf(number));
  const pattern = /^weir_share_used\{resource="upload_bytes",token="s3"\} (\d+)/m;
  const inMemory = async (): Promise<number> => {
    const { body } = await cluster.http.request(cluster.url("a"), "GET", "/metrics");
    return Number(pattern.exec(body.toString())?.[1] ?? 0);
  };
  while ((await inMemory()) < 6 * partBytes) await sleep(systemClock, 50);
  // Until the store has what came.
  await sleep(systemClock, 1_000);
  const UploadId = await begin(client, "k");
  const part = { Bucket, Key: "k", UploadId, PartNumber: 1, Body: partOf(1, 60 * mebibyte) };
  const { $metadata } = await client.send(new UploadPartCommand(part));
  assert.equal($metadata.attempts, 1, "it was not refused for want of room");
  stop.abort();
  for (const { sent } of streams) assert.equal(await sent, "AbortError");
}); // biome-ignore format: long calls
