/**
 * The memory of parts on their way to the store: so many bytes at a time, at most (L14).
 *
 * Who may have how much of it is decided before, by the shares of the server for clients: all that it lets in fits.
 * What else takes room comes back soon, since nothing takes longer than a part takes to the store:
 *
 * - what is lent to an upload that goes faster with it
 * - what uploads have in parts that are being sent, after they were given up for others
 *
 * So who finds no room waits for that alone. It holds nobody up: one that fits is let in before it.
 */

import { assert } from "../../base/assert.ts";
import type { ContextOf } from "../context.ts";
import type { MemberSettings } from "../settings.ts";

type UploadRoomContext = ContextOf<"clock"> & {
  readonly settings: Pick<MemberSettings, "large" | "operationMs">;
};

/** Has room that is lent to it. */
export interface Borrower {
  /** Somebody waits: gives back what it does not use at this moment. What it uses it gives back afterwards. */
  giveBackIdle(): void;
}

export class UploadRoom {
  readonly #context: UploadRoomContext;
  #takenBytes = 0;
  /** Those that wait. Each takes its room if there is enough. */
  readonly #waiting = new Set<() => boolean>();
  readonly #borrowers = new Set<Borrower>();

  constructor(context: UploadRoomContext) {
    this.#context = context;
  }

  /** The most that can be had. */
  get bytes(): number {
    return this.#context.settings.large.inFlightBytes;
  }

  /** Whether somebody waits. Then what is lent is to be given back. */
  get isWanted(): boolean {
    return this.#waiting.size > 0;
  }

  /** Takes room as soon as there is some. False if there is none in time. */
  async take(bytes: number): Promise<boolean> {
    if (this.#take(bytes)) return true;
    const { clock, settings } = this.#context;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const take = (): boolean => {
      if (!this.#take(bytes)) return false;
      resolve(true);
      return true;
    };
    this.#waiting.add(take);
    const timer = clock.after(settings.operationMs, () => {
      this.#waiting.delete(take);
      resolve(false);
    });
    for (const borrower of this.#borrowers) borrower.giveBackIdle();
    const isIn = await promise;
    timer.cancel();
    return isIn;
  }

  /** Lends room if some is free and nobody waits. The borrower is asked for it until it is forgotten. */
  lend(borrower: Borrower, bytes: number): boolean {
    if (this.isWanted || !this.#take(bytes)) return false;
    this.#borrowers.add(borrower);
    return true;
  }

  /** It has given back what was lent to it. */
  forget(borrower: Borrower): void {
    this.#borrowers.delete(borrower);
  }

  giveBack(bytes: number): void {
    assert(this.#takenBytes >= bytes, "no more room is given back than was taken");
    this.#takenBytes -= bytes;
    for (const take of this.#waiting) if (take()) this.#waiting.delete(take);
  }

  #take(bytes: number): boolean {
    assert(bytes >= 0, "a part has no less than no bytes");
    if (this.#takenBytes + bytes > this.bytes) return false;
    this.#takenBytes += bytes;
    return true;
  }
}
