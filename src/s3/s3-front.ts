/**
 * The S3 dialect: from a request to the operation that answers it, and from a failure to S3's form of an error. A
 * request is in this dialect if it is signed as S3's are, or came by the port that speaks S3 alone. It goes over the
 * same operations, and the same limits, as one in the node's own dialect, which knows nothing of this one.
 *
 * Who calls is found out first. No operation is begun and no body is read before that.
 */

import type { IncomingMessage } from "node:http";
import type { Access } from "../access/access.ts";
import { fullGrant } from "../access/grant.ts";
import type { Clock, Instant } from "../base/clock.ts";
import { Complaints, complaintIntervalMs } from "../base/complaints.ts";
import { type ErrorCode, OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { isSendable } from "../http/routes/content-headers.ts";
import type { Cors } from "../http/server/cors.ts";
import type { Dialect, DialectParts } from "../http/server/dialect.ts";
import { answer, type Exchange } from "../http/server/exchange.ts";
import { Gate } from "../http/server/gate.ts";
import { checkHeaders } from "../http/server/header-check.ts";
import type { HttpMetrics } from "../http/server/metrics.ts";
import type { NodeShares } from "../http/server/node-shares.ts";
import { originForm } from "../http/server/origin-form.ts";
import { isStoreFailure } from "../http/server/problem.ts";
import { everyMethod } from "../http/server/route.ts";
import { isChecksumOfNothing } from "./body/checksum.ts";
import type { Buckets } from "./buckets.ts";
import { requestIdHeader, type S3Call } from "./call.ts";
import { chooseOperation, type OperationName, operationNeeds } from "./operation-choice.ts";
import { S3Operations } from "./operations.ts";
import { s3RoutePrefix } from "./s3-activity.ts";
import { describeS3Failure, S3ErrorWriter } from "./s3-errors.ts";
import type { S3Options } from "./s3-options.ts";
import { signatureParameters } from "./signature/authorization.ts";
import { withoutSignature } from "./signature/hidden-signature.ts";
import { parsePayload, unsignedPayload } from "./signature/payload.ts";
import { askedInV2, isPresignedV2, isSignedInV2 } from "./signature/presigned-v2.ts";
import { type Identity, Verifier } from "./signature/verifier.ts";
import { S3Error } from "./words/s3-error.ts";
import { parseTarget, type S3Target } from "./words/target.ts";

/** What becomes known of a request while it is answered, for the log, the metrics and an error. */
interface Progress {
  readonly requestId: string;
  readonly beganAt: Instant;
  operation: OperationName | "other";
}

/** The status in metrics of a request whose client went away before its answer. */
const clientGone = 499;

/** What the operations are called in metrics. */
const routeNames = Object.fromEntries(
  [...Object.keys(operationNeeds), "other"].map((name) => [name, s3RoutePrefix + name]),
) as Readonly<Record<Progress["operation"], string>>;

/** A signature in a query: version 4, or version 2. */
const signedQuery = /[?&](?:X-Amz-(?:Algorithm|Signature)|AWSAccessKeyId)=/;

export class S3Front implements Dialect {
  readonly #access: Access;
  readonly #buckets: Buckets;
  readonly #verifier: Verifier;
  readonly #gate: Gate;
  readonly #operations: S3Operations;
  readonly #errors: S3ErrorWriter;
  readonly #shares: NodeShares;
  readonly #cors: Cors;
  readonly #metrics: HttpMetrics;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #complaints: Complaints;
  /** The first half of each request's id. */
  readonly #life: string;
  readonly #bodies: Pick<DialectParts["bodies"], "answered">;
  /** Of so many requests at a time, all of the id but its last two digits. */
  #idBeginning = "";
  #requests = 0;

  constructor(options: S3Options, parts: DialectParts) {
    const { access, buckets, settings, clock, random, log } = options;
    this.#access = access;
    this.#buckets = buckets;
    this.#verifier = new Verifier(access, clock);
    this.#gate = new Gate(access, parts.cors);
    this.#operations = new S3Operations(options, parts);
    this.#errors = new S3ErrorWriter(parts.bodies, settings.retryAfterSeconds);
    this.#bodies = parts.bodies;
    this.#shares = parts.shares;
    this.#cors = parts.cors;
    this.#metrics = parts.metrics;
    this.#clock = clock;
    this.#log = log;
    this.#complaints = new Complaints(log, clock, complaintIntervalMs);
    this.#life = random.id().slice(0, 8).toUpperCase();
  }

  speaks({ headers, url = "" }: IncomingMessage): boolean {
    const { authorization } = headers;
    if (authorization?.startsWith("AWS4-") || authorization?.startsWith("AWS ")) return true;
    return url.includes("?") && signedQuery.test(url);
  }

  handle(exchange: Exchange): void | Promise<void> {
    const progress = this.#begin();
    try {
      const answered = this.#answer(exchange, progress);
      if (answered !== undefined) return this.#conclude(exchange, progress, answered);
    } catch (error) {
      this.#fail(exchange, progress, error);
    }
    this.#count(exchange, progress);
  }

  refuse(exchange: Exchange, code: ErrorCode, detail: string): void {
    const progress = this.#begin();
    this.#fail(exchange, progress, new OperatingError(code, detail));
    this.#count(exchange, progress);
  }

  #begin(): Progress {
    const last = this.#requests % lastDigits.length;
    if (last === 0) this.#idBeginning = this.#life + hexOf(this.#requests / lastDigits.length, 6);
    this.#requests = (this.#requests + 1) % 0x1_0000_0000;
    const requestId = this.#idBeginning + (lastDigits[last] as string);
    return { requestId, beganAt: this.#clock.now(), operation: "other" };
  }

  async #conclude(exchange: Exchange, progress: Progress, answered: Promise<void>): Promise<void> {
    try {
      await answered;
    } catch (error) {
      this.#fail(exchange, progress, error);
    }
    this.#count(exchange, progress);
  }

  #answer(exchange: Exchange, progress: Progress): void | Promise<void> {
    const { request } = exchange;
    const { host } = request.headers;
    checkHeaders(exchange);
    const named = this.#buckets.hostNamed(host);
    const target = parseTarget(originForm(request.url as string), named.bucket);
    if (request.method === "OPTIONS") {
      const preflight = this.#cors.preflight(request, everyMethod);
      answer(exchange, 204, ["Allow", everyMethod, requestIdHeader, progress.requestId, ...preflight]);
      return;
    }
    const identity = this.#identify(exchange, target);
    exchange.grant = identity.grant;
    // Who has such an address may read the value. Its page may show it: it could as well be one of the bucket's own.
    if (identity.isPresigned && request.method === "GET") exchange.always = this.#cors.forAllSites(exchange.always);
    refuseRepeated(request);
    const headers = target.query.all.length === 0 ? (request.headers as S3Call["headers"]) : headersOf(request, target);
    const asked = isPresignedV2(target.query) ? askedInV2(target) : target;
    const call: S3Call = { exchange, target: asked, identity, requestId: progress.requestId, headers };
    const choice = chooseOperation({ target: asked, headers, method: request.method as string });
    progress.operation = choice.name;
    const need = operationNeeds[choice.name];
    this.#gate.admitOther(request, need, named.isOwn);
    identity.grant.requireRight(need);
    exchange.place = this.#shares.take("requests", exchange, 1);
    if (!exchange.place) throw new OperatingError("overloaded", "too many requests are under way on this node");
    return this.#operations.run(call, choice);
  }

  /** Without `auth` everyone may do everything. So nothing is known of a key, and no signature can be checked. */
  #identify({ request }: Exchange, target: S3Target): Identity {
    const { headers, rawHeaders, method } = request;
    if (this.#access.needsToken) {
      return this.#verifier.verify({ method: method as string, target, headers, rawHeaders });
    }
    const payload = headers["x-amz-content-sha256"];
    const parsed = parsePayload(typeof payload === "string" ? payload : unsignedPayload);
    return { grant: fullGrant, payload: parsed, isPresigned: false, chunks: undefined };
  }

  #fail(exchange: Exchange, { requestId }: Progress, error: unknown): void {
    const failure = describeS3Failure(error, this.#log);
    const { code, detail: reason } = failure;
    if (isStoreFailure(code)) this.#complaints.warn(code, "the store failed a request", { code, reason, requestId });
    if (exchange.response.headersSent) {
      // Half an answer cannot be repaired. Cutting the connection shows that it is incomplete.
      exchange.response.destroy();
      return;
    }
    const [path = ""] = (exchange.request.url as string).split("?", 1);
    this.#errors.answer(exchange, failure, path, requestId);
  }

  #count(exchange: Exchange, { requestId, operation, beganAt }: Progress): void {
    const { request, response, grant, place } = exchange;
    place?.release();
    const now = this.#clock.now();
    const ms = now - beganAt;
    this.#bodies.answered(exchange, now);
    const { method, url = "" } = request;
    const status = response.headersSent ? response.statusCode : clientGone;
    this.#metrics.count(routeNames[operation], method as string, status, ms);
    this.#log.debug("request", () => ({
      method,
      target: withoutSignature(url),
      operation,
      requestId,
      status,
      ms: Math.round(ms * 1_000) / 1_000,
      by: grant.name,
    }));
  }
}

