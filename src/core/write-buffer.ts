/**
 * The write buffer: every key of which this member holds something that the store may lack, with the bytes it takes. At the key's
 * primary the held entry is the committed, visible state, and writes that have not committed yet queue behind it; at a replica it is
 * the newest entry accepted. Nothing in here is ever evicted.
 */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import type { OperatingError } from "../base/errors.ts";
import type { Admission } from "./admission.ts";
import { type Entry, footprint } from "./entry.ts";
import { compareVersions, type Version, versionOf } from "./version.ts";

/** What this member knows of the key's object in the store, since its tenure began. */
export type StoreKnowledge =
  | { readonly kind: "unknown" }
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly tag: string };

export const storeUnknown: StoreKnowledge = Object.freeze({ kind: "unknown" });
export const storeAbsent: StoreKnowledge = Object.freeze({ kind: "absent" });

/** A write that the primary has assigned and that has not committed. */
export interface PendingWrite {
  readonly entry: Entry;
  readonly assignedAt: Instant;
  /** Taken over with the key, from what the members of earlier views held: it is visible once every owner has it. */
  readonly inherited: boolean;
  /** Found in the store, where whoever reads there sees it: nothing older may become visible without it. */
  readonly fromStore: boolean;
  /** Whether it is in this member's own journal. */
  journaled: boolean;
  /** Owners whose acknowledgement in the adopted epoch is missing. */
  missing: readonly string[];
  /** Whether the store must have it before it commits: there are too few owners. */
  needsStore: boolean;
  /** The store's tag of an upload that it has completed; empty before, and for other writes. */
  tag: string;
  /** Resolves when it has committed; rejects when this member lost its tenure before that, or the store an upload. */
  readonly outcome: Promise<Committed>;
  readonly settle: { readonly committed: (outcome: Committed) => void; readonly lost: (error: Error) => void };
}

export interface Committed extends Version {
  /** See {@link PendingWrite.tag}. */
  readonly tag: string;
}

/** Whether this member's journal and every other owner have the write: what else it needs, it needs of the store. */
export function isHeldByAll({ journaled, missing }: PendingWrite): boolean {
  return journaled && missing.length === 0;
}

/** A write at its beginning. It counts as being in this member's journal until the caller says otherwise. */
export function pendingWrite(
  entry: Entry,
  parts: {
    readonly now: Instant;
    readonly missing: readonly string[];
    readonly needsStore: boolean;
    readonly inherited?: boolean;
    readonly fromStore?: boolean;
  },
): PendingWrite {
  const { promise: outcome, resolve: committed, reject: lost } = Promise.withResolvers<Committed>();
  const { now: assignedAt, missing, needsStore, inherited = false, fromStore = false } = parts;
  const settle = { committed, lost };
  return { entry, assignedAt, inherited, fromStore, journaled: true, missing, needsStore, tag: "", outcome, settle };
}

export class KeyRecord {
  readonly key: string;
  entry: Entry | undefined = undefined;
  /** Ascending by version; empty wherever this member is not, and is not about to be, the active primary. */
  readonly pending: PendingWrite[] = [];
  store: StoreKnowledge = storeUnknown;
  /** Whether the store is known to hold the entry's version. */
  flushed = false;
  /** Whether the store must be read once more before `flushed` can be believed: it was written before other requests were ruled out. */
  unproven = false;
  /** When the flush schedule looks at it next. */
  scheduledAt: Instant | undefined = undefined;
  /** Whether somebody waits for the store to have it. */
  isAwaited = false;
  /** Before this the schedule need not look at it again: it failed, or must wait. */
  notBefore: Instant = Number.NEGATIVE_INFINITY;
  /** The newest version that was sent to the store or seen there: an older one is never sent. */
  lastSent: Version | undefined = undefined;
  /** Names the flush under way; undefined when there is none. */
  flight: object | undefined = undefined;
  /** Attempts to flush that failed in a row, and why the last one did. */
  failures = 0;
  failure: OperatingError | undefined = undefined;
  /** Since when it has been dirty. */
  dirtySince: Instant;

  constructor(key: string, dirtySince: Instant) {
    this.key = key;
    this.dirtySince = dirtySince;
  }

  /** The newest state assigned, committed or not. */
  get newest(): Entry | undefined {
    return this.pending.at(-1)?.entry ?? this.entry;
  }

  /** Whether a newer state, not committed yet, is in the store already or on its way: this one would take it back. */
  isOvertaken(version: Version): boolean {
    return this.lastSent !== undefined && compareVersions(version, this.lastSent) < 0;
  }

  /**
   * Of the writes that all owners have, the newest that needs the store. If a newer one was sent there already, under a view that has changed since, that one, or one newer still: what is
   * older is not sent any more.
   */
  get writeThrough(): PendingWrite | undefined {
    const needed = this.pending.findLast((write) => write.needsStore && isHeldByAll(write));
    if (!needed || !this.isOvertaken(needed.entry)) return needed;
    return this.pending.findLast(
      (write) => isHeldByAll(write) && !write.entry.upload && !this.isOvertaken(write.entry),
    );
  }

