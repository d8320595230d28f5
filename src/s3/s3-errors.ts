/** Error answers in S3's form: XML with a code, a message, what was asked for, and the request's id. */

import { AssertionError } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { answerUnread, type Exchange, type Linger } from "../http/server/exchange.ts";
import { describeFailure, detailFor } from "../http/server/problem.ts";
import { requestIdHeader } from "./call.ts";
import { type S3Code, S3Error, s3Codes, s3ErrorKinds } from "./words/s3-error.ts";
import { element, xmlError } from "./words/xml.ts";

export interface S3Failure {
  readonly s3Code: S3Code;
  readonly code: ErrorCode;
  readonly detail: string;
}

/** What the client is told of a failure. A failed assertion is thrown on and ends the process. */
export function describeS3Failure(error: unknown, log: Log): S3Failure {
  if (error instanceof AssertionError) throw error;
  if (error instanceof S3Error) return { s3Code: error.s3Code, code: error.code, detail: error.message };
  const { code, detail } = describeFailure(error, log);
  return { s3Code: s3Codes[code], code, detail };
}

export class S3ErrorWriter {
  readonly #linger: Linger;
  readonly #retryAfter: string;

  constructor(linger: Linger, retryAfterSeconds: number) {
    this.#linger = linger;
    this.#retryAfter = String(retryAfterSeconds);
  }

  /** @param resource What was asked for: the path, as it came. */
  answer(exchange: Exchange, { s3Code, code, detail }: S3Failure, resource: string, requestId: string): void {
    const { status } = s3ErrorKinds[s3Code];
    const body = xmlError(
      element("Code", s3Code) +
        element("Message", detailFor(exchange.grant, code, detail)) +
        element("Resource", resource) +
        element("RequestId", requestId),
    );
    const headers = ["Content-Type", "application/xml", "Content-Length", String(Buffer.byteLength(body))];
    headers.push("Cache-Control", "no-store", requestIdHeader, requestId);
    if (status === 503) headers.push("Retry-After", this.#retryAfter);
    answerUnread(exchange, status, headers, body, this.#linger);
  }
}
