/**
 * The body of a request as a stream. It is read only as the reader asks for it, so a slow reader slows the sender down.
 * It ends well only if the body does. A sender that goes silent is given up. In one turn of the event loop comes a
 * piece of one stream only: of a sender that is near, two MiB would be read at once.
 */

import { assert } from "../../base/assert.ts";
import type { Clock, Instant, Timer } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { free } from "../../base/memory.ts";
import type { Exchange } from "./exchange.ts";
import { Patience, type PatienceSettings } from "./patience.ts";
import type { OwnTurns } from "./turns.ts";

interface PendingRead {
  readonly resolve: (result: IteratorResult<Uint8Array>) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
  readonly since: Instant;
}

/** After so many bytes a stream waits for its turn. They take a third of a millisecond. */
const bytesPerTurn = 256 * 1024;

const end: IteratorResult<Uint8Array> = Object.freeze({ done: true, value: undefined });

export class BodyStream implements AsyncIterableIterator<Uint8Array> {
  readonly #clock: Clock;
  readonly #exchange: Exchange;
  readonly #patience: Patience;
  readonly #turns: OwnTurns;
  #givenInTurn = 0;
  /** What has come before the reader asked for it. */
  readonly #chunks: Buffer[] = [];
  /** Called once the reader is done with the first chunk. */
  #onFirstUsed: (() => void) | undefined;
  /** The chunk that the reader got last. */
  #given: Buffer | undefined;
  #pending: PendingRead | undefined;
  #failure: Error | undefined;
  #isEnded = false;
  #isOver = false;

  /**
   * The stream takes the request over. The request must not have ended.
   *
   * @param turns The caller's.
   * @param first The bytes that have been read already.
   * @param onFirstUsed Called when the reader is done with `first`.
   */
  constructor(
    clock: Clock,
    exchange: Exchange,
    settings: PatienceSettings,
    turns: OwnTurns,
    first?: Buffer,
    onFirstUsed?: () => void,
  ) {
    this.#clock = clock;
    this.#exchange = exchange;
    this.#patience = new Patience(settings);
    this.#turns = turns;
    this.#onFirstUsed = onFirstUsed;
    if (first) this.#chunks.push(first);
    exchange.reader = this;
    exchange.isStreamed = true;
    const { request } = exchange;
    request.pause();
    request.on("data", this.#onData).on("end", this.#onEnd).on("close", this.#onClose);
    if (exchange.broken !== undefined) this.fail(exchange.broken);
    else if (request.destroyed) this.#onClose();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * Frees the chunk before: its reader is done with it. Then tells a client that waits for `100 Continue` to send the
   * body.
   */
  next(): Promise<IteratorResult<Uint8Array>> {
    assert(this.#pending === undefined, "a body has one reader");
    this.#freeGiven();
    if (this.#givenInTurn < bytesPerTurn) return this.#next();
    this.#givenInTurn = 0;
    return this.#turns.next().then(() => this.#next());
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve(this.#give(chunk));
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isEnded || this.#isOver) return Promise.resolve(end);
    const { request, response } = this.#exchange;
    if (this.#exchange.awaitsContinue) {
      this.#exchange.awaitsContinue = false;
      response.writeContinue();
    }
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(this.#patience.leftMs, () => {
        this.fail(new OperatingError("body_timeout", "the body came too slowly, or nothing of it came any more"));
      });
      this.#pending = { resolve, reject, timer, since: this.#clock.now() };
      request.resume();
    });
  }

  /** The reader does not want the rest. A pending `next` resolves to the end. */
  return(): Promise<IteratorResult<Uint8Array>> {
    const pending = this.#takePending();
    this.#release();
    this.#endFirst();
    pending?.resolve(end);
    return Promise.resolve(end);
  }

  fail(error: Error): void {
    if (this.#failure !== undefined || this.#isEnded || this.#isOver) return;
    this.#failure = error;
    const pending = this.#takePending();
    this.#release();
    pending?.reject(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#exchange.request.pause();
    const pending = this.#takePending();
    this.#patience.moved(chunk.length, pending ? this.#clock.now() - pending.since : 0);
    if (pending) pending.resolve(this.#give(chunk));
    else this.#chunks.push(chunk);
  };

  readonly #onEnd = (): void => {
    if (!this.#exchange.request.complete) {
      this.#onClose();
      return;
    }
    this.#isEnded = true;
    const pending = this.#takePending();
    this.#release();
    pending?.resolve(end);
  };

  readonly #onClose = (): void => {
    this.fail(new OperatingError("body_truncated", "the connection ended before the body did"));
  };

  #give(chunk: Buffer): IteratorResult<Uint8Array> {
    this.#given = chunk;
    this.#givenInTurn += chunk.length;
    return { done: false, value: chunk };
  }

  #freeGiven(): void {
    if (!this.#given) return;
    free(this.#given);
    this.#given = undefined;
    this.#endFirst();
  }

  /** The reader is done with the first chunk: it has asked for another one, or wants none. */
  #endFirst(): void {
    this.#onFirstUsed?.();
    this.#onFirstUsed = undefined;
  }

  #takePending(): PendingRead | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.timer.cancel();
    return pending;
  }

  /** Gives the request back. Later bytes are thrown away, or the answer's writer reads them. */
  #release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#exchange.reader === this) this.#exchange.reader = undefined;
    const { request } = this.#exchange;
    request.off("data", this.#onData).off("end", this.#onEnd).off("close", this.#onClose);
    if (!this.#exchange.awaitsContinue) request.resume();
  }
}
