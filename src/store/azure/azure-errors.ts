/**
 * What the refusals of Azure's blob service mean. It says which failures may pass by themselves. For the others it says
 * what a person can do. Every answer names its reason in the header `x-ms-error-code`. A proxy's answer has only a
 * status.
 */

import { OperatingError } from "../../base/errors.ts";
import { type ExchangeAnswer, header } from "../http/exchange.ts";
import { withoutSignatures } from "../http/signature-words.ts";
import { unescapeXml } from "../http/xml.ts";

export interface AzureFailure {
  readonly status: number;
  /** The answer's `x-ms-error-code`. Empty if there is none. */
  readonly code: string;
  readonly message: string;
}

const keyAdvice = "check the account's name and its key";
const rightsAdvice =
  'grant the roles "Storage Blob Data Contributor" on the container and "Storage Blob Delegator" on the account, and let this host through the account\'s firewall';
const policyAdvice = "use a container without legal hold, time-based retention and immutability policy";

/** Codes that a person has to deal with, and how. */
const adviceByCode: Readonly<Record<string, string>> = {
  AccountIsDisabled: "enable the storage account",
  AuthenticationFailed: keyAdvice,
  AuthorizationPermissionMismatch: rightsAdvice,
  AuthorizationProtocolMismatch: "use an https:// endpoint",
  AuthorizationSourceIPMismatch: rightsAdvice,
  BlobArchived: "move the blob out of the archive tier; no lifecycle rule may archive what weir reads",
  BlobBeingRehydrated: "wait until the blob has come out of the archive tier",
  BlobImmutableDueToPolicy: policyAdvice,
  BlobTierInadequateForContentLength: "lower buffer.maxValueBytes to what the store takes",
  ContainerDisabled: "enable the container",
  ContainerNotFound: "create the container, or correct its name",
  FeatureVersionMismatch: "use a storage account of the kind StorageV2, without hierarchical namespace",
  InsufficientAccountPermissions: rightsAdvice,
  InvalidResourceName: "correct the container's name",
  KeyBasedAuthenticationNotPermitted: "allow the account's keys, or leave the key out to have the host's identity used",
  LeaseIdMissing: "break the lease that somebody holds on the blob",
  LeaseLost: "break the lease that somebody holds on the blob",
  MetadataTooLarge: "send less metadata with the value",
  OutOfRangeInput: "use a shorter prefix or shorter keys",
  PathConflict: "use an account without hierarchical namespace",
  RequestBodyTooLarge: "lower buffer.maxValueBytes to what the store takes",
  ResourceTypeMismatch: "use an account without hierarchical namespace",
  SnapshotsPresent: "delete the blob's snapshots: weir does not delete what others keep",
};

const throttlingCodes = new Set([
  "AccountRequestsOverLimit",
  "EgressIsOverAccountLimit",
  "IngressIsOverAccountLimit",
  "ServerBusy",
  "TooManyRequests",
  "TpsOverAccountLimit",
]);

/**
 * Codes with a 4xx status that another try may well get past. The body was torn in transit, or the account or container
 * is still being created or deleted.
 */
const passingCodes = new Set([
  "AccountBeingCreated",
  "ContainerBeingDeleted",
  "Md5Mismatch",
  "OperationTimedOut",
  "UnsupportedHttpVerbTimeout",
]);

/**
 * Whether the store itself says that there is no such blob. A proxy without a route to the store has a 404 of its
 * own (F17).
 */
export function isBlobMissing({ status, code }: AzureFailure): boolean {
  return status === 404 && (code === "BlobNotFound" || code === "ResourceNotFound");
}

/**
 * Other refusals have the same statuses: for a lease (412), an immutable blob (409), or a container that is gone (404).
 */
const conflictCodes = new Set(["BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet", "BlobNotFound"]);

/** Whether a condition did not hold. */
export function isConflict(failure: AzureFailure): boolean {
  return conflictCodes.has(failure.code) || (failure.code === "" && failure.status === 412);
}

/** What an answer that is no success says. */
export function readFailure(answer: Pick<ExchangeAnswer, "status" | "headers" | "body">): AzureFailure {
  return parseFailure(answer.status, header(answer, "x-ms-error-code"), answer.body?.toString() ?? "");
}

/** @param body XML. Only the first line of its message is for people. */
export function parseFailure(status: number, code: string | undefined, body: string): AzureFailure {
  const field = (name: string): string => new RegExp(`<${name}>([^<\r\n]*)`).exec(body)?.[1] ?? "";
  const detail = field("AuthenticationErrorDetail");
  const message = detail === "" ? field("Message") : `${field("Message")} ${detail}`;
  return { status, code: code ?? field("Code"), message: withoutSignatures(unescapeXml(message)) };
}

/** `what` is the failed request in words, such as `GET photos/cat.png`. */
export function failureError(failure: AzureFailure, what: string, container: string): OperatingError {
  const { status, code } = failure;
  const reason = [code === "" ? `HTTP ${status}` : `${code} (HTTP ${status})`, failure.message]
    .filter((part) => part !== "")
    .join(": ");
  if (status === 429 || throttlingCodes.has(code)) {
    return new OperatingError("store_throttled", `${what}: the store asks for fewer requests: ${reason}`);
  }
  if (status >= 500 || status === 408 || passingCodes.has(code)) {
    return new OperatingError("store_unavailable", `${what}: the store failed: ${reason}`);
  }
  if (status === 404 && code === "") {
    return new OperatingError("store_unavailable", `${what}: something else answers in the store's place: ${reason}`);
  }
  if (code === "ContainerNotFound") {
    return new OperatingError("store_refused", `the container ${container} does not exist; ${adviceByCode[code]}`);
  }
  const advice = adviceByCode[code] ?? (status === 403 || status === 401 ? `${keyAdvice}; ${rightsAdvice}` : undefined);
  const tail = advice === undefined ? "" : `; ${advice}`;
  return new OperatingError("store_refused", `${what}: the store refused it: ${reason}${tail}`);
}
