/**
 * Admission to the write buffer: how many bytes are dirty, and who waits for room. Dirty bytes are never dropped. So a
 * full buffer makes writers wait, in order, for a bounded time and in a bounded number of bytes.
 *
 * Full buffers must not wait for each other for ever. What is committed leaves by itself once the store takes it. What
 * is not committed waits for room on other members. N members own something, so each primary keeps at most 1/(2N) of
 * its room uncommitted: all of them together fill at most half of any buffer so. And a buffer that is not over its
 * limit always takes one more replica (W23, W24).
 */

import { assert } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";

export interface AdmissionSettings {
  /** Bytes of dirty entries at which writers wait; see `footprint` for what counts. */
  readonly dirtyBytes: number;
  /** Up to so many dirty bytes there is room for values that the store refuses (W28). */
  readonly refusedBytes: number;
  /** Milliseconds that a writer waits for room before it is refused. */
  readonly waitMs: number;
}

/** Replicas may go up to this part of the limit beyond it, so that primaries meet it first. */
export const replicaReserve = 0.1;
/** Part of the limit that all members together may fill with uncommitted entries. */
const uncommittedPart = 0.5;
/** Writers whose bytes together exceed this part of the limit are refused at once rather than kept waiting. */
const waitingPart = 0.25;
/** Part of the room for values that the store refuses. So little leaves room for others, whatever else comes. */
const fewRefusedPart = 1 / 16;

interface Waiter {
  readonly bytes: number;
  readonly timer: Timer;
  readonly resolve: (taken: boolean) => void;
}

export class Admission {
  readonly #settings: AdmissionSettings;
  readonly #clock: Clock;
  #used = 0;
  /** Of them, the bytes of writes of this primary that have not committed; their room may only be reserved yet. */
  #uncommitted = 0;
  #uncommittedLimit = Number.POSITIVE_INFINITY;
  #waitingBytes = 0;
  #isShut = false;
  /** In order of arrival (a Set keeps it). */
  readonly #waiting = new Set<Waiter>();

  constructor(settings: AdmissionSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** Up to so many bytes of values that the store refuses nobody is refused because of them (W28). */
  get fewRefusedBytes(): number {
    return this.#settings.refusedBytes * fewRefusedPart;
  }

  /** How much of the room for values that the store refuses is free. */
  get refusedRoomBytes(): number {
    return Math.max(0, this.#settings.refusedBytes - this.#used);
  }

  /** Bytes of writes that wait for room. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Used part of the limit; over 1 while a replica's reserve is in use. */
  get fullness(): number {
    return this.#used / this.#settings.dirtyBytes;
  }

  /** Whether the limit makes writers wait. They may also wait because too much is uncommitted. */
  get isFull(): boolean {
    for (const { bytes } of this.#waiting) return !this.#isShut && this.#used + bytes > this.#settings.dirtyBytes;
    return false;
  }

  /** Whether writers wait, however much room there is. What must be held is let in all the same. */
  get isShut(): boolean {
    return this.#isShut;
  }

  set isShut(isShut: boolean) {
    this.#isShut = isShut;
    if (!isShut) this.#admit();
  }

  /**
   * Sets the share of uncommitted entries: this many members own something. A lone owner's entries wait for nobody's
   * room, only for the store.
   */
  shareAmong(owners: number): void {
    const part = owners <= 1 ? Number.POSITIVE_INFINITY : uncommittedPart / owners;
    this.#uncommittedLimit = this.#settings.dirtyBytes * part;
    this.#admit();
  }

  /**
   * Takes room for a write at once, if there is some and nobody is waiting. It counts as uncommitted until {@link
   * committed}, or until it is given back by {@link giveBack}.
   */
  tryTake(bytes: number): boolean {
    if (this.#waiting.size > 0 || !this.#fits(bytes)) return false;
    this.takeForWrite(bytes);
    return true;
  }

  /** Takes room for an entry that a primary has already admitted; false only over the limit and past the reserve. */
  tryTakeForReplica(bytes: number): boolean {
    const limit = this.#settings.dirtyBytes;
    if (this.#used > limit && this.#used + bytes > limit * (1 + replicaReserve)) return false;
    this.#used += bytes;
    return true;
  }

  /** Takes room, limit or not: for entries that must be held because nobody else does. */
  take(bytes: number): void {
    this.#used += bytes;
  }

  /** Waits for a write's room and takes it; false if there was none in time, or too much waits already. */
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

  /** Takes a write's room, limit or not: it has to be done. */
  takeForWrite(bytes: number): void {
    this.#used += bytes;
    this.#uncommitted += bytes;
  }

  /** A write has committed, or is held like any other entry since the tenure ended. It goes on taking its room. */
  committed(bytes: number): void {
    this.#uncommitted -= bytes;
    assert(this.#uncommitted >= 0, "no more is committed than was taken for writes");
    if (this.#waiting.size > 0) this.#admit();
  }

  /** A held entry, which takes its room already, becomes a pending write of this primary. */
  uncommit(bytes: number): void {
    this.#uncommitted += bytes;
  }

  /** Room that was taken for a write is not needed. */
  giveBack(bytes: number): void {
    this.committed(bytes);
    this.give(bytes);
  }

  give(bytes: number): void {
    this.#used -= bytes;
    assert(this.#used >= 0, "no more room is given back than was taken");
    this.#admit();
  }

  /** Lets those in who wait, in order, as far as there is room. */
  #admit(): void {
    for (const waiter of this.#waiting) {
      if (!this.#fits(waiter.bytes)) break;
      this.takeForWrite(waiter.bytes);
      this.#leave(waiter, true);
    }
  }

  #fits(bytes: number): boolean {
    if (this.#isShut || this.#used + bytes > this.#settings.dirtyBytes) return false;
    return this.#uncommitted === 0 || this.#uncommitted + bytes <= this.#uncommittedLimit;
  }

  #leave(waiter: Waiter, taken: boolean): void {
    waiter.timer.cancel();
    this.#waiting.delete(waiter);
    this.#waitingBytes -= waiter.bytes;
    waiter.resolve(taken);
  }
}
