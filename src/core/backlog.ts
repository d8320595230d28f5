/**
 * The backlog: the keys that this member serves and whose acknowledged state the store may lack, the oldest first. That
 * state is visible, or inherited and not visible yet. And of which of them the last attempt to flush failed. A replica
 * cannot tell how old a key is: the primary flushes it, and says so later.
 *
 * The age of a key is that of its oldest state that no flush has carried away. A key that is overwritten again and
 * again is as young as its last flush (F20).
 */

import type { Instant } from "../base/clock.ts";
import type { OperatingError } from "../base/errors.ts";
import { PartedMap } from "../base/parted-map.ts";
import type { Flight, KeyState } from "./key-state.ts";
import { RefusedValues } from "./refused-values.ts";

export class Backlog {
  /** In each part in the order in which they became dirty. A key that a flush made younger moved to the end then. */
  readonly #waiting = new PartedMap<KeyState>();
  /** Those that the store has refused, which no waiting mends. */
  readonly #refused = new RefusedValues();
  /**
   * Those that are held back until an earlier request can take effect no more (F24). The store is not behind for them,
   * so their age does not count before a flush of them has landed.
   */
  readonly #held = new Set<KeyState>();
  /** Those whose last attempt failed, for any reason. */
  readonly #failing = new Set<KeyState>();

  /** How many there are. */
  get size(): number {
    return this.#waiting.size + this.#refused.size + this.#held.size;
  }

  /** The record has an acknowledged state that the store may lack. */
  add(record: KeyState): void {
    if (!this.#refused.has(record) && !this.#held.has(record)) this.#waiting.set(record.key, record);
  }

  /** The record is held back, whatever the store does. */
  held(record: KeyState): void {
    if (this.#refused.has(record)) return;
    this.#waitsNoMore(record);
    this.#held.add(record);
  }

  /** The store lacks nothing of it any more, or another member serves it now. */
  remove(record: KeyState): void {
    this.#waitsNoMore(record);
    this.#held.delete(record);
    this.recovered(record);
  }

  /** A flush that began at `since` has landed. What the store lacks now is younger. */
  renew(record: KeyState, since: Instant): void {
    record.renew(since);
    this.#held.delete(record);
    this.#refused.delete(record);
    this.#waitsNoMore(record);
    this.#waiting.set(record.key, record);
  }

  /** An attempt failed. */
  failed({ record, entry, beganAt }: Flight, error: OperatingError): void {
    record.attempted(error);
    this.#failing.add(record);
    if (error.code !== "store_refused") return;
    this.#waitsNoMore(record);
    this.#held.delete(record);
    this.#refused.add(record, entry, beganAt);
  }

  /** The last attempt did not fail. */
  recovered(record: KeyState): void {
    record.attempted(undefined);
    this.#failing.delete(record);
    this.#refused.delete(record);
  }

  /** Keys whose last attempt failed: those that the store refuses first, then in the order in which they began to. */
  *failing(): IterableIterator<KeyState> {
    yield* this.#refused.keys();
    for (const record of this.#failing) if (!this.#refused.has(record)) yield record;
  }

  /** What of them the store refuses. */
  get refusedValues(): Readonly<RefusedValues> {
    return this.#refused;
  }

  /** Those that the store refuses, at this moment. */
  refused(): readonly KeyState[] {
    return [...this.#refused.keys()];
  }

  /** Whether the store has refused the last attempt, and that began at `since` or later. */
  isRefusedSince(record: KeyState, since: Instant): boolean {
    const refusedFrom = this.#refused.since(record);
    return record.failure?.code === "store_refused" && refusedFrom !== undefined && refusedFrom >= since;
  }

  get failingCount(): number {
    return this.#failing.size;
  }

  get refusedCount(): number {
    return this.#refused.size;
  }

  /** Those that are, or were at their last look, held back (F24). */
  get heldCount(): number {
    return this.#held.size;
  }

  /**
   * Since when the store has lacked something of the oldest key, of those that it refuses or of the others. Exact but
   * for the time that a flush takes.
   */
  oldestSince(which: "waiting" | "refused"): Instant | undefined {
    if (which === "waiting") return oldestOf(this.#waiting.firsts());
    for (const record of this.#refused.keys()) return record.dirtySince;
    return undefined;
  }

  /** All of them, at this moment. */
  all(): readonly KeyState[] {
    return [...this.#waiting.values(), ...this.#refused.keys(), ...this.#held];
  }

  /** Whether the record is among them. */
  has(record: KeyState): boolean {
    return this.#waiting.get(record.key) === record || this.#refused.has(record) || this.#held.has(record);
  }

  /** Another record of its key may wait. */
  #waitsNoMore(record: KeyState): void {
    if (this.#waiting.get(record.key) === record) this.#waiting.delete(record.key);
  }
}

function oldestOf(records: Iterable<KeyState>): Instant | undefined {
  let oldest: Instant | undefined;
  for (const { dirtySince } of records) oldest = Math.min(oldest ?? dirtySince, dirtySince);
  return oldest;
}
