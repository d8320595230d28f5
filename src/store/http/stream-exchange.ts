/**
 * One HTTP request to the store whose answer is read as a stream. Nothing is read ahead beyond a socket's buffer, so a
 * slow reader slows the store down. Small answers have a cheaper way: `exchange.ts`.
 */

import type { IncomingHttpHeaders } from "node:http";
import { type Dispatcher, errors } from "undici";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { BlobStream } from "../blob-store.ts";
import { lateStore } from "../deadline.ts";
import { describeFailure, type ExchangeRequest, maxErrorBytes } from "./exchange.ts";

export interface StreamedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body of a success. The caller must dispose of it. */
  readonly stream: BlobStream | undefined;
  /** The body of any other answer, cut at 64 KiB. */
  readonly body: Buffer | undefined;
}

/** @throws OperatingError `store_unavailable` when no answer begins in time, or the connection broke. */
export async function streamExchange(
  dispatcher: Dispatcher,
  clock: Clock,
  request: Omit<ExchangeRequest, "body" | "maxBodyBytes">,
): Promise<StreamedAnswer> {
  const { method, path, headers, deadlineMs } = request;
  const abort = new AbortController();
  const timer = clock.after(deadlineMs, () => {
    abort.abort(lateStore(deadlineMs));
  });
  try {
    const answer = await dispatcher.request({
      method,
      path,
      headers,
      signal: abort.signal,
      bodyTimeout: deadlineMs,
    });
    const { statusCode: status, headers: answerHeaders } = answer;
    if (status >= 200 && status < 300) {
      return { status, headers: answerHeaders, stream: new AnswerStream(answer.body), body: undefined };
    }
    const body = await readError(answer.body);
    return { status, headers: answerHeaders, stream: undefined, body };
  } catch (error) {
    throw unavailable(error);
  } finally {
    timer.cancel();
  }
}

class AnswerStream implements BlobStream {
  readonly #body: Dispatcher.ResponseData["body"];

  constructor(body: Dispatcher.ResponseData["body"]) {
    this.#body = body;
    // The reader gets the error. Without this listener, an error after the reader has gone would end the process.
    body.on("error", () => undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    try {
      for await (const chunk of this.#body) yield chunk as Buffer;
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** A stream that is not read to its end costs the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#body.destroy();
  }
}

async function readError(body: Dispatcher.ResponseData["body"]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length >= maxErrorBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxErrorBytes);
}

function unavailable(error: unknown): OperatingError {
  if (error instanceof OperatingError) return error;
  if (!(error instanceof errors.UndiciError || (error instanceof Error && "code" in error))) throw error;
  return new OperatingError("store_unavailable", `the store's answer broke off: ${describeFailure(error)}`, {
    cause: error,
  });
}
