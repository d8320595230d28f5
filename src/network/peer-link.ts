/**
 * One link to one process of a peer, proven and up, until it is closed for good. It carries requests and their answers,
 * and notices, and watches for the other end's silence. Anything that goes wrong on it closes it, with a reason, and
 * harms nothing else.
 */

import type { Duplex } from "node:stream";
import { AssertionError, assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { ByteReader, MalformedError } from "../base/codec.ts";
import { isOperatingError, OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { PeerAnswer, PeerIdentity, PeerNotice, PeerRequest, RefusedAnswer } from "../core/message.ts";
import { frameKinds, type MessageKind, type ReceiveLimits } from "./frame.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { InFlight, PendingRequest } from "./in-flight.ts";
import type { LinkSettings } from "./link-settings.ts";
import { readAnswer, readNotice, readRequest, writeAnswer, writeNotice, writeRequest } from "./message-codec.ts";
import type { PeerHandler } from "./network.ts";
import { SendQueue, type SendResult } from "./send-queue.ts";

export interface PeerLinkOptions {
  readonly peer: PeerIdentity;
  readonly socket: Duplex;
  /** Bytes that came on the socket behind the handshake. */
  readonly rest: Buffer;
  /** What the peer takes. */
  readonly limits: ReceiveLimits;
  readonly settings: LinkSettings;
  readonly handler: PeerHandler;
  readonly clock: Clock;
  readonly log: Log;
  /** Called for each request of the peer. */
  readonly onRequest?: ((request: PeerRequest) => void) | undefined;
  /** Called once, in the same turn from which nothing more is delivered. */
  readonly onClosed: (link: PeerLink, reason: string) => void;
}

export class PeerLink implements FrameSink {
  readonly peer: PeerIdentity;
  readonly #options: PeerLinkOptions;
  readonly #settings: LinkSettings;
  readonly #handler: PeerHandler;
  readonly #clock: Clock;
  readonly #socket: Duplex;
  readonly #queue: SendQueue;
  readonly #frames: FrameReader;
  readonly #reader = new ByteReader();
  readonly #inFlight = new InFlight();
  /** Requests of the peer that are being handled. */
  #incoming = 0;
  #silentMs = 0;
  #probedMs = 0;
  #closed = false;
  readonly #onData = (chunk: Buffer): void => this.#receive(chunk);

  constructor(options: PeerLinkOptions) {
    this.peer = options.peer;
    this.#options = options;
    this.#settings = options.settings;
    this.#handler = options.handler;
    this.#clock = options.clock;
    this.#socket = options.socket;
    this.#queue = new SendQueue(options.socket, options.settings, options.limits);
    this.#frames = new FrameReader(options.settings.receive, this);
    this.#socket.on("error", (error) => this.close(`the connection failed: ${error.message}`));
    this.#socket.on("end", () => this.close("the peer ended the connection"));
    this.#socket.on("close", () => this.close("the connection was closed"));
  }

  /** Bytes that wait to be sent. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** Requests without an answer. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Begins to deliver. */
  start(): void {
    if (this.#closed) return;
    if (this.#options.rest.length > 0) this.#receive(this.#options.rest);
    if (this.#closed) return;
    this.#socket.on("data", this.#onData);
    this.#socket.resume();
  }

  /** As {@link Network.request}. */
  request(request: PeerRequest, deadlineMs: number): Promise<PeerAnswer> {
    if (this.#closed) return Promise.reject(new OperatingError("peer_unreachable", `no link to ${this.peer.id}`));
    if (this.#inFlight.size >= this.#settings.maxInFlight) {
      return Promise.reject(
        new OperatingError("overloaded", `too many requests to ${this.peer.id} have no answer yet`),
      );
    }
    return new Promise((resolve, reject) => {
      const number = this.#inFlight.nextNumber();
      const pending = new PendingRequest(this.#clock.now() + deadlineMs, resolve, reject);
      const urgent = request.kind === "ping";
      const payload = writeRequest(this.#queue.begin(urgent), request);
      const result = this.#queue.finish(frameKinds.request, number, payload, this.#maxBytes(urgent), pending);
      if (result === "queued") this.#inFlight.add(number, pending);
      else reject(sendError(result, this.peer.id));
    });
  }

  /** As {@link Network.notify}. */
  notify(notice: PeerNotice): boolean {
    if (this.#closed) return false;
    writeNotice(this.#queue.begin(true), notice);
    return this.#queue.finish(frameKinds.notice, 0, undefined, this.#maxBytes(true), undefined) === "queued";
  }

  /** Call it each `tickMs`. A longer time since the last call is a pause of this process, not the peer's silence. */
  tick(): void {
    for (const request of this.#inFlight.takeExpired(this.#clock.now())) {
      this.#queue.takeBack(request);
      request.fail(new OperatingError("deadline_exceeded", `${this.peer.id} has not answered in time`));
    }
    this.#silentMs += this.#settings.tickMs;
    this.#probedMs += this.#settings.tickMs;
    if (this.#silentMs >= this.#settings.silenceMs) this.close("nothing was heard from the peer for too long");
    else if (this.#silentMs >= this.#settings.probeAfterMs && this.#probedMs >= this.#settings.probeAfterMs) {
      this.#probedMs = 0;
      this.#queue.control(frameKinds.probe, 0);
    }
  }

  /**
   * Nothing is delivered after this. Requests without an answer fail with `peer_unreachable`. Another call does
   * nothing.
   */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#frames.stop();
    this.#queue.close();
    this.#socket.off("data", this.#onData);
    this.#socket.destroy();
    for (const request of this.#inFlight.takeAll()) {
      request.fail(new OperatingError("peer_unreachable", `the link to ${this.peer.id} broke: ${reason}`));
    }
    this.#options.onClosed(this, reason);
  }

  #receive(chunk: Buffer): void {
    this.#silentMs = 0;
    try {
      this.#frames.push(chunk);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#options.log.warn("a peer broke the protocol", { peer: this.peer.id, error });
      this.close(`the peer broke the protocol: ${error.message}`);
    }
  }

  onMessage(kind: MessageKind, number: number, buffer: Buffer, start: number, end: number, payload: Buffer): void {
    this.#reader.reset(buffer, start, end);
    switch (kind) {
      case frameKinds.request:
        this.#onRequest(number, readRequest(this.#reader, payload));
        return;
      case frameKinds.answer: {
        const answer = readAnswer(this.#reader, payload);
        this.#inFlight.take(number)?.answer(answer);
        return;
      }
      case frameKinds.notice:
        this.#handler.onNotice(this.peer, readNotice(this.#reader, payload));
        return;
    }
  }

  onProbe(): void {
    this.#queue.control(frameKinds.probeAnswer, 0);
  }

  onFragment(bytes: number): void {
    this.#queue.control(frameKinds.credit, bytes);
  }

  onCredit(bytes: number): void {
    if (!this.#queue.credit(bytes)) throw new MalformedError("a credit for what was not sent");
  }

  #onRequest(number: number, request: PeerRequest): void {
    this.#options.onRequest?.(request);
    if (this.#incoming >= this.#settings.maxIncoming) {
      this.#answer(number, refused("overloaded", "too many requests are being handled"));
      return;
    }
    let result: PeerAnswer | Promise<PeerAnswer>;
    try {
      result = this.#handler.onRequest(this.peer, request);
    } catch (error) {
      this.#answer(number, this.#refusalOf(error, request));
      return;
    }
    if (!(result instanceof Promise)) {
      this.#answer(number, result);
      return;
    }
    this.#incoming += 1;
    result.then(
      (answer) => {
        assert(this.#incoming > 0, "a request is answered once");
        this.#incoming -= 1;
        this.#answer(number, answer);
      },
      (error: unknown) => {
        assert(this.#incoming > 0, "a request is answered once");
        this.#incoming -= 1;
        this.#answer(number, this.#refusalOf(error, request));
      },
    );
  }

  #refusalOf(error: unknown, request: PeerRequest): RefusedAnswer {
    // A failed assertion is a bug, and ends the process as everywhere.
    if (error instanceof AssertionError) throw error;
    if (isOperatingError(error)) return refused(error.code, error.message);
    this.#options.log.error("a request of a peer failed", { peer: this.peer.id, request: request.kind, error });
    return refused("internal", "the request failed; see the log of the node that handled it");
  }

  #answer(number: number, answer: PeerAnswer): void {
    if (this.#closed) return;
    const urgent = answer.kind === "pong";
    const payload = writeAnswer(this.#queue.begin(urgent), answer);
    const maxBytes = this.#maxBytes(payload === undefined);
    const result = this.#queue.finish(frameKinds.answer, number, payload, maxBytes, undefined);
    if (result === "queued") return;
    if (payload === undefined && result === "full") {
      this.close("the peer does not read its answers");
      return;
    }
    // The asker must not wait for an answer that can't be sent, so it gets a refusal. That can always be sent, or the
    // link ends.
    assert(answer.kind !== "refused", "a refusal is never too large");
    const error = sendError(result, this.peer.id);
    this.#answer(number, refused(error.code, error.message));
  }

  /** Small messages that keep the cluster together still pass when others find the queue full. */
  #maxBytes(privileged: boolean): number {
    return this.#settings.maxQueueBytes + (privileged ? this.#settings.queueReserveBytes : 0);
  }
}

/** The link does not know the member's epoch. An epoch of 0 says nothing. */
function refused(code: RefusedAnswer["code"], detail: string): RefusedAnswer {
  return { kind: "refused", code, epoch: 0, detail };
}

function sendError(result: Exclude<SendResult, "queued">, peer: string): OperatingError {
  switch (result) {
    case "full":
      return new OperatingError("overloaded", `too much waits to be sent to ${peer}`);
    case "payload_too_large":
      return new OperatingError("value_too_large", `the value is larger than ${peer} takes`);
    case "head_too_large":
      return new OperatingError("internal", `the message, apart from its value, is larger than ${peer} takes`);
  }
}
