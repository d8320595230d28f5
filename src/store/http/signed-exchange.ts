/**
 * What clients of object stores over HTTP share once a request is signed: the pool that it goes over, and what its answer says of the
 * store's time. How a request is signed, and until when, is each store's own.
 */

import type { Pool } from "undici";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { type ExchangeAnswer, type ExchangeRequest, exchange, header } from "./exchange.ts";
import type { StoreTime } from "./store-time.ts";
import { type StreamedAnswer, streamExchange } from "./stream-exchange.ts";

/** How much longer than its deadline a read's signature is valid, in seconds: late reads do no harm, and clocks may be off. */
export const readGraceSeconds = 300;

export interface SignedRequest {
  readonly pool: Pool;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of its deadline. */
  readonly leftMs: number;
  /** When its signature expires, by the store's clock. */
  readonly endMs: number;
}

/** What is sent beside what is signed. */
export interface Payload {
  readonly method: ExchangeRequest["method"];
  readonly body?: Uint8Array;
  /** Of a successful answer; 0 if it isn't stated. */
  readonly maxBodyBytes?: number;
}

/** @throws OperatingError `store_unavailable` without an answer in time, or if the request came to the store too late. */
export async function sendSigned(
  { clock, time }: { readonly clock: Clock; readonly time: StoreTime },
  { pool, path, headers, leftMs, endMs }: SignedRequest,
  { method, body, maxBodyBytes = 0 }: Payload,
): Promise<ExchangeAnswer> {
  const request = { method, path, headers, deadlineMs: leftMs, maxBodyBytes };
  const answer = await exchange(pool, clock, body === undefined ? request : { ...request, body });
  // A failure may be of whoever stands in front of the store, by a clock of its own; that has no route to it, perhaps.
  const isOwn = answer.status < 500 && answer.status !== 404;
  const answeredMs = isOwn ? time.learn(header(answer, "date")) : undefined;
  if (answer.status === 403 && answeredMs !== undefined && answeredMs >= endMs) {
    throw new OperatingError("store_unavailable", "the request reached the store after its deadline");
  }
  return answer;
}

/**
 * The same for an answer with a body of any length, which is left to be read: the deadline is until it begins, and for each pause in it.
 * One that is no success comes whole.
 */
export async function streamSigned(
  clock: Clock,
  { pool, path, headers, leftMs }: SignedRequest,
  method: ExchangeRequest["method"],
): Promise<StreamedAnswer> {
  return await streamExchange(pool, clock, { method, path, headers, deadlineMs: leftMs });
}
