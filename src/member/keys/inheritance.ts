/**
 * Inheritance: what becomes of the entries of keys that this member gains with a view. Once everyone has delivered what was held, the newest of each key is here; but it may be
 * here only, and a value that was read must not be lost with one member. So an inherited entry is a pending write: it becomes visible once every other owner has it.
 * The hand-off brings it to them in bulk; those that somebody waits for go first.
 */

import type { Clock } from "../../base/clock.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Membership } from "../../core/membership.ts";
import { compareVersions, type Version } from "../../core/version.ts";
import { type KeyRecord, type PendingWrite, pendingWrite, type WriteBuffer } from "../../core/write-buffer.ts";
import type { Replicator } from "./replicator.ts";

export interface InheritanceParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly clock: Clock;
  readonly replicator: Replicator;
  readonly commitReady: (record: KeyRecord) => void;
  /** The record has something that others acknowledged, and that the store may lack. */
  readonly onInherited: (record: KeyRecord) => void;
  /** Somebody waits for what the store must have of the record first. */
  readonly onAwaited: (record: KeyRecord) => void;
  /** Nothing that was given up is asked for in the store any more; see {@link Inheritance.asksStore}. */
  readonly onAsked: () => void;
}

export class Inheritance {
  readonly #parts: InheritanceParts;
  /** Entries that have been sent ahead of the others. */
  readonly #hastened = new WeakSet<PendingWrite>();
  /** Entries of keys that an operator gave up, which are not known to be what the store has, or newer. */
  readonly #asking = new Set<PendingWrite>();

  constructor(parts: InheritanceParts) {
    this.#parts = parts;
  }

  /** Everything that was held under earlier views has been delivered. */
  begin(): void {
    const { buffer, membership, clock } = this.#parts;
    for (const record of buffer.records()) {
      const { key, entry } = record;
      const owners = membership.ownersOf(key);
      if (!entry || owners[0] !== membership.self.id || membership.serves(key, owners) || membership.inDoubt(key))
        continue;
      // Of what an operator gave up, a view with too few owners may have written something newer to the store: it is asked first.
      const wasForgotten = membership.wasForgotten(key);
      // And of a reference only the store knows whether it was completed.
      const isReference = entry.upload !== undefined;
      const needsStore = isReference || membership.isShort(owners) || wasForgotten;
      const write = pendingWrite(entry, { now: clock.now(), missing: owners.slice(1), needsStore, inherited: true });
      buffer.inherit(record, write);
      this.#parts.onInherited(record);
      if (wasForgotten) this.#ask(write);
      else write.outcome.catch(ignoreLost);
      this.#parts.commitReady(record);
    }
  }

  /** Whether something that was given up may still be newer in the store than here: until that is known the view is not settled, or nobody would know any more that the store has to be asked. */
  get asksStore(): boolean {
    return this.#asking.size > 0;
  }

  #ask(write: PendingWrite): void {
    this.#asking.add(write);
    const done = (): void => {
      this.#asking.delete(write);
      if (this.#asking.size === 0) this.#parts.onAsked();
    };
    write.outcome.then(done, (error: unknown) => {
      ignoreLost(error);
      done();
    });
  }

  /** Another owner has this version of a key, or a newer one. */
  acknowledged(key: string, version: Version, peer: string): void {
    const record = this.#parts.buffer.get(key);
    const first = record?.pending[0];
    if (!record || !first?.inherited || compareVersions(first.entry, version) > 0) return;
    // A copy is on its way to that owner: it counts by the answer to that, or the copy might come when the key has moved on.
    if (this.#hastened.has(first)) return;
    first.missing = first.missing.filter((id) => id !== peer);
    this.#parts.commitReady(record);
  }

  /** Somebody waits for the key. */
  hasten(record: KeyRecord): void {
    const first = record.pending[0];
    if (!first?.inherited) return;
    if (first.needsStore) this.#parts.onAwaited(record);
    if (this.#hastened.has(first)) return;
    this.#hastened.add(first);
    for (const peer of first.missing) this.#parts.replicator.send(record, first, peer);
  }

  /** Under a view just adopted: what is pending was sent to all that miss it. */
  adoptView(): void {
    for (const record of this.#parts.buffer.records()) {
      const first = record.pending[0];
      if (first?.inherited) this.#hastened.add(first);
    }
  }
}

/** For those who only waited for a write to end: that it was lost with its tenure is no failure of theirs. */
export function ignoreLost(error: unknown): void {
  if (!isOperatingError(error)) throw error;
}
