/**
 * The large payloads that wait on one link. A few at a time are sent in turn, a piece each; the others wait until one
 * of these ends. How many are begun, and how many bytes those have, stays within what the peer sets aside for them.
 */

import { assert } from "../base/assert.ts";
import type { MessageKind, ReceiveLimits } from "./frame.ts";

export interface BulkMessage {
  readonly kind: MessageKind;
  readonly number: number;
  readonly head: Buffer;
  readonly payload: Buffer;
  /** Bytes of the payload that have been sent. */
  sent: number;
}

export class BulkQueue {
  readonly #limits: ReceiveLimits;
  /** The messages that are begun. The first is the next to send a piece. */
  readonly #active: BulkMessage[] = [];
  #activeBytes = 0;
  readonly #waiting: BulkMessage[] = [];

  constructor(limits: ReceiveLimits) {
    this.#limits = limits;
  }

  add(kind: MessageKind, number: number, head: Buffer, payload: Buffer): BulkMessage {
    const message = { kind, number, head, payload, sent: 0 };
    this.#waiting.push(message);
    return message;
  }

  /** The message whose turn it is. Call {@link sent} before the next call. */
  next(): BulkMessage | undefined {
    const waiting = this.#waiting[0];
    if (waiting !== undefined && this.#mayBegin(waiting)) {
      this.#waiting.shift();
      this.#activeBytes += waiting.payload.length;
      this.#active.unshift(waiting);
    }
    assert(this.#active.length <= this.#limits.interleaved, "no more messages are begun than the peer takes");
    assert(this.#activeBytes <= this.#limits.reassemblyBytes, "no more bytes are begun than the peer takes");
    return this.#active[0];
  }

  /** `bytes` more of the message have been sent: it goes behind the others, or is done. */
  sent(message: BulkMessage, bytes: number): void {
    assert(this.#active[0] === message, "a piece is of the message whose turn it is");
    this.#active.shift();
    message.sent += bytes;
    assert(message.sent <= message.payload.length, "no more is sent than there is");
    if (message.sent < message.payload.length) this.#active.push(message);
    else this.#activeBytes -= message.payload.length;
    assert(this.#activeBytes >= 0, "bytes that are begun are given back once");
  }

  /** Removes the message. Returns whether it was still there. */
  remove(message: BulkMessage): boolean {
    const waiting = this.#waiting.indexOf(message);
    if (waiting >= 0) {
      this.#waiting.splice(waiting, 1);
      return true;
    }
    const active = this.#active.indexOf(message);
    if (active < 0) return false;
    this.#active.splice(active, 1);
    this.#activeBytes -= message.payload.length;
    assert(this.#activeBytes >= 0, "bytes that are begun are given back once");
    return true;
  }

  clear(): void {
    this.#active.length = 0;
    this.#waiting.length = 0;
    this.#activeBytes = 0;
  }

  #mayBegin(message: BulkMessage): boolean {
    return (
      this.#active.length < this.#limits.interleaved &&
      this.#activeBytes + message.payload.length <= this.#limits.reassemblyBytes
    );
  }
}
