/** Errors as clients see them: RFC 9457 problem details with the codes of the table in `base/errors.ts`. */

import type { Grant } from "../../access/grant.ts";
import { AssertionError } from "../../base/assert.ts";
import { type ErrorCode, errorKinds, nothingStored, OperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { answerUnread, type Exchange, type HeaderList, type Linger } from "./exchange.ts";

export interface Problem {
  /** Names the kind of problem. It is no address. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  /** What happened in this case. */
  readonly detail: string;
  /** What to do about it. */
  readonly advice: string;
}

export function problem(code: ErrorCode, detail: string): Problem {
  const { status, advice } = errorKinds[code];
  const words = code.replaceAll("_", " ");
  return {
    type: `urn:weir:error:${code}`,
    title: words.charAt(0).toUpperCase() + words.slice(1),
    status,
    code,
    detail,
    advice,
  };
}

/**
 * What the client is told of a failure. An unexpected failure is logged. The client does not get its message, which may
 * reveal too much. A failed assertion is thrown on and ends the process.
 */
export function describeFailure(error: unknown, log: Log): { readonly code: ErrorCode; readonly detail: string } {
  if (error instanceof AssertionError) throw error;
  if (error instanceof OperatingError && error.code !== "internal") {
    return { code: error.code, detail: error.message };
  }
  log.error("a request failed because of a bug", { error });
  return { code: "internal", detail: "the node failed unexpectedly; its log says more" };
}

/** What clients are told of the store's failures. */
const storeFailures: Readonly<Partial<Record<ErrorCode, string>>> = {
  store_unavailable: "the object store does not answer as it should",
  store_throttled: "the object store asks for fewer requests",
  store_refused: "the object store refuses what it was asked",
};

/** Whether the failure's message may have the store's words in it. */
export function isStoreFailure(code: ErrorCode): boolean {
  return storeFailures[code] !== undefined;
}

/**
 * The detail for a caller with this grant. The store's words may name its account, its bucket and its roles. They are
 * for those who may watch the cluster.
 */
export function detailFor(grant: Grant, code: ErrorCode, detail: string): string {
  const plain = storeFailures[code];
  if (plain === undefined || grant.has("monitor")) return detail;
  return detail.endsWith(nothingStored) ? plain + nothingStored : plain;
}

/** Writes problem answers. */
export class ProblemWriter {
  readonly #linger: Linger;
  readonly #retryAfter: string;

  constructor(linger: Linger, retryAfterSeconds: number) {
    this.#linger = linger;
    this.#retryAfter = String(retryAfterSeconds);
  }

  answer(exchange: Exchange, code: ErrorCode, detail: string, headers: HeaderList = []): void {
    const body = problem(code, detail);
    // Without it, caches may keep some errors as they like, 404 among them.
    headers.push("Cache-Control", "no-store");
    this.answerAs(exchange, body.status, "application/problem+json", body, headers);
  }

  /** Like {@link answer}, for an error in another form. */
  answerAs(exchange: Exchange, status: number, contentType: string, value: unknown, headers: HeaderList = []): void {
    const body = JSON.stringify(value);
    if (status === 503) headers.push("Retry-After", this.#retryAfter);
    headers.push("Content-Type", contentType, "Content-Length", String(Buffer.byteLength(body)));
    answerUnread(exchange, status, headers, body, this.#linger);
  }
}
