/**
 * Places for values on their way into the store, in parts, with room for what of them is in memory. Each is in its
 * caller's share. What has a place fits into the memory that a member has for parts: both count the same bytes.
 *
 * A caller may wait for its place. A large one that waits lets smaller ones pass, up to so many bytes as there are in
 * all. After that its caller's next ones wait behind it, and so do those of a caller that would have more than it.
 */

import { type Clock, sleep } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Share } from "../../base/shares.ts";
import { partBytesFor } from "../../core/part-sizes.ts";
import type { Exchange } from "./exchange.ts";
import { holderOf, type NodeShares } from "./node-shares.ts";

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

interface Waiting {
  readonly exchange: Exchange;
  readonly bytes: number;
  /** What has been let in since it began to wait. */
  passedBytes: number;
}

export class UploadPlaces {
  readonly #clock: Clock;
  readonly #settings: UploadSettings;
  readonly #shares: NodeShares;
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();

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
   * nothing of the body is read meanwhile, which holds its sender back. If another caller that has less needs it, the
   * body fails.
   *
   * @throws OperatingError `overloaded` after `maxWaitMs`.
   */
  async wait(exchange: Exchange, bytes: number, maxWaitMs: number): Promise<UploadPlace> {
    const giveUpAt = this.#clock.now() + maxWaitMs;
    const waiting: Waiting = { exchange, bytes, passedBytes: 0 };
    this.#waiting.add(waiting);
    try {
      for (let hasAsked = false; ; ) {
        // A refusal counts as one however long it takes. And only the first attempt is at the cost of others.
        const mayAsk: boolean = this.#mayPass(waiting) && (!hasAsked || this.#hasRoom(exchange, bytes));
        const place = mayAsk ? this.#take(exchange, bytes) : undefined;
        if (place !== undefined) {
          this.#pass(waiting);
          return place;
        }
        hasAsked ||= mayAsk;
        if (this.#clock.now() >= giveUpAt || exchange.response.destroyed) throw tooManyUploads();
        await sleep(this.#clock, pauseMs);
      }
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  /** Whether it may be let in before all that have waited for longer. */
  #mayPass(next: Waiting): boolean {
    const limit = this.#shares.capacity("upload_bytes");
    for (const earlier of this.#waiting) {
      if (earlier === next) return true;
      if (earlier.passedBytes < limit) continue;
      const isOwn = holderOf(earlier.exchange) === holderOf(next.exchange);
      if (isOwn || this.#bytesWith(earlier) < this.#bytesWith(next)) return false;
    }
    return true;
  }

  /** Notes that it passes those that have waited for longer. */
  #pass(next: Waiting): void {
    for (const earlier of this.#waiting) {
      if (earlier === next) return;
      earlier.passedBytes += next.bytes;
    }
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
    return { release };
  }
}

function tooManyUploads(): OperatingError {
  return new OperatingError("overloaded", "too many large values are being written through this node");
}