function hexOf(number: number, digits: number): string {
  return number.toString(16).toUpperCase().padStart(digits, "0");
}

/** To make all digits for each request takes longer than all else about its id. */
const lastDigits = Array.from({ length: 256 }, (_, number) => hexOf(number, 2));

/** Headers that are kept with an object, and have one value. */
const single: readonly string[] = ["content-type", "content-disposition", "expires"];

/** Whether the name has the first letter and the length of one that may not be there twice. Most have not. */
function mayBeSingle(name: string): boolean {
  const { length } = name;
  switch (name.charCodeAt(0) | 0x20) {
    case 0x78: // x
      return true;
    case 0x63: // c
      return length === 12 || length === 19;
    case 0x65: // e
      return length === 7;
    default:
      return false;
  }
}

/** Whether any two names that may not be there twice could be the same. They are as long, then. */
function mayRepeat(rawHeaders: readonly string[]): boolean {
  /** A bit for each length, by its last five bits. */
  let lengths = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!mayBeSingle(name)) continue;
    const bit = 1 << (name.length & 31);
    if ((lengths & bit) !== 0) return true;
    lengths |= bit;
  }
  return false;
}

/**
 * node:http joins the values of a header that is there several times. Of some headers it keeps the first. A signature
 * is over all values, and yet two parties could take different ones.
 */
