/**
 * Room in the write buffer: how many bytes are dirty, and who waits for room. Dirty bytes are never dropped, so a full buffer makes
 * writers wait, in order, for a bounded time and in a bounded number of bytes. Replicas may go a little beyond the limit, so that
 * primaries meet it first.
 */

import { assert } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";

export interface RoomSettings {
  /** Bytes of dirty entries at which writers wait; see `footprint` for what counts. */
  readonly dirtyBytes: number;
  /** Milliseconds that a writer waits for room before it is refused. */
  readonly waitMs: number;
}

/** A replica takes entries up to this part of the limit beyond it. */
const replicaReserve = 0.1;
/** Writers whose bytes together exceed this part of the limit are refused at once rather than kept waiting. */
const waitingPart = 0.25;

interface Waiter {
  readonly bytes: number;
  readonly timer: Timer;
  readonly resolve: (taken: boolean) => void;
}

export class Room {
  readonly #settings: RoomSettings;
  readonly #clock: Clock;
  #used = 0;
  #waitingBytes = 0;
  /** In order of arrival (a Set keeps it). */
  readonly #waiting = new Set<Waiter>();

  constructor(settings: RoomSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** Used part of the limit; over 1 while a replica's reserve is in use. */
  get fullness(): number {
    return this.#used / this.#settings.dirtyBytes;
  }

  /** Takes room at once if there is some and nobody waits before. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.size > 0 || this.#used + bytes > this.#settings.dirtyBytes) return false;
    this.#used += bytes;
    return true;
  }

  /** Takes room for an entry that a primary has already admitted; false only past the reserve. */
  tryTakeForReplica(bytes: number): boolean {
    if (this.#used + bytes > this.#settings.dirtyBytes * (1 + replicaReserve)) return false;
    this.#used += bytes;
    return true;
  }

  /** Takes room, limit or not: for entries that must be held because nobody else does. */
  take(bytes: number): void {
    this.#used += bytes;
  }

  /** Waits for room and takes it; false if there was none in time, or too much waits already. */
  waitAndTake(bytes: number): Promise<boolean> {
    const waitingBytes = this.#waitingBytes + bytes;
    if (this.#waiting.size > 0 && waitingBytes > this.#settings.dirtyBytes * waitingPart) return Promise.resolve(false);
    this.#waitingBytes += bytes;
    return new Promise((resolve) => {
      const timer = this.#clock.after(this.#settings.waitMs, () => {
        this.#leave(waiter, false);
        this.#admit();
      });
      const waiter: Waiter = { bytes, timer, resolve };
      this.#waiting.add(waiter);
    });
  }

  give(bytes: number): void {
    this.#used -= bytes;
    assert(this.#used >= 0, "no more room is given back than was taken");
    this.#admit();
  }

  /** Lets those in who wait, in order, as far as there is room. */
  #admit(): void {
    for (const waiter of this.#waiting) {
      if (this.#used + waiter.bytes > this.#settings.dirtyBytes) break;
      this.#used += waiter.bytes;
      this.#leave(waiter, true);
    }
  }

  #leave(waiter: Waiter, taken: boolean): void {
    waiter.timer.cancel();
    this.#waiting.delete(waiter);
    this.#waitingBytes -= waiter.bytes;
    waiter.resolve(taken);
  }
}
