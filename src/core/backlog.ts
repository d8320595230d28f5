/**
 * The backlog: the keys that this member serves and whose acknowledged state the store may lack (visible, or inherited and not visible yet), the oldest first, and of which of them the last attempt to flush failed. A replica cannot tell how old a key is: the primary flushes it, and says so later.
 *
 * The age of a key is that of its oldest state that no flush has carried away: one that is overwritten again and again is as young as its last flush is.
 */

import type { Instant } from "../base/clock.ts";
import type { OperatingError } from "../base/errors.ts";
import type { KeyRecord } from "./write-buffer.ts";

export class Backlog {
  /** In the order in which they became dirty (a Set keeps it). Those that a flush made younger are where that landed. */
  readonly #waiting = new Set<KeyRecord>();
  /** Those that the store has refused, which no waiting mends. */
  readonly #refused = new Set<KeyRecord>();
  /** Those whose last attempt failed, for whatever reason. */
  readonly #failing = new Set<KeyRecord>();

  /** How many there are. */
  get size(): number {
    return this.#waiting.size + this.#refused.size;
  }

  /** The record has an acknowledged state that the store may lack. */
  add(record: KeyRecord): void {
    if (!this.#refused.has(record)) this.#waiting.add(record);
  }

  /** The store lacks nothing of it any more, or it is another member's. */
  remove(record: KeyRecord): void {
    this.#waiting.delete(record);
    this.recovered(record);
  }

  /** A flush that began then has landed; what the store lacks now is younger. */
  renew(record: KeyRecord, since: Instant): void {
    record.dirtySince = since;
    this.#refused.delete(record);
    this.#waiting.delete(record);
    this.#waiting.add(record);
  }

  failed(record: KeyRecord, error: OperatingError): void {
    record.failures++;
    record.failure = error;
    this.#failing.add(record);
    if (error.code !== "store_refused") return;
    this.#waiting.delete(record);
    this.#refused.add(record);
  }

  /** The last attempt did not fail. */
  recovered(record: KeyRecord): void {
    record.failures = 0;
    record.failure = undefined;
    this.#failing.delete(record);
    this.#refused.delete(record);
  }

  /** Keys whose last attempt failed: those that the store refuses first, then in the order in which they began to. */
  *failing(): IterableIterator<KeyRecord> {
    yield* this.#refused;
    for (const record of this.#failing) if (!this.#refused.has(record)) yield record;
  }

  get failingCount(): number {
    return this.#failing.size;
  }

  get refusedCount(): number {
    return this.#refused.size;
  }

  /** Since when the store has lacked something of the oldest key, of those that it refuses or of the others. Exact but for the time that a flush takes. */
  oldestSince(which: "waiting" | "refused"): Instant | undefined {
    for (const record of which === "waiting" ? this.#waiting : this.#refused) return record.dirtySince;
    return undefined;
  }

  /** All of them. Records may be removed while it runs. */
  *records(): IterableIterator<KeyRecord> {
    yield* this.#waiting;
    yield* this.#refused;
  }
}