function refuseRepeated({ rawHeaders }: IncomingMessage): void {
  if (!mayRepeat(rawHeaders)) return;
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!single.includes(name) && !hasMeaning(name)) continue;
    if (seen.has(name)) throw new S3Error("InvalidArgument", `the header ${name} occurs more than once`);
    seen.add(name);
  }
}

/** Whether S3 gives the header a meaning. The names of trailers may come in several headers. */
function hasMeaning(name: string): boolean {
  return name.startsWith("x-amz-") && name !== "x-amz-trailer";
}

/**
 * AWS's SDK for JavaScript presigns a request without knowing the body that will be sent, and yet names its checksum:
 * that of nothing. S3 passes that over, too.
 */
function isOfUnknownBody(name: string, value: string): boolean {
  if (name === "x-amz-sdk-checksum-algorithm") return true;
  return name.startsWith("x-amz-checksum-") && isChecksumOfNothing(name.slice("x-amz-checksum-".length), value);
}

/** AWS's SDKs put headers into the query of a presigned request, by their names. */
function headersOf({ headers }: IncomingMessage, { query }: S3Target): S3Call["headers"] {
  const isV2 = isPresignedV2(query);
  const parameters = query.all.filter(
    ([name, value]) =>
      (isV2 ? isSignedInV2(name) : /^x-amz-/i.test(name)) &&
      !(signatureParameters as readonly string[]).includes(name) &&
      !isOfUnknownBody(name.toLowerCase(), value),
  );
  const found = headers as Readonly<Record<string, string>>;
  if (parameters.length === 0) return found;
  const all: Record<string, string> = { ...found };
  for (const [name, text] of parameters) {
    const lower = name.toLowerCase();
    const value = Buffer.from(text).toString("latin1");
    if (all[lower] !== undefined && all[lower] !== value) {
      throw new S3Error("InvalidArgument", `${name} is there as a header and as a parameter, with two values`);
    }
    if (!isSendable(value)) throw new S3Error("InvalidArgument", `${name} is no value of a header`);
    all[lower] = value;
  }
  return all;
}
