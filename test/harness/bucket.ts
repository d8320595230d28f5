/**
 * A bucket of its own for a test's cluster, seen from outside: objects are written and read with AWS's own client, so
 * that what weir left there is judged by somebody else's understanding of S3.
 */

import { DeleteObjectCommand, GetObjectCommand, NoSuchKey, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { freshBucket, type S3Server } from "./s3-server.ts";

export interface StoredObject {
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly cacheControl: string | undefined;
  readonly contentDisposition: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

export class TestBucket implements AsyncDisposable {
  readonly name: string;
  readonly #server: S3Server;
  readonly #client: S3Client;

  private constructor(name: string, server: S3Server) {
    this.name = name;
    this.#server = server;
    const { accessKeyId, secretAccessKey, endpoint, region } = server;
    const credentials = { accessKeyId, secretAccessKey };
    this.#client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  }

  static async create(server: S3Server): Promise<TestBucket> {
    return new TestBucket((await freshBucket(server)).bucket, server);
  }

  /** What a cluster needs to use it; `endpoint` is that of a proxy before the server, if there is one. */
  clusterOptions(endpoint: string = this.#server.endpoint): {
    readonly store: Readonly<Record<string, unknown>>;
    readonly env: Readonly<Record<string, string>>;
  } {
    const { region, accessKeyId, secretAccessKey } = this.#server;
    const secrets = { accessKeyId: "env:WEIR_TEST_ACCESS_KEY_ID", secretAccessKey: "env:WEIR_TEST_SECRET_ACCESS_KEY" };
    return {
      store: { type: "s3", bucket: this.name, endpoint, region, ...secrets },
      env: { WEIR_TEST_ACCESS_KEY_ID: accessKeyId, WEIR_TEST_SECRET_ACCESS_KEY: secretAccessKey },
    };
  }

  /** Undefined if there is no such object. */
  async get(key: string): Promise<StoredObject | undefined> {
    try {
      const object = await this.#client.send(new GetObjectCommand({ Bucket: this.name, Key: key }));
      return {
        body: Buffer.from((await object.Body?.transformToByteArray()) ?? []),
        contentType: object.ContentType,
        contentEncoding: object.ContentEncoding,
        cacheControl: object.CacheControl,
        contentDisposition: object.ContentDisposition,
        metadata: object.Metadata ?? {},
      };
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  }

  /** Puts an object there as any other program would. */
  async put(key: string, body: Uint8Array, more: { readonly metadata?: Record<string, string> } = {}): Promise<void> {
    const input = { Bucket: this.name, Key: key, Body: body, ...(more.metadata && { Metadata: more.metadata }) };
    await this.#client.send(new PutObjectCommand(input));
  }

  async remove(key: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.name, Key: key }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }
}
