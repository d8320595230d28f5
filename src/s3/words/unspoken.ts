/**
 * What S3 knows and weir does not: the parts of a bucket or an object that a query names, and headers that ask for more
 * than is done. Such a request is refused, with a sentence. What can be passed over without harm is not in here.
 */

import { notImplemented, S3Error } from "./s3-error.ts";
import type { S3Target } from "./target.ts";

type Headers = Readonly<Record<string, string | undefined>>;

/**
 * Parameters that make a request one for something else than the object or the bucket itself. A request with one that
 * its operation does not know must not be taken for one without it: `DELETE key?tagging` does not delete the object.
 */
const parts: readonly string[] = [
  "accelerate", "acl", "analytics", "annotation", "attributes", "cors", "delete", "encryption", "intelligent-tiering",
  "inventory", "legal-hold", "lifecycle", "location", "logging", "metadataConfiguration", "metadataTable", "metrics",
  "notification", "object-lock", "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock",
  "renameObject", "replication", "requestPayment", "restore", "retention", "select", "session", "tagging", "torrent",
  "uploadId", "uploads", "versionId", "versioning", "versions", "website",
]; // biome-ignore format: a table

/**
 * The part that the query names. Undefined if the request is for the object or the bucket itself.
 *
 * @throws S3Error `NotImplemented` if it names several.
 */
export function partIn({ query }: Pick<S3Target, "query">): string | undefined {
  if (query.all.length === 0) return undefined;
  // The version null is the only one that there is.
  const named = query.all.filter(
    ([name, value]) => parts.includes(name) && !(name === "versionId" && value === "null"),
  );
  const [first, second, third] = named.map(([name]) => name);
  if (second === undefined) return first;
  // A part of an upload has a number.
  const isPart = third === undefined && query.has("uploadId") && query.has("partNumber");
  if (isPart) return "uploadId";
  throw notImplemented(`the parameters ${first} and ${second} together are not known`);
}

/**
 * For a request that changes something: a parameter that nobody here knows may change what is asked for.
 *
 * @throws S3Error `NotImplemented`.
 */
export function refuseUnknown({ query }: Pick<S3Target, "query">): void {
  // x-id is what AWS's SDK calls the operation.
  const unknown = query.all.find(([name]) => name !== "x-id" && !/^x-amz-/i.test(name) && !parts.includes(name));
  if (unknown !== undefined)
    throw notImplemented(`the parameter ${JSON.stringify(unknown[0].slice(0, 64))} is not known`);
}

/** Access control lists that say no more than that keys decide, as they do. */
const plainAcls: readonly string[] = ["private", "bucket-owner-full-control"];

/** What every signed request has. */
const ofEach: readonly string[] = ["x-amz-date", "x-amz-content-sha256"];

/**
 * Headers of a write that ask for what is not done. Without these checks a client would believe that it was.
 *
 * @param spoken One of them that this request speaks.
 * @throws S3Error `NotImplemented`, `InvalidStorageClass`.
 */
export function refuseUnspoken(headers: Headers, spoken?: string): void {
  for (const name in headers) {
    if (!name.startsWith("x-amz-") || name === spoken || ofEach.includes(name) || headers[name] === undefined) continue;
    const reason = reasonFor(name, headers[name]);
    if (reason !== undefined) throw notImplemented(`${name}: ${reason}`);
  }
  const storageClass = headers["x-amz-storage-class"];
  if (storageClass !== undefined && storageClass !== "STANDARD") {
    throw new S3Error("InvalidStorageClass", "there is the storage class STANDARD only: the bucket behind has its own");
  }
}

function reasonFor(name: string, value: string): string | undefined {
  if (name.startsWith("x-amz-server-side-encryption")) {
    return "values are not encrypted by nodes; set encryption for the bucket behind";
  }
  if (name.startsWith("x-amz-copy-source-server-side-encryption")) return "values are not encrypted by nodes";
  if (name.startsWith("x-amz-grant-")) return "there are no access control lists; keys have rights";
  if (name.startsWith("x-amz-object-lock-")) return "objects cannot be locked";
  if (name.startsWith("x-amz-if-match-")) return "of an object's conditions only its ETag is spoken";
  switch (name) {
    case "x-amz-acl":
      return plainAcls.includes(value) ? undefined : "there are no access control lists; keys have rights";
    case "x-amz-tagging":
      return value === "" ? undefined : "objects have no tags";
    case "x-amz-website-redirect-location":
      return "objects redirect nowhere";
    case "x-amz-write-offset-bytes":
      return "a value can only be replaced as a whole";
    case "x-amz-source-expected-bucket-owner":
      return "buckets have no owner that could be compared";
    case "x-amz-object-ownership":
      return value === "BucketOwnerEnforced" ? undefined : "there are no access control lists; keys have rights";
    case "x-amz-copy-source-range":
      return "a copy is of the whole value";
    case "x-amz-bucket-object-lock-enabled":
      return value.toLowerCase() === "false" ? undefined : "objects cannot be locked";
    case "x-amz-mfa":
      return "there is no second factor";
    default:
      return undefined;
  }
}

/**
 * For every request: the caller would believe that the bucket is the owner's.
 *
 * @throws S3Error `NotImplemented`.
 */
export function refuseOwner(headers: Headers): void {
  if (headers["x-amz-expected-bucket-owner"] === undefined) return;
  throw notImplemented("x-amz-expected-bucket-owner: buckets have no owner that could be compared");
}

/**
 * The same for a read.
 *
 * @throws S3Error `NotImplemented`.
 */
export function refuseUnspokenRead(headers: Headers): void {
  for (const name in headers) {
    if (name.startsWith("x-amz-server-side-encryption-customer-") && headers[name] !== undefined) {
      throw notImplemented(`${name}: ${reasonFor(name, headers[name]) as string}`);
    }
  }
}
