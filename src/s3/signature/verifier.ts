/**
 * Finds out who sent a request, by its signature. The signature is made again over what came, and compared in constant
 * time. What a signature does not keep out is that the same request is sent once more while it is valid: 15 minutes, or
 * what a presigned address says.
 */

import type { Access, S3Key } from "../../access/access.ts";
import type { Grant } from "../../access/grant.ts";
import type { Clock } from "../../base/clock.ts";
import { parseHttpDate } from "../../http/routes/http-date.ts";
import { S3Error } from "../words/s3-error.ts";
import {
  type Authorization,
  algorithm,
  type CredentialScope,
  KnownHeaders,
  parseHeader,
  parseQuery,
  type SignedHeaders,
} from "./authorization.ts";
import { canonicalRequest, type SignedRequest } from "./canonical-request.ts";
import { ChunkSignatures } from "./chunk-signatures.ts";
import { type Payload, parsePayload, unsignedPayload } from "./payload.ts";
import { headersInV2, isPresignedV2, isSignedByV2, parseQueryV2 } from "./presigned-v2.ts";
import { sha256 } from "./sha256.ts";
import { SigningKeys, scopeText } from "./signing-keys.ts";

export interface Identity {
  readonly grant: Grant;
  readonly payload: Payload;
  /** The signature was in the query, and is right. */
  readonly isPresigned: boolean;
  /** Of a body in signed chunks. Undefined where no signature is checked. */
  readonly chunks: ChunkSignatures | undefined;
}

export interface VerifiedRequest extends SignedRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A request's time and the node's own may differ by so much. */
const maxSkewMs = 15 * 60_000;

const contentHash = "x-amz-content-sha256";

export class Verifier {
  readonly #access: Access;
  readonly #clock: Clock;
  readonly #keys = new SigningKeys();
  readonly #headers = new KnownHeaders();
  /** The time that was read last: most requests of a second have the same. */
  #lastTime = "";
  #lastMs: number | undefined;
  /** That of the request before. Requests that say the same of their signer have one scope: see `KnownHeaders`. */
  #lastContext: { time: string; scope: CredentialScope | undefined; text: string } = {
    time: "",
    scope: undefined,
    text: "",
  };

  constructor(access: Access, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  /**
   * @throws S3Error `AccessDenied`, `AuthorizationHeaderMalformed`, `AuthorizationQueryParametersError`,
   * `InvalidAccessKeyId`, `InvalidArgument`, `InvalidRequest`, `InvalidToken`, `NotImplemented`,
   * `RequestTimeTooSkewed`, `SignatureDoesNotMatch`.
   */
  verify(request: VerifiedRequest): Identity {
    const { headers, target } = request;
    const { authorization } = headers;
    const isV2 = isPresignedV2(target.query);
    const isPresigned = isV2 || target.query.has("X-Amz-Signature") || target.query.has("X-Amz-Algorithm");
    if (isPresigned && authorization !== undefined) {
      throw new S3Error("InvalidArgument", "a request has one signature, in Authorization or in its query");
    }
    if (isV2) return this.#verifyV2(request);
    if (!isPresigned && authorization === undefined) throw new S3Error("AccessDenied", "the request is not signed");
    const known = isPresigned ? undefined : this.#headers.find(authorization as string);
    const auth = known ?? (isPresigned ? parseQuery(target.query) : parseHeader(authorization as string));
    const { signer } = auth;
    const time = auth.time ?? timeOf(headers, signer.signedHeaders);
    this.#requireTime(auth, time);
    const key = this.#keyOf(signer.accessKeyId);
    refuseSession(auth.sessionToken ?? headers["x-amz-security-token"]);
    const payload = payloadText(request, isPresigned);
    const signingKey = this.#keys.keyFor(key.secret, signer.scope);
    const canonical = canonicalRequest(request, signer.signedHeaders, payload);
    if (!signingKey.signed(this.#contextOf(time, signer.scope), sha256(canonical), auth.signature)) {
      // What is remembered of a header does not tell whether it ends with a signature.
      if (known !== undefined) parseHeader(authorization as string);
      throw notSigned();
    }
    this.#keys.keep(key.secret, signer.scope, signingKey);
    if (!isPresigned && known === undefined) this.#headers.keep(authorization as string, auth);
    const parsed = parsePayload(payload);
    const isSigned = parsed.kind === "chunked" && parsed.signed;
    return {
      grant: key.grant,
      payload: parsed,
      isPresigned,
      chunks: isSigned ? new ChunkSignatures(signingKey, contextText(time, signer.scope), auth.signature) : undefined,
    };
  }

  /** A presigned request of version 2. It has no time but its end. */
  #verifyV2(request: VerifiedRequest): Identity {
    const auth = parseQueryV2(request.target.query);
    if (this.#clock.wallMs() > Number(auth.expires) * 1_000) throw expired();
    const { secret, grant } = this.#keyOf(auth.accessKeyId);
    const headers = headersInV2(request);
    refuseSession(headers.get("x-amz-security-token"));
    if (!isSignedByV2(secret, request, auth, headers)) throw notSigned();
    const payload = parsePayload(headers.get(contentHash) ?? unsignedPayload);
    if (payload.kind === "chunked") throw new S3Error("InvalidRequest", "a body in chunks is signed with version 4");
    return { grant, payload, isPresigned: true, chunks: undefined };
  }

  #keyOf(accessKeyId: string): S3Key {
    const key = this.#access.s3Key(accessKeyId);
    if (key === undefined) throw new S3Error("InvalidAccessKeyId", "the access key is not one of this cluster's");
    return key;
  }

  /** What is signed before the request's hash. */
  #contextOf(time: string, scope: CredentialScope): string {
    const last = this.#lastContext;
    if (last.time === time && last.scope === scope) return last.text;
    const text = `${algorithm}\n${contextText(time, scope)}`;
    this.#lastContext = { time, scope, text };
    return text;
  }

  #requireTime({ signer, expiresSeconds }: Authorization, time: string): void {
    if (time !== this.#lastTime) {
      this.#lastMs = parseBasicTime(time);
      this.#lastTime = time;
    }
    const sentMs = this.#lastMs;
    if (sentMs === undefined) throw new S3Error("AccessDenied", "the request's time must be written 20130524T000000Z");
    if (!time.startsWith(signer.scope.day)) {
      throw new S3Error("AuthorizationHeaderMalformed", "the credential's day is not that of the request's time");
    }
    const ageMs = this.#clock.wallMs() - sentMs;
    if (expiresSeconds !== undefined) {
      if (ageMs < -maxSkewMs) throw new S3Error("AccessDenied", "the request is not valid yet");
      if (ageMs > expiresSeconds * 1_000) throw expired();
    } else if (Math.abs(ageMs) > maxSkewMs) {
      throw new S3Error("RequestTimeTooSkewed", "the request's time and this node's differ by more than 15 minutes");
    }
  }
}

