/**
 * Requests in S3's dialect, signed by AWS's own signer and sent as they are: a test may change any part of them after
 * they were signed.
 */

import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import type { HttpHost } from "./http-host.ts";
import { type RawAnswer, RawConnection, rawRequest } from "./raw-http.ts";

export interface TestKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export const testKey: TestKey = { accessKeyId: "WEIRTESTKEY", secretAccessKey: "a secret of the tests" };

export const testKeyRule = {
  name: "tester",
  accessKeyId: testKey.accessKeyId,
  secret: testKey.secretAccessKey,
  allow: ["read", "write"] as const,
};

export interface S3Request {
  readonly method: string;
  /** Percent-encoded, without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** In place of the body's own hash. */
  readonly contentSha256?: string;
}

export interface SignedS3Request {
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Signs what is to be sent to this host and port. */
export async function signS3(
  request: S3Request,
  host: string,
  key = testKey,
  date = new Date(),
): Promise<SignedS3Request> {
  const { path, query = {}, body = "" } = request;
  const contentSha256 = request.contentSha256 ?? createHash("sha256").update(body).digest("hex");
  const signed = await signer(key).sign(unsigned(request, host, contentSha256), { signingDate: date });
  return { target: path + queryText(query), headers: signed.headers };
}

/** The target of a presigned request. */
export async function presignS3(
  request: S3Request,
  host: string,
  expiresIn = 60,
  key = testKey,
  date = new Date(),
): Promise<string> {
  const options = { expiresIn, signingDate: date };
  const signed = await signer(key).presign(unsigned(request, host, "UNSIGNED-PAYLOAD"), options);
  return request.path + queryText(signed.query as Record<string, string>);
}

/**
 * The target of a request that is presigned by version 2. Its headers are in the query, as boto3 has them.
 *
 * @param request Its query is all signed. Its path has the bucket.
 */
export function presignV2(
  { method, path, query = {}, headers = {} }: S3Request,
  expiresIn = 60,
  key = testKey,
): string {
  const expires = String(Math.floor(Date.now() / 1_000) + expiresIn);
  const amz = Object.keys(headers).filter((name) => name.startsWith("x-amz-"));
  const lines = amz.toSorted().map((name) => `${name}:${headers[name]}\n`);
  const parts = Object.entries(query).map(([name, value]) => (value === "" ? name : `${name}=${value}`));
  const resource = parts.length === 0 ? path : `${path}?${parts.toSorted().join("&")}`;
  const fields = [method, headers["content-md5"] ?? "", headers["content-type"] ?? "", expires];
  const text = `${fields.join("\n")}\n${lines.join("")}${resource}`;
  const signature = createHmac("sha1", key.secretAccessKey).update(text).digest("base64");
  const proof = { AWSAccessKeyId: key.accessKeyId, Signature: signature, Expires: expires };
  return path + queryText({ ...query, ...headers, ...proof });
}

/** As AWS's signer takes it. */
function unsigned({ method, path, query = {}, headers = {} }: S3Request, host: string, contentSha256: string) {
  const [hostname = "", port = ""] = host.split(":");
  const all = { ...headers, host, "x-amz-content-sha256": contentSha256 };
  return { method, protocol: "http:", hostname, port: Number(port), path, query, headers: all };
}

function signer(key: TestKey): SignatureV4 {
  return new SignatureV4({
    service: "s3",
    region: "us-east-1",
    credentials: key,
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
}

/** What the signer asks for. */
class Sha256 {
  readonly #hash: ReturnType<typeof createHash>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash("sha256") : (createHmac("sha256", bytesOf(secret)) as never);
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error("a hash is used once");
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === "string") return Buffer.from(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function queryText(query: Readonly<Record<string, string>>): string {
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = Object.entries(query).map(([name, value]) =>
    value === "" ? encode(name) : `${encode(name)}=${encode(value)}`,
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

/** Sends a signed request to a host by the name that was signed. */
export async function sendS3(host: HttpHost, request: S3Request, key?: TestKey): Promise<RawAnswer> {
  const { target, headers } = await signS3(request, `127.0.0.1:${host.port}`, key);
  return await sendLines(host.port, request.method, target, headers, request.body);
}

/** Sends a request whose headers are all given, `host` among them. */
export async function sendLines(
  port: number,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
  body?: string | Buffer,
): Promise<RawAnswer> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const bytes = rawRequest(method, target, lines, body === undefined ? body : Buffer.from(body))
    .toString("latin1")
    .replace("Host: localhost\r\n", "");
  await using connection = await RawConnection.open(port);
  return await connection.send(Buffer.from(bytes, "latin1")).answer(method === "HEAD");
}

/** The code in an error answer. */
export function codeIn({ body }: RawAnswer): string | undefined {
  return /<Code>(\w+)<\/Code>/.exec(body.toString())?.[1];
}
