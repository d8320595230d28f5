/** Errors as clients see them: RFC 9457 problem details with the codes of the table in `base/errors.ts`. */

import { AssertionError } from "../../base/assert.ts";
import { type ErrorCode, errorKinds, OperatingError } from "../../base/errors.ts";
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
