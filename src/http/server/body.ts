/**
 * Reads the body of a request, whole or not at all: a value that was cut off must never be stored. The bytes that are
 * read are bounded for each request and for the node. Each byte is copied at most once on its way.
 */

import type { IncomingMessage } from "node:http";
import { assert } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";
import { Deadlines, type Expiring } from "../../base/deadlines.ts";
import { OperatingError } from "../../base/errors.ts";
import { compact, free } from "../../base/memory.ts";
import type { Share } from "../../base/shares.ts";
import type { SpareTime } from "../../base/spare-time.ts";
import { BodyStream } from "./body-stream.ts";
import type { Exchange, Linger } from "./exchange.ts";
import { holderOf, type NodeShares } from "./node-shares.ts";
import type { PatienceSettings } from "./patience.ts";
import { type OwnTurns, Turns } from "./turns.ts";
import { UploadPlaces, type UploadSettings } from "./upload-places.ts";

export interface BodySettings extends PatienceSettings, UploadSettings {
  readonly inFlightBytes: number;
  readonly bodyTimeoutMs: number;
  readonly lingerMs: number;
}

export interface Body {
  /** A buffer without unused memory around it. */
  readonly bytes: Buffer;
  /** Says that the bytes are no longer under way. Must be called once, when the request is answered. */
  release(): void;
  /** The whole body, if it has more than `maxBytes` and the caller allowed a stream. Then there are no bytes. */
  readonly stream: BodyStream | undefined;
}

/**
 * Shorter chunks are gathered in buffers of this size. Each chunk is a buffer of its own, and one of a single byte
 * takes some 400 bytes.
 */
const gatheredBytes = 4096;

/** So many bytes of an announced body count before any has come. The others count as they come. */
const announcedBytes = 16_384;

/** Memory for an announced body is taken when this part of it has come: to announce much must cost nothing. */
const allocatedPart = 1 / 4;

const noBody: Body = Object.freeze({ bytes: Buffer.alloc(0), release: () => {}, stream: undefined });

export class Bodies implements Linger, Disposable {
  /** For bodies that go into the store in parts. */
  readonly places: UploadPlaces;
  readonly #turns = new Turns();
  /** A request's own turns do not wait for spare time: it is a small one itself. */
  readonly #streamTurns: Turns;
  readonly #spare: Pick<SpareTime, "served"> | undefined;
  readonly #clock: Clock;
  readonly #settings: BodySettings;
  readonly #deadlines: Deadlines;
  readonly #shares: NodeShares;

  /** @param spare Has streams leave time to small requests. */
  constructor(clock: Clock, settings: BodySettings, shares: NodeShares, spare?: Pick<SpareTime, "served" | "wait">) {
    this.#streamTurns = new Turns(spare);
    this.#spare = spare;
    this.#clock = clock;
    this.#settings = settings;
    this.#deadlines = new Deadlines(clock, settings.bodyTimeoutMs);
    this.#shares = shares;
    this.places = new UploadPlaces(clock, settings, shares);
  }

