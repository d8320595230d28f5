/** Which operation of S3 a request asks for: by its method, by what it is for, and by the part that its query names. */

import type { S3Call } from "./call.ts";
import { type BucketPart, isBucketPart } from "./routes/bucket-routes.ts";
import { notImplemented, S3Error } from "./words/s3-error.ts";
import { partIn, refuseUnknown } from "./words/unspoken.ts";

/** Each with the right that it needs. Their names are S3's own; they are in the metrics and in the log. */
export const operationNeeds = {
  ListBuckets: "read",
  HeadBucket: "read",
  CreateBucket: "write",
  DeleteBucket: "write",
  GetBucketPart: "read",
  PutAcl: "write",
  ListObjects: "read",
  ListObjectsV2: "read",
  DeleteObjects: "write",
  GetObject: "read",
  HeadObject: "read",
  GetObjectAcl: "read",
  GetObjectAttributes: "read",
  GetObjectTagging: "read",
  PutObject: "write",
  CopyObject: "write",
  DeleteObject: "write",
  CreateMultipartUpload: "write",
  UploadPart: "write",
  UploadPartCopy: "write",
  CompleteMultipartUpload: "write",
  AbortMultipartUpload: "write",
  ListParts: "read",
  ListMultipartUploads: "read",
} as const;

export type OperationName = keyof typeof operationNeeds;

export interface Choice {
  readonly name: OperationName;
  /** Of `GetBucketPart`. */
  readonly part?: BucketPart;
}

type Request = Pick<S3Call, "target" | "headers"> & { readonly method: string };

/** @throws S3Error `NotImplemented`, `MethodNotAllowed`. */
export function chooseOperation(request: Request): Choice {
  const { target, method } = request;
  if (method !== "GET" && method !== "HEAD") refuseUnknown(target);
  const part = partIn(target);
  if (target.bucket === undefined) {
    if (method === "GET" && part === undefined) return { name: "ListBuckets" };
    throw method === "GET" ? unspoken(method, part) : new S3Error("MethodNotAllowed", "name a bucket");
  }
  return target.key === undefined ? chooseForBucket(request, part) : chooseForObject(request, part);
}

function chooseForBucket({ target, method, headers }: Request, part: string | undefined): Choice {
  switch (method) {
    case "GET":
      if (part === undefined) return { name: target.query.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects" };
      if (part === "uploads") return { name: "ListMultipartUploads" };
      if (isBucketPart(part)) return { name: "GetBucketPart", part };
      throw unspoken(method, part);
    case "HEAD":
      if (part === undefined) return { name: "HeadBucket" };
      throw unspoken(method, part);
    case "PUT":
      if (part === undefined) return { name: "CreateBucket" };
      if (part === "acl" && headers["x-amz-acl"] !== undefined) return { name: "PutAcl" };
      throw unspoken(method, part);
    case "DELETE":
      if (part === undefined) return { name: "DeleteBucket" };
      throw unspoken(method, part);
    case "POST":
      if (part === "delete") return { name: "DeleteObjects" };
      throw part === undefined ? notImplemented("uploads by an HTML form are not spoken") : unspoken(method, part);
    default:
      throw new S3Error("MethodNotAllowed", `${method} is no method of S3`);
  }
}

function chooseForObject({ target, method, headers }: Request, part: string | undefined): Choice {
  const isUpload = part === "uploadId" && !target.query.has("partNumber");
  switch (method) {
    case "GET":
    case "HEAD":
      if (isUpload && method === "GET") return { name: "ListParts" };
      if (part === undefined || part === "partNumber") return { name: method === "GET" ? "GetObject" : "HeadObject" };
      if (part === "acl" && method === "GET") return { name: "GetObjectAcl" };
      if (part === "attributes" && method === "GET") return { name: "GetObjectAttributes" };
      if (part === "tagging" && method === "GET") return { name: "GetObjectTagging" };
      if (part === "versionId") throw new S3Error("NoSuchVersion", "objects have no versions");
      throw unspoken(method, part);
    case "PUT":
      if (part === "acl" && headers["x-amz-acl"] !== undefined) return { name: "PutAcl" };
      if (part === "uploadId") return { name: isCopy(headers) ? "UploadPartCopy" : "UploadPart" };
      if (part !== undefined) throw unspoken(method, part);
      return { name: isCopy(headers) ? "CopyObject" : "PutObject" };
    case "DELETE":
      if (part === undefined) return { name: "DeleteObject" };
      if (isUpload) return { name: "AbortMultipartUpload" };
      if (part === "versionId") throw new S3Error("NoSuchVersion", "objects have no versions");
      throw unspoken(method, part);
    case "POST":
      if (part === "uploads") return { name: "CreateMultipartUpload" };
      if (isUpload) return { name: "CompleteMultipartUpload" };
      throw part === undefined ? notImplemented("uploads by an HTML form are not spoken") : unspoken(method, part);
    default:
      throw new S3Error("MethodNotAllowed", `${method} is no method of S3`);
  }
}

function isCopy(headers: Request["headers"]): boolean {
  return headers["x-amz-copy-source"] !== undefined;
}

function unspoken(method: string, part: string | undefined): S3Error {
  return notImplemented(`${method} with ?${part ?? ""} is not spoken`);
}
