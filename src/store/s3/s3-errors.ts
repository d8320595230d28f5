/**
 * What an S3 server's refusals mean. Servers agree on the codes more than on the HTTP statuses, but not fully on
 * either. So this table knows both. It says which failures may pass by themselves. For the others it says what a person
 * can do.
 */

import { OperatingError } from "../../base/errors.ts";
import type { ExchangeAnswer } from "../http/exchange.ts";
import { withoutSignatures } from "../http/signature-words.ts";
import { elementIn } from "../http/xml.ts";

export interface S3Failure {
  readonly status: number;
  /** The `<Code>` of the answer. Empty if there is none: an answer to HEAD has no body. */
  readonly code: string;
  readonly message: string;
  /** Where the bucket is, if the server says so. */
  readonly region: string | undefined;
}

const keyAdvice = "check the access key and the secret key";
const rightsAdvice =
  "grant s3:GetObject, s3:PutObject and s3:DeleteObject on the objects and s3:ListBucket on the bucket";
const regionAdvice = "set the region to the bucket's own";

/** Codes that a person has to deal with, and how. */
const adviceByCode: Readonly<Record<string, string>> = {
  AccessDenied: rightsAdvice,
  AllAccessDisabled: "enable access to the bucket",
  AuthorizationHeaderMalformed: regionAdvice,
  AuthorizationQueryParametersError: regionAdvice,
  EntityTooLarge: "lower buffer.maxValueBytes to what the store takes",
  ExpiredToken: "renew the credentials",
  IllegalLocationConstraintException: regionAdvice,
  InvalidAccessKeyId: keyAdvice,
  InvalidToken: "renew the credentials",
  KeyTooLongError: "use a shorter prefix or shorter keys",
  MetadataTooLarge: "send less metadata with the value",
  NoSuchBucket: "create the bucket, or correct its name",
  PermanentRedirect: regionAdvice,
  QuotaExceeded: "raise the bucket's quota",
  SignatureDoesNotMatch: keyAdvice,
};

const throttlingCodes = new Set([
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequests",
  "RequestLimitExceeded",
]);

/**
 * Codes with a 4xx status that another try may well get past. The body was torn in transit, the request was too slow or
 * too early, or the bucket is moving.
 */
const passingCodes = new Set([
  "BadDigest",
  "IncompleteBody",
  "OperationAborted",
  "RequestTimeout",
  "RequestTimeTooSkewed",
  "TemporaryRedirect",
]);

/**
 * Whether the answer to a PUT says that what was sent is there. AWS says 200, other servers may say Created or No
 * Content. 202 says no more than that it may come to be there.
 */
export function isStored({ status }: Pick<ExchangeAnswer, "status">): boolean {
  return status === 200 || status === 201 || status === 204;
}

/** What an answer that is no success says. */
export function readFailure(answer: Pick<ExchangeAnswer, "status" | "headers" | "body">): S3Failure {
  const region = answer.headers["x-amz-bucket-region"];
  return parseFailure(answer.status, answer.body?.toString() ?? "", Array.isArray(region) ? region[0] : region);
}

/**
 * Reads the body of a failure. It is usually XML. Ceph sends JSON when it cannot tell that the request is one of S3.
 */
export function parseFailure(status: number, body: string, region: string | undefined): S3Failure {
  const field = (name: string): string =>
    elementIn(body, name) ?? new RegExp(`"${name}"\\s*:\\s*"([^"]*)"`).exec(body)?.[1] ?? "";
  return { status, code: field("Code"), message: withoutSignatures(field("Message")), region };
}

/**
 * Whether the store itself says that there is no such object. A proxy without a route to the store has a 404 of its
 * own (F17).
 */
export function isObjectMissing({ status, code }: S3Failure): boolean {
  return status === 404 && code === "NoSuchKey";
}

/** Whether the store says that there is no such upload. Ceph says of its parts that there is no such key. */
export function isUploadMissing(failure: S3Failure): boolean {
  return isObjectMissing(failure) || (failure.status === 404 && failure.code === "NoSuchUpload");
}

/** `what` is the failed request in words, such as `GET photos/cat.png`. */
export function failureError(failure: S3Failure, what: string, bucket: string): OperatingError {
  const { status, code, region } = failure;
  const reason = [code === "" ? `HTTP ${status}` : `${code} (HTTP ${status})`, failure.message]
    .filter((part) => part !== "")
    .join(": ");
  if (status === 429 || throttlingCodes.has(code)) {
    return new OperatingError("store_throttled", `${what}: the store asks for fewer requests: ${reason}`);
  }
  if (status >= 500 || status === 408 || status === 307 || passingCodes.has(code)) {
    return new OperatingError("store_unavailable", `${what}: the store failed: ${reason}`);
  }
  if (status === 404 && code === "") {
    return new OperatingError("store_unavailable", `${what}: something else answers in the store's place: ${reason}`);
  }
  if (code === "NoSuchBucket") {
    return new OperatingError("store_refused", `the bucket ${bucket} does not exist; ${adviceByCode[code]}`);
  }
  if (region !== undefined && (status === 301 || adviceByCode[code] === regionAdvice)) {
    return new OperatingError("store_refused", `the bucket ${bucket} is in the region ${region}; set it (${reason})`);
  }
  const advice = adviceByCode[code] ?? (status === 403 || status === 401 ? `${keyAdvice}; ${rightsAdvice}` : undefined);
  const tail = advice === undefined ? "" : `; ${advice}`;
  return new OperatingError("store_refused", `${what}: the store refused it: ${reason}${tail}`);
}
