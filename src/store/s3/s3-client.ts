/**
 * Signed requests to one bucket of S3, over connections of its own. A write through AWS's SDK costs several times as
 * much, and its signature does not expire. Here a write's signature expires at the caller's deadline, by the store's
 * own clock. So a process that is paused half-way cannot make the write take effect later.
 *
 * One limit remains. A store judges the signature when it has the head of a request. A process may pause while it sends
 * a body larger than the socket's buffer, and still finish afterwards. Conditions on the write are the second line.
 */

import { assert } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { OperatingError } from "../../base/errors.ts";
import type { RequestOptions } from "../blob-store.ts";
import { beforeSending, inTime } from "../deadline.ts";
import { type ExchangeAnswer, type ExchangeRequest, exchange, header, isRead } from "../http/exchange.ts";
import { encodePath } from "../http/percent-encoding.ts";
import {
  readGraceSeconds,
  type SignedRequest,
  sendSigned,
  streamSigned,
  TimeQuestion,
} from "../http/signed-exchange.ts";
import { StorePools } from "../http/store-pools.ts";
import { StoreTime } from "../http/store-time.ts";
import type { StreamedAnswer } from "../http/stream-exchange.ts";
import { type Credentials, QuerySigner } from "./s3-signature.ts";
import { resolveTarget, type S3Location, type S3Target } from "./s3-target.ts";

interface OpenBucket {
  readonly target: S3Target;
  readonly signer: QuerySigner;
  readonly pools: StorePools;
}

export interface S3Request {
  readonly method: ExchangeRequest["method"];
  /** The object's key. Undefined for the bucket itself. */
  readonly key: string | undefined;
  readonly query?: readonly (readonly [string, string])[];
  /** Sent, but not signed. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Must be canonical: see {@link SigningRequest.headers}. */
  readonly signedHeaders?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** The most bytes of a successful answer's body. 0 if it is not stated. */
  readonly maxBodyBytes?: number;
}

export class S3Client {
  readonly #location: S3Location;
  readonly #connections: number;
  readonly #clock: Clock;
  readonly #time: StoreTime;
  readonly #timeQuestion: TimeQuestion;
  #opening: Promise<OpenBucket> | undefined;
  #connection: OpenBucket | undefined;
  #closed = false;

  /**
   * @param connections The most for reads, and the most for writes. Further requests wait for one.
   * @param complaints Hears of clocks that differ.
   */
  constructor(location: S3Location, connections: number, clock: Clock, complaints?: Complaints) {
    this.#location = location;
    this.#connections = connections;
    this.#clock = clock;
    this.#time = new StoreTime(clock, complaints);
    this.#timeQuestion = new TimeQuestion(clock, this.#time, (options) => this.greet(options));
  }

  /** @throws OperatingError `store_unavailable` without an answer in time. `store_refused` when no target is found. */
  async send(request: S3Request, options: RequestOptions): Promise<ExchangeAnswer> {
    const signing = this.#sign(request, options);
    const signed = await (isRead(request.method) ? signing : beforeSending(signing));
    return await sendSigned({ clock: this.#clock, time: this.#time }, signed, request);
  }

  /**
   * Like {@link send}, for an answer with a body of any length. The caller reads the body. The deadline covers the time
   * until it begins, and then each pause in it. An answer that is no success comes whole.
   */
  async stream(request: S3Request, options: RequestOptions): Promise<StreamedAnswer> {
    return await streamSigned(this.#clock, await this.#sign(request, options), request.method);
  }

  /** Signs the request as it goes on the wire now. */
  async #sign(request: S3Request, options: RequestOptions): Promise<SignedRequest> {
    // The deadline and the signature's expiry count from here. Every wait below shortens both.
    const called = this.#clock.now();
    const { target, signer, pools } =
      this.#connection ?? (await inTime(this.#clock, options.deadlineMs, this.#connect()));
    const credentials = await this.#credentials(target, options.deadlineMs);
    const { method } = request;
    if (!isRead(method) && this.#time.isIdle) await this.#timeQuestion.answered(options);
    const validity = this.#validity(called, options.deadlineMs, !isRead(method));
    const signed: [string, string][] = Object.entries({ ...request.signedHeaders, host: target.host });
    signed.sort(([a], [b]) => (a < b ? -1 : 1));
    options.authorize?.();
    const leftMs = options.deadlineMs - (this.#clock.now() - called);
    if (leftMs <= 0) throw new OperatingError("store_unavailable", "the request was not sent: its deadline had passed");
    const path = signer.sign(
      {
        method,
        path: requestPath(target, request.key),
        headers: signed,
        ...(request.query && { query: request.query }),
        ...validity,
      },
      credentials,
    );
    const headers = { ...request.headers, ...request.signedHeaders, host: target.host };
    const endMs = (Math.floor(validity.timeMs / 1000) + validity.expiresSeconds) * 1000;
    return { pool: pools.poolFor(method, options), path, headers, leftMs, endMs };
  }

  /** Sends an unsigned request. Its answer tells the store's time, and perhaps where the bucket is. */
  async greet(options: RequestOptions): Promise<ExchangeAnswer> {
    const { target, pools } = this.#connection ?? (await inTime(this.#clock, options.deadlineMs, this.#connect()));
    const sentAt = this.#clock.now();
    const answer = await exchange(pools.poolFor("HEAD", options), this.#clock, {
      method: "HEAD",
      path: requestPath(target, undefined),
      headers: { host: target.host },
      deadlineMs: options.deadlineMs,
      maxBodyBytes: 0,
    });
    if (answer.status < 500) this.#time.learn(header(answer, "date"), sentAt);
    return answer;
  }

  /** Requests under way fail with `store_unavailable`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#connection?.pools.close();
  }

  /** From the second of the call to the last full second of its deadline, but at least one second (F4). */
  #validity(called: Instant, deadlineMs: number, writes: boolean): { timeMs: number; expiresSeconds: number } {
    const timeMs = this.#time.at(called);
    const seconds = Math.floor((timeMs + deadlineMs) / 1000) - Math.floor(timeMs / 1000);
    return { timeMs, expiresSeconds: Math.max(1, seconds) + (writes ? 0 : readGraceSeconds) };
  }

  async #credentials(target: S3Target, deadlineMs: number): Promise<Credentials> {
    const credentials = target.credentials();
    if (!(credentials instanceof Promise)) return credentials;
    try {
      return await inTime(this.#clock, deadlineMs, credentials);
    } catch (cause) {
      throw new OperatingError("store_unavailable", "there are no credentials to sign with", { cause });
    }
  }

  #connect(): Promise<OpenBucket> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      // The next call tries again.
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<OpenBucket> {
    const target = await resolveTarget(this.#location);
    if (this.#closed) throw new OperatingError("store_unavailable", "the store is closed");
    assert(this.#connection === undefined, "a bucket is opened once");
    const pools = new StorePools(target.origin, this.#connections);
    this.#connection = { target, pools, signer: new QuerySigner(target.region) };
    return this.#connection;
  }
}

function requestPath(target: S3Target, key: string | undefined): string {
  if (key !== undefined) return target.basePath + encodePath(key);
  return target.basePath === "/" ? "/" : target.basePath.slice(0, -1);
}
