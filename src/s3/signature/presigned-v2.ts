/**
 * Presigned requests of signature version 2 (AWS, "Signing and authenticating REST requests"). boto3, aws-cli 1 and
 * s3cmd presign so unless they are told otherwise. Their query has `AWSAccessKeyId`, `Expires` and `Signature`.
 *
 * This version signs the method, the path, and some of the parameters and headers. AWS takes other parameters unsigned.
 * Here they are refused: who has an address must not make another request of it.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import { isSendable } from "../../http/routes/content-headers.ts";
import { S3Error } from "../words/s3-error.ts";
import { Query, type S3Target } from "../words/target.ts";
import type { SignedRequest } from "./canonical-request.ts";

const ownParameters = ["AWSAccessKeyId", "Expires", "Signature"] as const;

/** In the order in which they are signed. */
const signedParameters: readonly string[] = [
  "acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy", "requestPayment",
  "response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
  "response-content-type", "response-expires", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
  "versions", "website",
]; // biome-ignore format: a table

export function isPresignedV2(query: Query): boolean {
  return query.has("AWSAccessKeyId");
}

/**
 * Whether a header is signed. A parameter of such a name stands for the header. The name has the letters of HTTP's
 * names: a colon, or a letter whose byte is another's, would be signed like another name.
 */
export function isSignedInV2(name: string): boolean {
  return /^(?:x-amz-[\w!#$%&'*+.^`|~-]*|content-(?:md5|type))$/i.test(name);
}

/** What is asked for: the target without its signature, and without what stands for headers. */
export function askedInV2(target: S3Target): S3Target {
  const isAsked = (name: string): boolean => !isOwn(name) && !isSignedInV2(name);
  return { ...target, query: new Query(target.query.all.filter(([name]) => isAsked(name))) };
}

function isOwn(name: string): boolean {
  return (ownParameters as readonly string[]).includes(name);
}

export interface AuthorizationV2 {
  readonly accessKeyId: string;
  /** Seconds since 1970, as they came. */
  readonly expires: string;
  /** In base64. */
  readonly signature: string;
}

/** @throws S3Error `AccessDenied`, `InvalidArgument`. */
export function parseQueryV2(query: Query): AuthorizationV2 {
  refuseOthers(query);
  const [accessKeyId, expires, signature] = ownParameters.map((name) => query.get(name));
  if (accessKeyId === undefined || expires === undefined || signature === undefined) {
    throw new S3Error("AccessDenied", `a presigned request of version 2 has ${ownParameters.join(", ")}`);
  }
  if (!/^\d{1,15}$/.test(expires)) throw new S3Error("AccessDenied", "Expires must be in seconds since 1970");
  return { accessKeyId, expires, signature };
}

function refuseOthers(query: Query): void {
  if (query.has("X-Amz-Signature") || query.has("X-Amz-Algorithm")) {
    throw new S3Error("InvalidArgument", "a request has one signature, of version 2 or of version 4");
  }
  for (const [name, value] of query.all) {
    if (isOwn(name) || isSignedInV2(name)) continue;
    if (!signedParameters.includes(name)) {
      const detail = `the parameter ${JSON.stringify(name.slice(0, 64))} is not signed by version 2: presign with version 4`;
      throw new S3Error("AccessDenied", detail);
    }
    // Two parameters are signed like one that has the second in its value. Names of files (response-*) may have one.
    if (value.includes("&") && !isOfAnswer(name)) {
      throw new S3Error("InvalidArgument", `the parameter ${name} has an ampersand`);
    }
  }
  // What follows an ampersand in the name of a file can be sent as a parameter. It must not make another operation.
  const other = query.all.find(([name]) => signedParameters.includes(name) && !isOfAnswer(name) && !isOfObject(name));
  if (other !== undefined && query.all.some(([name]) => isOfAnswer(name))) {
    throw new S3Error("InvalidArgument", `the parameter ${other[0]} goes with none of response-*`);
  }
}

function isOfAnswer(name: string): boolean {
  return name.startsWith("response-");
}

/** Whether a request with this parameter is for the object all the same. */
function isOfObject(name: string): boolean {
  return name === "partNumber" || name === "versionId";
}

/**
 * The headers that are signed, in lower case, by their names.
 *
 * @throws S3Error `InvalidArgument` for one that is there twice, and one that HTTP could not carry.
 */
export function headersInV2({ rawHeaders, target }: SignedRequest): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!isSignedInV2(name)) continue;
    if (found.has(name)) throw new S3Error("InvalidArgument", `the header ${name} occurs more than once`);
    found.set(name, rawHeaders[i + 1] as string);
  }
  for (const [parameter, text] of target.query.all) {
    if (!isSignedInV2(parameter)) continue;
    const name = parameter.toLowerCase();
    const value = bytesOf(text);
    if (!isSendable(value)) throw new S3Error("InvalidArgument", `${parameter} is no value of a header`);
    if ((found.get(name) ?? value) !== value) {
      throw new S3Error("InvalidArgument", `${parameter} is there twice, with two values`);
    }
    found.set(name, value);
  }
  return found;
}

/** Whether the signature is that of the request. Compares in constant time. */
export function isSignedByV2(
  secret: string,
  { method, target }: SignedRequest,
  { expires, signature }: AuthorizationV2,
  headers: ReadonlyMap<string, string>,
): boolean {
  const names = [...headers.keys()].filter((name) => name.startsWith("x-amz-")).sort();
  const lines = [method, headers.get("content-md5") ?? "", headers.get("content-type") ?? "", expires];
  for (const name of names) lines.push(`${name}:${headers.get(name)}`);
  lines.push(resourceOf(target));
  const made = Buffer.from(createHmac("sha1", secret).update(lines.join("\n"), "latin1").digest("base64"));
  const given = Buffer.from(signature);
  return given.length === made.length && timingSafeEqual(made, given);
}

/** The path as it came, with the bucket at its front, and the parameters that are signed, decoded. */
function resourceOf({ path, query, bucketOfHost }: SignedRequest["target"]): string {
  const isBucketAlone = bucketOfHost === undefined && path.indexOf("/", 1) === -1 && path !== "/";
  const resource = bucketOfHost === undefined ? path : `/${bucketOfHost}${path}`;
  const parameters = signedParameters.flatMap((name) => query.all.filter(([each]) => each === name));
  const texts = parameters.map(([name, value]) => (value === "" ? name : `${name}=${bytesOf(value)}`));
  return `${resource}${isBucketAlone ? "/" : ""}${texts.length === 0 ? "" : `?${texts.join("&")}`}`;
}

/** Each character a byte of its UTF-8. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString("latin1");
}
