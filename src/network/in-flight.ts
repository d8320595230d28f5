/**
 * The requests on one link that have no answer yet, by number, with their deadlines. The link looks for expired
 * deadlines now and then. A timer for each request would cost a thousand times as much, and a few milliseconds do not
 * matter.
 */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import type { OperatingError } from "../base/errors.ts";
import type { PeerAnswer } from "../core/message.ts";
import type { BulkMessage } from "./bulk-queue.ts";
import type { SendBlock } from "./send-block.ts";
import type { SendTicket } from "./send-queue.ts";

export class PendingRequest implements SendTicket {
  readonly deadline: Instant;
  #resolve: ((answer: PeerAnswer) => void) | undefined;
  #reject: ((error: OperatingError) => void) | undefined;
  block: SendBlock | undefined = undefined;
  start = 0;
  bulk: BulkMessage | undefined = undefined;

  constructor(deadline: Instant, resolve: (answer: PeerAnswer) => void, reject: (error: OperatingError) => void) {
    this.deadline = deadline;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  answer(answer: PeerAnswer): void {
    const resolve = this.#resolve;
    this.#forget();
    resolve?.(answer);
  }

  fail(error: OperatingError): void {
    const reject = this.#reject;
    this.#forget();
    reject?.(error);
  }

  /** An outgrown table of a Map may keep it for long: it keeps nothing else. */
  #forget(): void {
    this.#resolve = undefined;
    this.#reject = undefined;
    this.block = undefined;
    this.bulk = undefined;
  }
}

/**
 * Numbers start again after this. So they stay small integers to the engine. No request is in flight for a whole round.
 */
const numberMask = 2 ** 30 - 1;

export class InFlight {
  readonly #requests = new Map<number, PendingRequest>();
  #lastNumber = 0;

  get size(): number {
    return this.#requests.size;
  }

  nextNumber(): number {
    this.#lastNumber = (this.#lastNumber + 1) & numberMask;
    return this.#lastNumber;
  }

  add(number: number, request: PendingRequest): void {
    const { size } = this.#requests;
    this.#requests.set(number, request);
    assert(this.#requests.size > size, "a number is in use once");
  }

  /** The request, which is then no longer in flight. Undefined when it was given up. */
  take(number: number): PendingRequest | undefined {
    const request = this.#requests.get(number);
    if (request !== undefined) this.#requests.delete(number);
    return request;
  }

  /** Takes the requests whose deadline has passed. */
  takeExpired(now: Instant): PendingRequest[] {
    const expired: PendingRequest[] = [];
    for (const [number, request] of this.#requests) {
      if (request.deadline > now) continue;
      this.#requests.delete(number);
      expired.push(request);
    }
    return expired;
  }

  takeAll(): PendingRequest[] {
    const all = [...this.#requests.values()];
    this.#requests.clear();
    return all;
  }
}
