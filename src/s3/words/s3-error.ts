/**
 * The errors of S3, by its own codes: the status that each has, and what the failures of the cluster are called in S3.
 * Clients act on the code. SDKs retry `SlowDown`, `ServiceUnavailable` and `InternalError` by themselves.
 */

import { type ErrorCode, OperatingError } from "../../base/errors.ts";

interface S3ErrorKind {
  readonly status: number;
  /** What it is for the parts of weir that do not know S3. */
  readonly code: ErrorCode;
}

const invalid = { status: 400, code: "header_invalid" } as const;
const wrongBody = { status: 400, code: "body_invalid" } as const;
const denied = { status: 403, code: "forbidden" } as const;
const missing = { status: 404, code: "key_not_found" } as const;

export const s3ErrorKinds = {
  AccessDenied: denied,
  AuthorizationHeaderMalformed: invalid,
  AuthorizationQueryParametersError: invalid,
  BadDigest: wrongBody,
  BucketAlreadyExists: { status: 409, code: "precondition_failed" },
  BucketAlreadyOwnedByYou: { status: 409, code: "precondition_failed" },
  BucketNotEmpty: { status: 409, code: "precondition_failed" },
  EntityTooSmall: wrongBody,
  EntityTooLarge: { status: 400, code: "value_too_large" },
  IncompleteBody: { status: 400, code: "body_truncated" },
  InternalError: { status: 500, code: "internal" },
  InvalidAccessKeyId: denied,
  InvalidArgument: invalid,
  InvalidBucketName: invalid,
  InvalidDigest: invalid,
  InvalidPart: wrongBody,
  InvalidPartOrder: wrongBody,
  InvalidPartNumber: { status: 416, code: "range_not_satisfiable" },
  InvalidRange: { status: 416, code: "range_not_satisfiable" },
  InvalidRequest: invalid,
  InvalidStorageClass: invalid,
  InvalidToken: invalid,
  InvalidURI: { status: 400, code: "key_invalid" },
  KeyTooLongError: { status: 400, code: "key_invalid" },
  MalformedXML: wrongBody,
  MetadataTooLarge: invalid,
  MissingContentLength: { status: 411, code: "header_invalid" },
  MethodNotAllowed: { status: 405, code: "method_not_allowed" },
  NoSuchBucket: missing,
  NoSuchBucketPolicy: missing,
  NoSuchCORSConfiguration: missing,
  NoSuchKey: missing,
  NoSuchLifecycleConfiguration: missing,
  NoSuchPublicAccessBlockConfiguration: missing,
  NoSuchTagSet: missing,
  NoSuchUpload: missing,
  NoSuchVersion: missing,
  NoSuchWebsiteConfiguration: missing,
  NotImplemented: { status: 501, code: "route_not_found" },
  ObjectLockConfigurationNotFoundError: missing,
  OperationAborted: { status: 409, code: "precondition_failed" },
  OwnershipControlsNotFoundError: missing,
  PreconditionFailed: { status: 412, code: "precondition_failed" },
  // The name that Ceph gives a caller who may hold no more.
  QuotaExceeded: { status: 403, code: "refused_full" },
  ReplicationConfigurationNotFoundError: missing,
  RequestTimeout: { status: 400, code: "body_timeout" },
  RequestTimeTooSkewed: denied,
  ServerSideEncryptionConfigurationNotFoundError: missing,
  ServiceUnavailable: { status: 503, code: "store_unavailable" },
  SignatureDoesNotMatch: denied,
  SlowDown: { status: 503, code: "overloaded" },
  TooManyBuckets: invalid,
  XAmzContentSHA256Mismatch: wrongBody,
} as const satisfies Record<string, S3ErrorKind>;

export type S3Code = keyof typeof s3ErrorKinds;

/** What S3 calls the failures of the cluster. */
export const s3Codes: Readonly<Record<ErrorCode, S3Code>> = {
  key_invalid: "InvalidArgument",
  header_invalid: "InvalidArgument",
  query_invalid: "InvalidArgument",
  body_invalid: "InvalidRequest",
  body_truncated: "IncompleteBody",
  unauthorized: "AccessDenied",
  forbidden: "AccessDenied",
  cross_site_request: "AccessDenied",
  not_refused: "NoSuchKey",
  key_not_found: "NoSuchKey",
  route_not_found: "NotImplemented",
  method_not_allowed: "MethodNotAllowed",
  body_timeout: "RequestTimeout",
  precondition_failed: "PreconditionFailed",
  value_too_large: "EntityTooLarge",
  range_not_satisfiable: "InvalidRange",
  headers_too_large: "InvalidRequest",
  internal: "InternalError",
  value_not_servable: "NotImplemented",
  buffer_full: "SlowDown",
  overloaded: "SlowDown",
  not_ready: "ServiceUnavailable",
  deadline_exceeded: "ServiceUnavailable",
  peer_unreachable: "ServiceUnavailable",
  wrong_view: "ServiceUnavailable",
  shutting_down: "ServiceUnavailable",
  store_unavailable: "ServiceUnavailable",
  store_throttled: "SlowDown",
  store_refused: "ServiceUnavailable",
  refused_full: "QuotaExceeded",
  disk_failed: "InternalError",
  config_invalid: "InternalError",
};

/** A failure that only S3 has a name for. */
export class S3Error extends OperatingError {
  override name = "S3Error";
  readonly s3Code: S3Code;

  constructor(s3Code: S3Code, message: string, options?: { cause?: unknown }) {
    super(s3ErrorKinds[s3Code].code, message, options);
    this.s3Code = s3Code;
  }
}

export function notImplemented(what: string): S3Error {
  return new S3Error("NotImplemented", what);
}
