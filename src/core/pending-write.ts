/**
 * A write that a primary has assigned, until it commits or is lost. Only its key's state machine (`key-state.ts`) takes
 * its steps; to all others it is a {@link PendingWrite}.
 */

import type { Instant } from "../base/clock.ts";
import { isDiscarded } from "./discarded.ts";
import type { Entry } from "./entry.ts";
import { compareVersions, type Version } from "./version.ts";

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
  /** Of an inherited write: the store has to be asked whether it has something newer, however many owners there are. */
  readonly asksStore: boolean;
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
  asksStore = false;
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

  /** See `KeyState.ownerHas`. A copy that was sent ahead counts by its own answer: it could arrive late (V46). */
  ownerHas(version: Version, owner: string): boolean {
    if (!this.inherited || this.sentAhead || compareVersions(this.entry, version) > 0) return false;
    this.acknowledged(owner);
    return true;
  }

  /** In the adopted epoch. */
  acknowledged(owner: string): void {
    this.missing = this.missing.filter((id) => id !== owner);
  }

  /** See `KeyState.sendAhead`. */
  sendAhead(): boolean {
    if (!this.inherited || this.sentAhead) return false;
    this.sentAhead = true;
    return true;
  }

  /** A view was adopted in which the primary goes on. See `KeyState.beginEpoch`. */
  beginEpoch(others: readonly string[], isShort: boolean, sendsInherited: boolean): void {
    this.missing = others;
    const isUncompleted = this.entry.upload !== undefined && this.tag === "";
    this.needsStore = (!isDiscarded(this.entry) && (isShort || isUncompleted)) || (this.asksStore && this.needsStore);
    this.sentAhead = this.inherited && sendsInherited;
  }

  /** See `KeyState.askedStore`. */
  askedStore(isShort: boolean): void {
    if (this.entry.upload !== undefined) return;
    this.asksStore = false;
    this.needsStore = isShort;
  }

  /** See `KeyState.commitUnstored`. */
  commitUnstored(): boolean {
    if (!this.inherited || this.asksStore || !this.needsStore) return false;
    this.needsStore = false;
    return true;
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

/**
 * A write that has its version.
 * @param othersNeedStore - whether an earlier pending write of the key needs the store
 */
export function assigned(entry: Entry, assignment: Assignment, othersNeedStore: boolean): Write {
  const { isShort, fromStore = false } = assignment;
  const needsStore = isShort || entry.upload !== undefined || (fromStore && othersNeedStore); // W5, L1
  return new Write(entry, assignment, needsStore && !isDiscarded(entry), false);
}

/** What a member held of a key that it has gained; see `KeyState.inherit`. */
export function inherited(entry: Entry, assignment: Assignment, wasForgotten: boolean): Write {
  // Of a reference only the store knows whether it was completed (L5).
  const asksStore = entry.upload !== undefined || wasForgotten;
  const write = new Write(entry, assignment, asksStore || assignment.isShort, true);
  write.asksStore = asksStore;
  return write;
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

/** What a write that has not committed for long waits for, in words for a client. */
export function awaited({ missing, needsStore }: PendingWrite): string {
  return needsStore ? "the store" : missing.join(", ");
}
