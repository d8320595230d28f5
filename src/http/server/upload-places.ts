/**
 * Places for values on their way into the store, in parts, with room for what of them is in memory. Each is in its
 * caller's share. What has a place fits into the memory that a member has for parts: both count the same bytes.
 *
 * A caller may wait for its place. Those that fit are let in before one that waits for more, until as much has been let
 * in as there is in all. After that its caller's next ones wait behind it, and so do those of a caller that would have
 * more than it. They do so for some seconds: what holds the room may be a stream of an hour.
 */

import { type Clock, sleep } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Share } from "../../base/shares.ts";
import { partBytesFor } from "../../core/part-sizes.ts";
import type { Exchange } from "./exchange.ts";
import { holderOf, type NodeShares } from "./node-shares.ts";
import { unreadBodyBytes } from "./unread-body.ts";

export interface UploadSettings {
  readonly maxStreamBytes: number;
  /** Of a value that is streamed, so many bytes go to the store at a time, as a rule. */
  readonly partBytes: number;
}

/** A place of a caller's. */
export interface UploadPlace {
  /** Gives it back. Does nothing if it has been given up. */
  release(): void;
}

/** Between two looks for room, in milliseconds. */
const pauseMs = 50;

/** For so long nobody passes one that waits. A part gets to the store in less time. */
const maxBlockMs = 10_000;

interface Waiting {
  readonly exchange: Exchange;
  readonly bytes: number;
  /** What had been let in when it began to let others pass. */
  before: number;
}

export class UploadPlaces {
  readonly #clock: Clock;
  readonly #settings: UploadSettings;
  readonly #shares: NodeShares;
  /** By caller, in the order in which they came. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  /** Bytes that have been let in, ever. A place counts as its part of all bytes at least: there are only so many. */
  #letIn = 0;

  constructor(clock: Clock, settings: UploadSettings, shares: NodeShares) {
    this.#clock = clock;
    this.#settings = settings;
    this.#shares = shares;
  }

  /**
   * Takes a place for a body that is streamed, with room for one part. If another caller that has fewer needs it, the
   * body fails.
   *
   * @param length Bytes in the body, if that is known.
   * @throws OperatingError `overloaded`
   */
  take(exchange: Exchange, length: number | undefined): UploadPlace {
    const { maxStreamBytes, partBytes } = this.#settings;
    const place = this.#take(exchange, partBytesFor(length ?? maxStreamBytes, partBytes));
    if (place === undefined) throw tooManyUploads();
    return place;
  }

  /**
   * Takes a place with room for a body that is to be in memory as a whole, however long it takes to come. Waits for it:
   * nothing of the body is read meanwhile, which holds its sender back. What has come of it by then counts as bytes of
   * a body. If another caller that has less needs the place or those bytes, the body fails.
   *
   * @throws OperatingError `overloaded` after `maxWaitMs`, or if what has come of the body has no room.
   */
  async wait(exchange: Exchange, bytes: number, maxWaitMs: number): Promise<UploadPlace> {
    const began = this.#clock.now();
    let patientAt = began;
    const holder = holderOf(exchange);
    const waiting: Waiting = { exchange, bytes, before: this.#letIn };
    const own = this.#waiting.get(holder) ?? new Set();
    this.#waiting.set(holder, own.add(waiting));
    const unreadBytes = Math.min(unreadBodyBytes(exchange.request), this.#shares.capacity("body_bytes"));
    let unread: Share | undefined;
    try {
      for (let hasAsked = false; ; ) {
        // A refusal counts as one however long it takes. And only the first attempt is at the cost of others.
        const mayAsk: boolean = this.#mayPass(waiting, own) && (!hasAsked || this.#hasRoom(exchange, bytes));
        const place = mayAsk ? this.#take(exchange, bytes) : undefined;
        if (place !== undefined) return place;
        hasAsked ||= mayAsk;
        const now = this.#clock.now();
        if (now - began >= maxWaitMs || exchange.response.destroyed) throw tooManyUploads();
        if (unreadBytes > 0) unread ??= this.#takeUnread(exchange, unreadBytes);
        if (unreadBytes > 0 && unread?.isTaken !== true) throw tooManyUploads();
        if (now - patientAt > maxBlockMs) waiting.before = this.#letIn;
        if (this.#isPatient(waiting)) patientAt = now;
        await sleep(this.#clock, pauseMs);
      }
    } finally {
      unread?.release();
      own.delete(waiting);
      if (own.size === 0) this.#waiting.delete(holder);
    }
  }

  /** One that another caller needs is released. */
  #takeUnread(exchange: Exchange, bytes: number): Share | undefined {
    const share = this.#shares.take("body_bytes", exchange, bytes, () => {
      share?.release();
      return true;
    });
    return share;
  }

  /** Whether it may be let in before those that wait for longer. Each caller's first one speaks for its others. */
  #mayPass(next: Waiting, own: ReadonlySet<Waiting>): boolean {
    for (const ofOne of this.#waiting.values()) {
      const [first] = ofOne;
      if (first === undefined || first === next || this.#isPatient(first)) continue;
      if (ofOne === own || this.#bytesWith(first) < this.#bytesWith(next)) return false;
    }
    return true;
  }

  #isPatient({ before }: Waiting): boolean {
    return this.#letIn - before < this.#shares.capacity("upload_bytes");
  }

  /** How many bytes its caller would have with it. */
  #bytesWith({ exchange, bytes }: Waiting): number {
    return this.#shares.amount("upload_bytes", exchange) + bytes;
  }

  #hasRoom(exchange: Exchange, bytes: number): boolean {
    return this.#shares.hasRoomFor("uploads", exchange, 1) && this.#shares.hasRoomFor("upload_bytes", exchange, bytes);
  }

  #take(exchange: Exchange, bytes: number): UploadPlace | undefined {
    const taken: Share[] = [];
    const release = (): void => {
      for (const share of taken) share.release();
    };
    const giveUp = (): boolean => {
      // The body is whole: it is about to be stored.
      if (exchange.reader === undefined) return false;
      release();
      exchange.reader.fail(tooManyUploads());
      return true;
    };
    for (const [name, amount] of [
      ["uploads", 1],
      ["upload_bytes", bytes],
    ] as const) {
      const share = this.#shares.take(name, exchange, amount, giveUp);
      if (share === undefined) {
        release();
        return undefined;
      }
      taken.push(share);
    }
    this.#letIn += Math.max(bytes, this.#shares.capacity("upload_bytes") / this.#shares.capacity("uploads"));
    return { release };
  }
}

function tooManyUploads(): OperatingError {
  return new OperatingError("overloaded", "too many large values are being written through this node");
}
