/**
 * A key's state machine: what a member knows of one key whose value the store may lack, and the rules by which that
 * changes. All of a key's state is here, and in its pending writes. Other files read it and take its steps, and none of
 * them writes a field. Each step asserts what must hold before it and after it.
 *
 * At the key's primary a state goes this way:
 *
 *     assign ─▶ pending ─ journaled, acknowledged (by each other owner), arrived (where the store must have it)
 *     ─▶ commit ─▶ visible and dirty ─ takeOff, sent, stored, land ─▶ stored for good ─▶ remove
 *
 * At a replica it is held, and removed. When a member gains the key, what it held becomes pending again: `inherit`.
 * When it loses the key, what was pending is held again: `endTenure`.
 *
 * The write buffer takes the steps that change which entries are held, since it counts their bytes. The rules' numbers
 * are those of docs/internals/protocol.md.
 */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import type { OperatingError } from "../base/errors.ts";
import { isDiscarded } from "./discarded.ts";
import type { Entry } from "./entry.ts";
import {
  type Assignment,
  assigned,
  inherited,
  isNotYetFromStore,
  type PendingWrite,
  type Write,
  writeThroughOf,
} from "./pending-write.ts";
import { compareVersions, isNewer, type Version, versionOf } from "./version.ts";

/**
 * What this member knows of the key's object in the store, since its tenure began. `unseen`: nothing, and what it holds
 * came from another member. So nothing is sent before a look (F28).
 */
export type StoreKnowledge =
  | { readonly kind: "unknown" }
  | { readonly kind: "unseen" }
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly tag: string };

export const storeUnknown: StoreKnowledge = Object.freeze({ kind: "unknown" });
export const storeUnseen: StoreKnowledge = Object.freeze({ kind: "unseen" });
export const storeAbsent: StoreKnowledge = Object.freeze({ kind: "absent" });

/**
 * What keeps a key's first pending write from committing. `waits`: a journal or an owner lacks it, or nothing is
 * pending. `needs_store`: only the store lacks it. `ready`: nothing, if this member may answer for the key.
 */
export type Readiness = "waits" | "needs_store" | "ready";

/**
 * What the store needs of a key next. `complete`: the upload of a reference becomes the object. `write_through`: the
 * store must have this entry before it commits. `write`: it gets the visible state. `prove`: the object is read back.
 */
export interface FlushStep {
  readonly kind: "complete" | "write_through" | "write" | "prove";
  readonly entry: Entry;
}

/** One flush of a key, under way. */
export interface Flight {
  readonly record: KeyState;
  readonly entry: Entry;
  readonly beganAt: Instant;
  /** When it began, another request could still change the object. So it has to be read back (F11, F12). */
  readonly unproven: boolean;
}

export class KeyState {
  readonly key: string;
  #entry: Entry | undefined = undefined;
  /** Ascending by version. */
  readonly #pending: Write[] = [];
  #store: StoreKnowledge = storeUnknown;
  #flushed = false;
  /** The store has the entry's version, but must be read once more before that can be believed (F11). */
  #unproven = false;
  /** The newest version that was sent to the store or seen there. */
  #lastSent: Version | undefined = undefined;
  #flight: Flight | undefined = undefined;
  #failures = 0;
  #failure: OperatingError | undefined = undefined;
  #dirtySince: Instant;
  #isAwaited = false;
  #unknownUntil: Instant = Number.NEGATIVE_INFINITY;
  #scheduledAt: Instant | undefined = undefined;
  #notBefore: Instant = Number.NEGATIVE_INFINITY;

  constructor(key: string, now: Instant) {
    this.key = key;
    this.#dirtySince = now;
  }

  /** At the primary the visible state; elsewhere the newest one accepted. */
  get entry(): Entry | undefined {
    return this.#entry;
  }

  /** Ascending by version; empty where this member is not, and is not about to be, the active primary. */
  get pending(): readonly PendingWrite[] {
    return this.#pending;
  }

  /** The newest state assigned, committed or not. */
  get newest(): Entry | undefined {
    return this.#pending.at(-1)?.entry ?? this.#entry;
  }

