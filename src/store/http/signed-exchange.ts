/**
 * What the clients of object stores share once a request is signed: its pool, and what its answer tells about the
 * store's time. Each store's client signs in its own way and chooses until when the signature is valid.
 */

import type { Pool } from "undici";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { RequestOptions } from "../blob-store.ts";
import { inTime } from "../deadline.ts";
import { type ExchangeAnswer, type ExchangeRequest, exchange, header } from "./exchange.ts";
import type { StoreTime } from "./store-time.ts";
import { type StreamedAnswer, streamExchange } from "./stream-exchange.ts";

/**
 * How much longer than its deadline a read's signature is valid, in seconds. Late reads do no harm, and clocks may be
 * off.
 */
export const readGraceSeconds = 300;

export interface SignedRequest {
  readonly pool: Pool;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What is left of the request's deadline. */
  readonly leftMs: number;
  /** When its signature expires, by the store's clock. */
  readonly endMs: number;
}

/**
 * Asks the store for its time if nothing has been heard of it for long (F4). Those that ask at the same moment share
 * one question. A question of another's longer deadline is given up at the caller's own.
 */
export class TimeQuestion {
  readonly #clock: Clock;
  readonly #time: StoreTime;
  readonly #ask: (options: RequestOptions) => Promise<unknown>;
  #asking: Promise<unknown> | undefined;

  /** @param ask Sends a request that needs no signature, and passes on the time of its answer. */
  constructor(clock: Clock, time: StoreTime, ask: (options: RequestOptions) => Promise<unknown>) {
    this.#clock = clock;
    this.#time = time;
    this.#ask = ask;
  }

  /** @throws OperatingError `store_unavailable` when the store does not tell its time. Nothing was sent then. */
  async answered(options: RequestOptions): Promise<void> {
    this.#asking ??= this.#ask({ deadlineMs: options.deadlineMs, isUrgent: true }).finally(() => {
      this.#asking = undefined;
    });
    await inTime(this.#clock, options.deadlineMs, this.#asking);
    if (this.#time.isIdle) {
      throw new OperatingError("store_unavailable", "the request was not sent: the store does not tell its time");
    }
  }
}

/** What is sent in addition to the signed parts. */
export interface Payload {
  readonly method: ExchangeRequest["method"];
  readonly body?: Uint8Array;
  /** The most bytes of a successful answer's body. 0 if it is not stated. */
  readonly maxBodyBytes?: number;
}

/**
 * @throws OperatingError `store_unavailable` without an answer in time, or if the request reached the store too late.
 */
export async function sendSigned(
  { clock, time }: { readonly clock: Clock; readonly time: StoreTime },
  { pool, path, headers, leftMs, endMs }: SignedRequest,
  { method, body, maxBodyBytes = 0 }: Payload,
): Promise<ExchangeAnswer> {
  const request = { method, path, headers, deadlineMs: leftMs, maxBodyBytes };
  const sentAt = clock.now();
  const answer = await exchange(pool, clock, body === undefined ? request : { ...request, body });
  // A proxy in front of the store may have made a 5xx or a 404, with the time of its own clock. It may have no route to
  // the store.
  const isOwn = answer.status < 500 && answer.status !== 404;
  const answeredMs = isOwn ? time.learn(header(answer, "date"), sentAt) : undefined;
  if (answer.status === 403 && answeredMs !== undefined && answeredMs >= endMs) {
    const message = "the request reached the store after its deadline";
    throw new OperatingError("store_unavailable", message, { neverSent: true });
  }
  return answer;
}

/**
 * Like {@link sendSigned}, for an answer with a body of any length. The caller reads the body. The deadline covers the
 * time until it begins, and then each pause in it. An answer that is no success comes whole.
 */
export async function streamSigned(
  clock: Clock,
  { pool, path, headers, leftMs }: SignedRequest,
  method: ExchangeRequest["method"],
): Promise<StreamedAnswer> {
  return await streamExchange(pool, clock, { method, path, headers, deadlineMs: leftMs });
}