/** The hash of a request's body, as it goes into the signature. */
function payloadText({ headers, target }: VerifiedRequest, isPresigned: boolean): string {
  const header = headers[contentHash];
  if (typeof header === "string") return header;
  if (isPresigned) return target.query.get("X-Amz-Content-Sha256") ?? unsignedPayload;
  throw new S3Error("InvalidRequest", `the header ${contentHash} is missing`);
}

/** `x-amz-date`, or else a `Date` that was signed. */
function timeOf(headers: VerifiedRequest["headers"], signedHeaders: SignedHeaders): string {
  const own = headers["x-amz-date"];
  if (typeof own === "string") return own;
  const { date } = headers;
  if (typeof date !== "string" || !signedHeaders.has("date")) {
    throw new S3Error("AccessDenied", "the request has neither the header x-amz-date nor a signed Date");
  }
  const seconds = parseHttpDate(date);
  return seconds === undefined ? date : formatBasicTime(seconds * 1_000);
}

function contextText(time: string, scope: CredentialScope): string {
  return `${time}\n${scopeText(scope)}\n`;
}

function formatBasicTime(ms: number): string {
  return `${new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "")}`;
}

/** Milliseconds since 1970 of a time such as `20130524T000000Z`. Undefined for any other text. */
function parseBasicTime(text: string): number | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

function refuseSession(token: string | string[] | undefined): void {
  if (token !== undefined) throw new S3Error("InvalidToken", "the keys of this cluster have no session token");
}

function expired(): S3Error {
  return new S3Error("AccessDenied", "the request has expired");
}

function notSigned(): S3Error {
  return new S3Error(
    "SignatureDoesNotMatch",
    "the request was not signed with this key's secret, or was changed on its way (a proxy must leave Host and the path as they are)",
  );
}