  /** What came with the key and is not visible yet: the first pending write, if that is inherited. */
  get inherited(): PendingWrite | undefined {
    return this.#pending[0]?.inherited === true ? this.#pending[0] : undefined;
  }

  /** Since when it has been dirty. */
  get dirtySince(): Instant {
    return this.#dirtySince;
  }

  /** The record is used again. If nothing of it was dirty, its age begins anew. */
  reopen(now: Instant): void {
    if (!this.dirty && this.#pending.length === 0) this.#dirtySince = now;
  }

  /**
   * Holds an entry in place of an older one: as a replica, or from a hand-off. Only a primary knows a key's real age.
   */
  hold(entry: Entry, now: Instant): void {
    assert(this.#pending.length === 0, "a member that has assigned writes holds the newest entry");
    assert(isNewer(entry, this.#entry), "only a newer entry is held in place of another");
    this.#replace(entry);
    this.#store = storeUnseen;
    this.#dirtySince = now;
  }

  /** Nothing of the key is held any more. */
  remove(): void {
    assert(this.#pending.length === 0, "a pending write is never removed");
    this.#entry = undefined;
  }

  /** Takes a write that has its version. It waits for the journal, the other owners and, where it must, the store. */
  assign(entry: Entry, assignment: Assignment): PendingWrite {
    assert(isNewer(entry, this.newest), "versions of a key only grow");
    const write = assigned(entry, assignment, this.needsStore);
    this.#pending.push(write);
    // What is discarded is not sent any more (D5).
    if (isDiscarded(entry)) this.#lastSent = versionOf(entry);
    return write;
  }

  /**
   * The held entry becomes pending: this member has gained the key, and others may not have it yet.
   * @param wasForgotten - a view with too few owners, since forgotten, may have written something newer to the store
   */
  inherit(assignment: Assignment, wasForgotten: boolean): PendingWrite {
    const entry = this.#entry;
    assert(this.#pending.length === 0 && entry !== undefined, "a member inherits what it held");
    assert(!this.#flushed && this.#flight === undefined, "a member that inherits a key did not serve it");
    const write = inherited(entry, assignment, wasForgotten);
    this.#store = storeUnseen;
    this.#entry = undefined;
    this.#pending.push(write);
    return write;
  }

  /**
   * The store has nothing newer than the inherited write, whose owners were forgotten. So it commits without the store,
   * if it has owners enough (V53).
   */
  askedStore(isShort: boolean): void {
    const write = this.#pending[0];
    assert(write?.inherited === true, "the store is asked for what is inherited");
    write.askedStore(isShort);
  }

  /**
   * The inherited write would go to the store first, as there are too few owners. It is held back for long, and so
   * commits without (V70).
   * @returns whether it may commit now
   */
  commitUnstored(entry: Entry): boolean {
    const write = this.#pending[0];
    return write?.entry === entry && write.commitUnstored();
  }

  /** This member's journal has the write. */
  journaled(write: PendingWrite): void {
    (write as Write).journaled = true;
  }

  /** An owner has acknowledged the write, in the adopted epoch. */
  acknowledged(write: PendingWrite, owner: string): void {
    (write as Write).acknowledged(owner);
  }

  /** By the hand-off, another owner has this version. @returns whether the write waits for it no more (V46) */
  ownerHas(version: Version, owner: string): boolean {
    return this.#pending[0]?.ownerHas(version, owner) ?? false;
  }

  /** The inherited write, if it is to be sent ahead of the hand-off now; undefined if there is none, or it was sent. */
  sendAhead(): PendingWrite | undefined {
    const first = this.#pending[0];
    return first?.sendAhead() === true ? first : undefined;
  }

  /**
   * A view was adopted, and this member goes on as the primary. Acknowledgements of older epochs count no more (W7).
   * @param sendsInherited - whether what is inherited is sent to all now, or the hand-off brings it (V46)
   */
  beginEpoch(others: readonly string[], isShort: boolean, sendsInherited = true): void {
    for (const write of this.#pending) write.beginEpoch(others, isShort, sendsInherited);
  }

  /** What the first pending write waits for. */
  get readiness(): Readiness {
    const first = this.#pending[0];
    if (!first?.isHeldByAll) return "waits";
    if (first.needsStore) return "needs_store";
    if (this.#pending.length > 1 && this.#pending.some(isNotYetFromStore)) return "waits"; // F9
    return "ready";
  }

  /** The first pending write becomes visible: its {@link readiness} has just been looked at. */
  commit(): PendingWrite {
    const write = this.#pending[0];
    assert(write?.isHeldByAll === true && !write.needsStore, "a write commits when it waits for nothing");
    this.#makeVisible(write);
    write.committed();
    return write;
  }

  /**
   * The first pending write, a reference, can never be completed. So the key's state is what the store has, and that is
   * what the reference stands for from now on (L6). Its writer is told `error`; for a discard, that it was done.
   */
  loseUpload(error: Error): void {
    const write = this.#pending[0];
    assert(write?.entry.upload !== undefined, "only an upload can be lost");
    this.#makeVisible(write);
    if (isDiscarded(write.entry)) write.committed();
    else write.lost(error);
  }

  /**
   * Without tenure nothing is pending. The newest write is held like any other entry, older ones are forgotten, and so
   * is all that was known of the store.
   */
  endTenure(error: Error): void {
    const writes = this.#pending.splice(0);
    const last = writes.at(-1);
    if (last) this.#replace(last.entry);
    this.#store = storeUnknown;
    this.#flushed = false;
    this.#unproven = false;
    this.#lastSent = undefined;
    this.#flight = undefined;
    this.attempted(undefined);
    this.release();
    for (const write of writes) write.lost(error);
  }

  /** Whether the store may lack the held entry. */
  get dirty(): boolean {
    return this.#entry !== undefined && (!this.#flushed || this.#unproven);
  }

  /** Whether the store is known to have the held entry, for good. */
  get stored(): boolean {
    return this.#flushed && !this.#unproven;
  }

  /** Whether a pending write waits for the store. */
  get needsStore(): boolean {
    return this.#pending.some((write) => write.needsStore);
  }

  /** What is known of the object. */
  get store(): StoreKnowledge {
    return this.#store;
  }

  /** Whether this very version is the newest that was sent to the store or seen there. */
  wasLastSent(version: Version): boolean {
    return this.#lastSent !== undefined && compareVersions(this.#lastSent, version) === 0;
  }

  get flight(): Flight | undefined {
    return this.#flight;
  }

  /** Attempts to flush that failed in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Why the last attempt failed; undefined if it did not. */
  get failure(): OperatingError | undefined {
    return this.#failure;
  }

  /** What the store needs next; undefined if nothing, or if an owner has to have it first. */
  get nextFlush(): FlushStep | undefined {
    const first = this.#pending[0];
    if (first?.needsStore && first.entry.upload) {
      return first.isHeldByAll ? { kind: "complete", entry: first.entry } : undefined; // L2
    }
    if (this.needsStore) {
      const through = writeThroughOf(this.#pending, (version) => this.#isOvertaken(version));
      return through && { kind: "write_through", entry: through.entry };
    }
    const entry = this.#entry;
    if (entry === undefined || !this.dirty || this.#isOvertaken(entry)) return undefined; // F7
    return { kind: this.#unproven ? "prove" : "write", entry };
  }

  /** Whether something newer is in the store, or on its way there: this version would take it back (F7). */
  #isOvertaken(version: Version): boolean {
    return this.#lastSent !== undefined && compareVersions(version, this.#lastSent) < 0;
  }

  /** A flush of this entry begins, of which one at a time is under way (F2). */
  takeOff(entry: Entry, now: Instant, unproven: boolean): Flight {
    assert(this.#flight === undefined, "a key has one flush at a time");
    assert(this.#scheduledAt === undefined, "a flush that begins has left the schedule");
    this.#flight = { record: this, entry, beganAt: now, unproven };
    return this.#flight;
  }

  /** The flush has ended. @returns false if the tenure ended before: then nothing that it learned counts any more. */
  land(flight: Flight): boolean {
    if (this.#flight !== flight) return false;
    this.#flight = undefined;
    return true;
  }

  /** The flight's entry is about to be sent to the store. */
  sent({ entry }: Flight): void {
    assert(entry.upload !== undefined || !this.#isOvertaken(entry), "nothing older than what was sent is sent");
    this.#lastSent = versionOf(entry);
  }

  /** What the object is, as far as is known now. */
  saw(store: StoreKnowledge): void {
    this.#store = store;
  }

  /** The store has this version, newer than the flight's entry. */
  sawNewer({ entry }: Flight, version: Version): void {
    assert(isNewer(version, entry), "only a newer version overtakes a flush");
    this.#lastSent = versionOf(version);
  }

  /** The store has the flight's entry: pending writes up to it need the store no more. @returns whether one did */
  arrived({ entry }: Flight): boolean {
    let through = false;
    for (const write of this.#pending) {
      if (compareVersions(write.entry, entry) > 0) break;
      through ||= write.needsStore;
      if (write.entry === entry && entry.upload && this.#store.kind === "present") write.tag = this.#store.tag;
      write.needsStore = false;
    }
    return through;
  }

  /** The store has the flight's entry. @returns whether that is the visible state. */
  storedVisible({ entry, unproven }: Flight): boolean {
    if (this.#entry !== entry) return false;
    this.#flushed = true;
    this.#unproven = unproven;
    return true;
  }

  /** The object was read back, once no other request could take effect any more (F11). */
  proved(isThere: boolean): void {
    assert(this.#flushed && this.#unproven, "only what was written through is read back");
    this.#unproven = false;
    this.#flushed = isThere;
  }

  /** The held entry is a reference that stands for what the store has. So the store has it. */
  isInStore(): void {
    assert(this.#entry?.upload !== undefined, "only a reference stands for what the store has");
    this.#flushed = true;
    this.#unproven = false;
  }

  /** A flush that began at `since` has landed. What the store lacks now is younger (F20). */
  renew(since: Instant): void {
    this.#dirtySince = since;
  }

  /** Until when an unknown request of a lost primary may take effect. A tenure without looks does not end it (F26). */
  get unknownUntil(): Instant {
    return this.#unknownUntil;
  }

  /** A lost primary may have left such a request, and it may take effect until this. */
  mayHaveUnknown(until: Instant): void {
    this.#unknownUntil = Math.max(this.#unknownUntil, until);
  }

  /** The object was looked at. Returns whether a request that nobody knows may still change it. */
  looked(now: Instant): boolean {
    const wasUnknown = this.#unknownUntil > now;
    this.#unknownUntil = Number.NEGATIVE_INFINITY;
    return wasUnknown;
  }

  /** An attempt to flush has ended: why it failed, or undefined. */
  attempted(failure: OperatingError | undefined): void {
    this.#failures = failure ? this.#failures + 1 : 0;
    this.#failure = failure;
  }

  /** When the queue looks at it next; undefined when it is not in the queue. */
  get scheduledAt(): Instant | undefined {
    return this.#scheduledAt;
  }

  /** Before this the queue need not look at it again: it failed, or must wait. */
  get notBefore(): Instant {
    return this.#notBefore;
  }

  /** Whether a client waits for the store to have it. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** A client waits for the store to have it. */
  await(): void {
    this.#isAwaited = true;
  }

  /** It is in the queue, for this moment; undefined: it has left the queue. */
  schedule(at: Instant | undefined): void {
    assert(at === undefined || !this.#flight, "a key is scheduled again when its flush has landed");
    this.#scheduledAt = at;
  }

  /** It must not be flushed before this. */
  holdBack(until: Instant): void {
    this.#notBefore = until;
  }

  /** A flush went well: nobody waits for that any more, and nothing holds it back. */
  release(): void {
    this.#isAwaited = false;
    this.#notBefore = Number.NEGATIVE_INFINITY;
  }

  #makeVisible(write: Write): void {
    assert(isNewer(write.entry, this.#entry), "writes commit in the order of their versions");
    this.#pending.shift();
    this.#replace(write.entry);
  }

  #replace(entry: Entry): void {
    this.#entry = entry;
    this.#flushed = false;
    this.#unproven = false;
  }
}