  /**
   * Reads the body. First tells a client that waits for `100 Continue` to go on.
   *
   * @param mayStream Whether a body without an announced length may have more than `maxBytes`. Then it comes as a
   * stream.
   * @throws OperatingError `value_too_large`, `header_invalid`: before anything was read if the length is announced.
   * `overloaded` if there is no room, or if another caller that has less of it needs it. Also `body_truncated`,
   * `body_timeout`, `body_invalid`.
   */
  read(exchange: Exchange, maxBytes: number, mayStream = false): Promise<Body> {
    const length = announcedLength(exchange.request);
    if (length === 0) return Promise.resolve(noBody);
    if (exchange.broken !== undefined) throw exchange.broken;
    if (exchange.request.destroyed) throw truncated();
    if (length !== undefined && length > maxBytes) throw tooLarge(maxBytes);
    return new Promise((resolve, reject) => {
      const reader = new BodyReader(this, this.#shares, exchange, length, maxBytes, mayStream, resolve, reject);
      this.#deadlines.add(reader);
      if (exchange.awaitsContinue) {
        exchange.awaitsContinue = false;
        exchange.response.writeContinue();
      }
    });
  }

  /** The caller's turns, for work on bodies that takes longer than a moment. */
  turnsOf(exchange: Exchange): OwnTurns {
    return this.#turns.of(holderOf(exchange));
  }

  /** The body as it comes, after the bytes that have been read already. */
  stream(exchange: Exchange, first?: Buffer, onFirstUsed?: () => void): BodyStream {
    const turns = this.#streamTurns.of(holderOf(exchange));
    return new BodyStream(this.#clock, exchange, this.#settings, turns, first, onFirstUsed);
  }

  /** The request was answered at `at`, which is now. One whose body came as a stream is no small one. */
  answered({ isStreamed }: Exchange, at: Instant): void {
    if (!isStreamed) this.#spare?.served(at);
  }

  /** Called when a reader is done, well or not. */
  forget(reader: Expiring): void {
    this.#deadlines.remove(reader);
  }

  discard(request: IncomingMessage, done: () => void): void {
    // As much as may be in flight. A client that sends more than that does not listen anyway.
    let left = this.#settings.inFlightBytes;
    const finish = (): void => {
      timer.cancel();
      request.off("data", onData).off("end", finish).off("close", finish);
      done();
    };
    const onData = (chunk: Buffer): void => {
      left -= chunk.length;
      if (left < 0) finish();
    };
    const timer = this.#clock.after(this.#settings.lingerMs, finish);
    request.on("data", onData).on("end", finish).on("close", finish);
  }

  [Symbol.dispose](): void {
    this.#deadlines.stop();
  }
}

class BodyReader implements Expiring, Body {
  due: Instant = 0;
  before: Expiring | undefined = undefined;
  after: Expiring | undefined = undefined;
  readonly #owner: Bodies;
  readonly #exchange: Exchange;
  readonly #length: number | undefined;
  readonly #maxBytes: number;
  readonly #mayStream: boolean;
  readonly #resolve: (body: Body) => void;
  readonly #reject: (error: Error) => void;
  /** Of the bytes of bodies. It can be given up while the body is read. */
  readonly #share: Share;
  readonly #chunks: Buffer[] = [];
  /** The buffer in which short chunks are gathered, and its filled bytes. */
  #gathering: Buffer | undefined;
  #gathered = 0;
  #received = 0;
  #bytes: Buffer | undefined;
  #done = false;
  stream: BodyStream | undefined;

  /** @throws OperatingError `overloaded` */
  constructor(
    owner: Bodies,
    shares: NodeShares,
    exchange: Exchange,
    length: number | undefined,
    maxBytes: number,
    mayStream: boolean,
    resolve: (body: Body) => void,
    reject: (error: Error) => void,
  ) {
    this.#owner = owner;
    this.#exchange = exchange;
    this.#length = length;
    this.#maxBytes = maxBytes;
    this.#mayStream = mayStream;
    this.#resolve = resolve;
    this.#reject = reject;
    const share = shares.take("body_bytes", exchange, Math.min(length ?? 0, announcedBytes), () => this.#giveUp());
    if (!share) throw overloaded();
    this.#share = share;
    exchange.reader = this;
    exchange.request
      .on("data", (chunk: Buffer) => this.#onData(chunk))
      .on("end", () => this.#onEnd())
      .on("close", () => this.#onClose());
  }

  get bytes(): Buffer {
    assert(this.#bytes !== undefined, "a body's bytes are there once it has been read");
    return this.#bytes;
  }

  release(): void {
    this.#share.release();
    this.#bytes = undefined;
  }

  expire(): void {
    this.fail(new OperatingError("body_timeout", "the body did not arrive in time"));
  }

  fail(error: Error): void {
    if (this.#done) return;
    this.#finish();
    for (const chunk of this.#chunks.splice(0)) free(chunk);
    this.#gathering = undefined;
    if (this.#bytes) free(this.#bytes);
    this.release();
    this.#reject(error);
  }

  /** Another caller needs the room. False once the body is whole: then its request is under way. */
  #giveUp(): boolean {
    if (this.#done) return false;
    this.fail(overloaded());
    return true;
  }

  #onData(chunk: Buffer): void {
    if (this.#done) return;
    const offset = this.#received;
    this.#received += chunk.length;
    const length = this.#length;
    assert(this.#received <= (length ?? this.#received), "the parser ends a body at its announced length");
    if (length === undefined && this.#received > this.#maxBytes && !this.#mayStream) {
      this.fail(tooLarge(this.#maxBytes));
    } else if (this.#received > this.#share.amount && !this.#share.grow(this.#received - this.#share.amount)) {
      this.fail(overloaded());
    } else if (chunk.length === length) {
      // The usual case of a small value: all bytes come at once, in memory of their own. Nothing is copied.
      this.#bytes = compact(chunk);
    } else if (this.#bytes) {
      move(chunk, this.#bytes, offset);
    } else {
      this.#keep(chunk);
      if (length === undefined && this.#received > this.#maxBytes) this.#beStream();
      else if (length !== undefined && this.#received >= allocatedPart * length) this.#allocate(length);
    }
  }

  /** From here on, chunks are copied to their place. */
  #allocate(length: number): void {
    this.#endGathering();
    this.#bytes = Buffer.allocUnsafeSlow(length);
    let offset = 0;
    for (const chunk of this.#chunks.splice(0)) offset += move(chunk, this.#bytes, offset);
    assert(offset === this.#received, "chunks add up to what was received");
  }

  #keep(chunk: Buffer): void {
    if (chunk.length < gatheredBytes) {
      if (this.#gathered + chunk.length > gatheredBytes) this.#endGathering();
      this.#gathering ??= Buffer.allocUnsafeSlow(gatheredBytes);
      this.#gathered += move(chunk, this.#gathering, this.#gathered);
    } else {
      this.#endGathering();
      this.#chunks.push(chunk);
    }
  }

  #endGathering(): void {
    if (this.#gathering !== undefined) this.#chunks.push(this.#gathering.subarray(0, this.#gathered));
    this.#gathering = undefined;
    this.#gathered = 0;
  }

  /** All chunks that were kept, as one. */
  #takeKept(): Buffer {
    this.#endGathering();
    const bytes = join(this.#chunks, this.#received);
    this.#chunks.length = 0;
    return bytes;
  }

  #beStream(): void {
    this.#finish();
    const first = this.#takeKept();
    // From here on only the socket's buffer holds more of the body. So its bytes count only until the first chunk is
    // used: an upload of an hour must not keep others out for as long.
    this.stream = this.#owner.stream(this.#exchange, first, () => this.release());
    this.#resolve(this);
  }

  #onEnd(): void {
    if (this.#done) return;
    if (!this.#exchange.request.complete || this.#received !== (this.#length ?? this.#received)) {
      this.fail(truncated());
      return;
    }
    this.#finish();
    this.#bytes ??= this.#takeKept();
    this.#resolve(this);
  }

  #onClose(): void {
    // Every request closes after its end. So the error, with its stack, is made only if there is one.
    if (!this.#done) this.fail(truncated());
  }

  #finish(): void {
    this.#done = true;
    this.#exchange.reader = undefined;
    this.#owner.forget(this);
  }
}

/** The bytes that the body will have. Undefined if it is chunked, so that its length is unknown. */
export function announcedLength(request: IncomingMessage): number | undefined {
  const { headers } = request;
  return headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : undefined;
}

function join(chunks: readonly Buffer[], length: number): Buffer {
  if (chunks.length === 1) return compact(chunks[0] as Buffer);
  const bytes = Buffer.allocUnsafeSlow(length);
  let offset = 0;
  for (const chunk of chunks) offset += move(chunk, bytes, offset);
  assert(offset === length, "chunks add up to what was received");
  return bytes;
}

/** Copies a chunk, and frees it. Returns its length. */
function move(chunk: Buffer, target: Buffer, offset: number): number {
  const length = chunk.copy(target, offset);
  free(chunk);
  return length;
}

function tooLarge(maxBytes: number): OperatingError {
  return new OperatingError("value_too_large", `the body may have ${maxBytes} bytes at most`);
}

function truncated(): OperatingError {
  return new OperatingError("body_truncated", "the connection ended before the body did");
}

function overloaded(): OperatingError {
  return new OperatingError("overloaded", "too many bytes of request bodies are under way on this node");
}
