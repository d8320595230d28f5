/**
 * A write that a primary has assigned, until it commits or is lost. Only its key's state machine (`key-state.ts`) takes
 * its steps; to all others it is a {@link PendingWrite}.
 */

import type { Instant } from "../base/clock.ts";
import type { Entry } from "./entry.ts";
import type { Version } from "./version.ts";

/** A write's version, once it has committed. */
export interface Committed extends Version {
  /** See {@link PendingWrite.tag}. */
  readonly tag: string;
}

/** A write that the primary has assigned and that has not committed. */
export interface PendingWrite {
  readonly entry: Entry;
  readonly assignedAt: Instant;
  /** It was held under an earlier view, and came with the key. It is visible once every owner has it. */
  readonly inherited: boolean;
  /**
   * It was found in the store, where a reader of the store sees it. Nothing older may become visible without it (F9).
   */
  readonly fromStore: boolean;
  /** Whether this member's own journal has it. */
  readonly journaled: boolean;
  /** Owners that have not acknowledged it in the adopted epoch. */
  readonly missing: readonly string[];
  /** Whether the store must have it before it commits: there are too few owners, or only the store can complete it. */
  readonly needsStore: boolean;
  /** Of an inherited write: it goes to the owners that miss it by a message of its own, ahead of the hand-off. */
  readonly sentAhead: boolean;
  /** The store's tag of an upload that it has completed; empty before, and for other writes. */
  readonly tag: string;
  /** Resolves when it has committed. Rejects when this member lost its tenure before that, or the store an upload. */
  readonly outcome: Promise<Committed>;
}

/** Where a write comes from, and what it waits for. */
export interface Assignment {
  readonly now: Instant;
  /** The key's owners without this member. */
  readonly others: readonly string[];
  /** Whether the key has fewer owners than replicas were asked for. */
  readonly isShort: boolean;
  /** See {@link PendingWrite.fromStore}. */
  readonly fromStore?: boolean;
}

export class Write implements PendingWrite {
  readonly entry: Entry;
  readonly assignedAt: Instant;
  readonly inherited: boolean;
  readonly fromStore: boolean;
  journaled: boolean;
  missing: readonly string[];
  needsStore: boolean;
  sentAhead = false;
  tag = "";
  readonly outcome: Promise<Committed>;
  readonly #commit: (outcome: Committed) => void;
  readonly #lose: (error: Error) => void;

  constructor(entry: Entry, { now, others, fromStore = false }: Assignment, needsStore: boolean, inherited: boolean) {
    const { promise, resolve, reject } = Promise.withResolvers<Committed>();
    this.entry = entry;
    this.assignedAt = now;
    this.inherited = inherited;
    this.fromStore = fromStore;
    this.journaled = inherited;
    this.missing = others;
    this.needsStore = needsStore;
    this.outcome = promise;
    this.#commit = resolve;
    this.#lose = reject;
  }

  /**
   * Whether this member's journal and every other owner have it (W3, W4): what it lacks then, the store has to give.
   */
  get isHeldByAll(): boolean {
    return this.journaled && this.missing.length === 0;
  }

  /** It has committed. */
  committed(): void {
    const { epoch, seq } = this.entry;
    this.#commit({ epoch, seq, tag: this.tag });
  }

  /** It will not commit here. */
  lost(error: Error): void {
    this.#lose(error);
  }
}

/** Found in the store, and not yet where it must be before anything older may become visible. */
export function isNotYetFromStore(write: Write): boolean {
  return write.fromStore && (write.needsStore || !write.isHeldByAll);
}

/**
 * The pending write to be written through. Not before all owners have it: the next primary must know what it finds in
 * the store, and which request that was.
 *
 * It is the newest that needs the store. If a newer one was sent already, under a view that has changed since, then an
 * older one is not sent any more (F7): that one is written through, or one newer still.
 */
export function writeThroughOf(
  pending: readonly Write[],
  isOvertaken: (version: Version) => boolean,
): Write | undefined {
  const needed = pending.findLast((write) => write.needsStore && write.isHeldByAll);
  if (!needed || !isOvertaken(needed.entry)) return needed;
  return pending.findLast((write) => write.isHeldByAll && !write.entry.upload && !isOvertaken(write.entry));
}