  /** Whether the store may lack the held entry. */
  get dirty(): boolean {
    return this.entry !== undefined && (!this.flushed || this.unproven);
  }
}

/** Where the buffer says what it holds and what it holds no more; see `journal/journal.ts`. */
export interface HoldingLog {
  append(record: HeldRecord | CleanRecord): void;
}

interface HeldRecord {
  readonly kind: "entry";
  readonly entry: Entry;
}

interface CleanRecord {
  readonly kind: "clean";
  readonly key: string;
  readonly version: Version;
}

export class WriteBuffer {
  readonly #records = new Map<string, KeyRecord>();
  readonly #log: HoldingLog;
  readonly admission: Admission;

  constructor(admission: Admission, log: HoldingLog) {
    this.admission = admission;
    this.#log = log;
  }

  get size(): number {
    return this.#records.size;
  }

  get(key: string): KeyRecord | undefined {
    return this.#records.get(key);
  }

  /** Every record, in the order in which they became dirty. Records may be removed while it runs. */
  records(): IterableIterator<KeyRecord> {
    return this.#records.values();
  }

  /** The key's record, made if there is none. */
  open(key: string, now: Instant): KeyRecord {
    let record = this.#records.get(key);
    if (!record) {
      record = new KeyRecord(key, now);
      this.#records.set(key, record);
    } else if (!record.dirty && record.pending.length === 0) {
      record.dirtySince = now;
    }
    return record;
  }

  /** Appends an assigned write, for which a write's room was taken. */
  assign(record: KeyRecord, write: PendingWrite): void {
    assert(isNewer(write.entry, record.newest), "versions of a key only grow");
    record.pending.push(write);
    this.#log.append({ kind: "entry", entry: write.entry });
  }

  /** The held entry becomes the first pending write: this member has gained the key, and others may not have it yet. */
  inherit(record: KeyRecord, write: PendingWrite): void {
    assert(record.pending.length === 0 && record.entry === write.entry, "what is inherited was held");
    record.entry = undefined;
    record.pending.push(write);
    this.admission.uncommit(footprint(write.entry));
  }

  /** The first pending write becomes the visible state. */
  commit(record: KeyRecord): PendingWrite {
    const write = record.pending.shift();
    assert(write !== undefined, "a write is pending until it commits");
    this.admission.committed(footprint(write.entry));
    this.#replace(record, write.entry);
    return write;
  }

  /** Holds an entry, for which room was taken, in place of an older one. */
  hold(record: KeyRecord, entry: Entry): void {
    assert(record.pending.length === 0, "who has assigned writes holds the newest entry");
    assert(isNewer(entry, record.entry), "only a newer entry is held in place of another");
    this.#replace(record, entry);
    this.#log.append({ kind: "entry", entry });
  }

  /** Holds an entry that an earlier process on the same data folder, or an earlier life of this one, held: the log has it. */
  recover(entry: Entry, now: Instant): void {
    assert(this.#records.get(entry.key) === undefined, "the newest entry of each key is recovered");
    this.admission.take(footprint(entry));
    this.#replace(this.open(entry.key, now), entry);
  }

  /** Without tenure nothing is pending that this member has assigned: the newest write is held like any other entry, older ones are forgotten. */
  endTenure(record: KeyRecord, error: Error): void {
    const writes = record.pending.splice(0);
    const last = writes.at(-1);
    if (last) {
      for (const write of writes) {
        if (write === last) this.admission.committed(footprint(write.entry));
        else this.admission.giveBack(footprint(write.entry));
      }
      this.#replace(record, last.entry);
    }
    record.store = storeUnknown;
    record.flushed = false;
    record.unproven = false;
    record.lastSent = undefined;
    record.isAwaited = false;
    record.notBefore = Number.NEGATIVE_INFINITY;
    record.flight = undefined;
    record.failures = 0;
    record.failure = undefined;
    for (const write of writes) write.settle.lost(error);
  }

  /** Forgets what is held of a key; nothing of it may be pending. */
  drop(record: KeyRecord): void {
    assert(record.pending.length === 0, "a pending write is never dropped");
    assert(this.#records.get(record.key) === record, "a record is dropped once");
    const { key, entry } = record;
    this.#records.delete(key);
    if (!entry) return;
    this.admission.give(footprint(entry));
    record.entry = undefined;
    this.#log.append({ kind: "clean", key, version: versionOf(entry) });
  }

  #replace(record: KeyRecord, entry: Entry): void {
    if (record.entry) this.admission.give(footprint(record.entry));
    record.entry = entry;
    record.flushed = false;
    record.unproven = false;
  }
}

export function isNewer(version: Version, than: Version | undefined): boolean {
  return than === undefined || compareVersions(version, than) > 0;
}
