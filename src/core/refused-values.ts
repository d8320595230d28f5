/**
 * What the store refuses of the keys that this member serves, and whose it is: nothing but a person ends that, so it
 * takes room in the buffer for good. A value counts for who wrote it, as it was when the store refused it last.
 *
 * Who wrote a value is known where it was assigned, and nowhere else: it is neither sent to replicas nor journaled. So
 * what a member has inherited counts for nobody. It takes room all the same. Each holder with refused values has that
 * much less (W28).
 */

import type { Instant } from "../base/clock.ts";
import { type Entry, footprint } from "./entry.ts";
import type { KeyState } from "./key-state.ts";
import { compareVersions, type Version, versionOf } from "./version.ts";

interface Refusal {
  /** Of the state that was refused. */
  readonly version: Version;
  readonly bytes: number;
  readonly holder: Holder | undefined;
  /** When the attempt began. */
  readonly since: Instant;
}

interface Holder {
  readonly name: string;
  bytes: number;
  readonly records: Set<KeyState>;
}

export class RefusedValues {
  /** In the order in which they were refused (a Map keeps it). */
  readonly #refusals = new Map<KeyState, Refusal>();
  readonly #holders = new Map<string, Holder>();
  #bytes = 0;

  get size(): number {
    return this.#refusals.size;
  }

  /** Bytes of all of them, those of nobody too. */
  get bytes(): number {
    return this.#bytes;
  }

  has(record: KeyState): boolean {
    return this.#refusals.has(record);
  }

  keys(): IterableIterator<KeyState> {
    return this.#refusals.keys();
  }

  /** When the attempt began that was refused last; undefined if it is not among them. */
  since(record: KeyState): Instant | undefined {
    return this.#refusals.get(record)?.since;
  }

  /** Whether it was an attempt with this very version that was refused last. */
  isOf(record: KeyState, version: Version): boolean {
    const refusal = this.#refusals.get(record);
    return refusal !== undefined && compareVersions(refusal.version, version) === 0;
  }

  /** Bytes of those that the holder wrote. */
  bytesOf(holder: string): number {
    return this.#holders.get(holder)?.bytes ?? 0;
  }

  /** One of the keys that the holder wrote; undefined if there is none. */
  exampleOf(holder: string): string | undefined {
    for (const { key } of this.#holders.get(holder)?.records ?? []) return key;
    return undefined;
  }

  /** The bytes of each holder that has any. */
  *holders(): IterableIterator<readonly [name: string, bytes: number]> {
    for (const { name, bytes } of this.#holders.values()) yield [name, bytes];
  }

  /** The store has refused this state of the record. */
  add(record: KeyState, entry: Entry, since: Instant): void {
    const before = this.#refusals.get(record);
    if (before) this.#uncount(record, before);
    const bytes = footprint(entry);
    const holder = entry.holder === undefined ? undefined : this.#holderOf(entry.holder);
    if (holder) {
      holder.bytes += bytes;
      holder.records.add(record);
    }
    this.#bytes += bytes;
    this.#refusals.set(record, { version: versionOf(entry), bytes, holder, since });
  }

  delete(record: KeyState): void {
    const refusal = this.#refusals.get(record);
    if (!refusal) return;
    this.#refusals.delete(record);
    this.#uncount(record, refusal);
  }

  #holderOf(name: string): Holder {
    let holder = this.#holders.get(name);
    if (!holder) {
      holder = { name, bytes: 0, records: new Set() };
      this.#holders.set(name, holder);
    }
    return holder;
  }

  #uncount(record: KeyState, { bytes, holder }: Refusal): void {
    this.#bytes -= bytes;
    if (!holder) return;
    holder.bytes -= bytes;
    holder.records.delete(record);
    if (holder.records.size === 0) this.#holders.delete(holder.name);
  }
}
