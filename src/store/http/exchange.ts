/**
 * One HTTP request to the store and its whole answer, within a deadline. It drives undici's dispatcher directly. The
 * promises and streams of undici's `request()` would double the CPU time of a small write.
 */

import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { assert } from "../../base/assert.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { lateStore } from "../deadline.ts";
import { withoutSignatures } from "./signature-words.ts";

export interface ExchangeRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** With its query, sent as it is. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Milliseconds until the request is given up in any phase: in the queue, connecting, sending or receiving. */
  readonly deadlineMs: number;
  /** The most bytes of a successful answer's body. */
  readonly maxBodyBytes: number;
}

export interface ExchangeAnswer {
  readonly status: number;
  /** Names are in lower case. Each character of a value is one byte. */
  readonly headers: IncomingHttpHeaders;
  /**
   * A buffer of its own. Undefined if it has more than `maxBodyBytes`: then it was not read. The body of a failure is
   * cut at 64 KiB.
   */
  readonly body: Buffer | undefined;
}

/** In bytes: more than any store says about a failure. */
export const maxErrorBytes = 65_536;

const emptyBody = Buffer.alloc(0);

/**
 * @throws OperatingError `store_unavailable` when there is no whole answer in time, or the connection broke. The
 * request may have taken effect, unless the error says `neverSent`. `store_refused` when HTTP cannot express the
 * request. Then it was not sent.
 */
export function exchange(dispatcher: Dispatcher, clock: Clock, request: ExchangeRequest): Promise<ExchangeAnswer> {
  return new Promise((resolve, reject) => {
    const handler = new ExchangeHandler(clock, request, resolve, reject);
    dispatcher.dispatch(
      { method: request.method, path: request.path, headers: request.headers, body: request.body ?? null },
      handler,
    );
  });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #resolve: (answer: ExchangeAnswer) => void;
  readonly #reject: (error: Error) => void;
  readonly #timer: Timer;
  /** Undefined until the request has a connection. Not a byte of it has been written before. */
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #limit = 0;
  /** The body, filled up to `#received`, if the answer announced its length. Otherwise `#parts` has it. */
  #whole: Buffer | undefined;
  #parts: Buffer[] = [];
  #received = 0;

  constructor(
    clock: Clock,
    request: ExchangeRequest,
    resolve: (answer: ExchangeAnswer) => void,
    reject: (error: Error) => void,
  ) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = clock.after(request.deadlineMs, () => {
      this.#fail("store_unavailable", lateStore(request.deadlineMs).message);
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new Error("given up before it was sent"));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#settled || status < 200) return;
    this.#status = status;
    this.#headers = headers;
    const succeeded = status < 300;
    this.#limit = succeeded ? this.#request.maxBodyBytes : maxErrorBytes;
    const announced = headers["content-length"];
    if (announced === undefined || this.#request.method === "HEAD") {
      // If only the end of the connection ends the body, a body that was cut looks whole.
      const isEndless = this.#limit > 0 && this.#request.method !== "HEAD" && !headers["transfer-encoding"];
      if (isEndless && succeeded && status !== 204)
        this.#fail("store_unavailable", "the store's answer does not say how long it is");
      return;
    }
    const length = Number(announced);
    if (length <= this.#limit) this.#whole = length === 0 ? emptyBody : Buffer.allocUnsafeSlow(length);
    else if (succeeded) this.#finish(undefined);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    const end = this.#received + chunk.length;
    if (end > this.#limit) {
      this.#finish(this.#status < 300 ? undefined : Buffer.concat(this.#parts));
      controller.abort(new Error("the body is too large"));
      return;
    }
    if (this.#whole === undefined) this.#parts.push(Buffer.from(chunk));
    else {
      assert(end <= this.#whole.length, "the parser holds a body to its announced length");
      chunk.copy(this.#whole, this.#received);
    }
    this.#received = end;
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    if (this.#whole !== undefined && this.#received !== this.#whole.length) {
      this.#fail("store_unavailable", "the store's answer was cut short");
      return;
    }
    this.#finish(this.#whole ?? concatenated(this.#parts, this.#received));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if ("code" in error && error.code === "UND_ERR_INVALID_ARG") {
      this.#fail("store_refused", `the request can't be sent: ${describeFailure(error)}`, error);
    } else {
      this.#fail("store_unavailable", `no answer from the store: ${describeFailure(error)}`, error);
    }
  }

  /** Ends well. An answer without a body here was not read to its end, which costs the connection. */
  #finish(body: Buffer | undefined): void {
    this.#settled = true;
    this.#timer.cancel();
    this.#resolve({ status: this.#status, headers: this.#headers, body });
    if (body === undefined) this.#controller?.abort(new Error("the body is not wanted"));
  }

  #fail(code: "store_unavailable" | "store_refused", message: string, cause?: Error): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer.cancel();
    // What is given up without a connection is aborted as soon as it gets one, before anything is written.
    const neverSent = this.#controller === undefined && !isRead(this.#request.method);
    this.#reject(new OperatingError(code, message, { cause, neverSent }));
    this.#controller?.abort(new Error(message));
  }
}

/** Whether a request with this method changes nothing in the store. */
export function isRead(method: ExchangeRequest["method"]): boolean {
  return method === "GET" || method === "HEAD";
}

/** The first value of a header. */
export function header(answer: Pick<ExchangeAnswer, "headers">, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The parts in one buffer that shares its memory with nothing. */
function concatenated(parts: readonly Buffer[], length: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(length);
  let offset = 0;
  for (const part of parts) offset += part.copy(whole, offset);
  return whole;
}

/** An error in words. When several addresses all failed, the error's own message is empty. */
export function describeFailure(error: Error): string {
  const errors: readonly Error[] = error instanceof AggregateError ? error.errors : [error];
  return withoutSignatures(errors.map(({ message }) => message).join("; "));
}
