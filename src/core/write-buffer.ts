/**
 * The write buffer: every key of which this member holds something that the store may lack, and the bytes that it
 * takes. At the key's primary the held entry is the committed, visible state, and writes that have not committed yet
 * queue behind it. At a replica it is the newest entry accepted. Nothing in here is ever evicted.
 *
 * What a key's state is, and how it changes, is in `key-state.ts`. The steps by which entries come and go are taken
 * here: each counts their bytes, and tells the log.
 */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import { PartedMap } from "../base/parted-map.ts";
import type { Admission } from "./admission.ts";
import { type Entry, footprint } from "./entry.ts";
import { KeyState } from "./key-state.ts";
import type { Assignment, PendingWrite } from "./pending-write.ts";
import { type Version, versionOf } from "./version.ts";

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
  readonly #records = new PartedMap<KeyState>();
  readonly #log: HoldingLog;
  readonly admission: Admission;

  constructor(admission: Admission, log: HoldingLog) {
    this.admission = admission;
    this.#log = log;
  }

  get size(): number {
    return this.#records.size;
  }

  get(key: string): KeyState | undefined {
    return this.#records.get(key);
  }

  /** Every record. They may come and go while it runs; see {@link PartedMap.values}. */
  records(): IterableIterator<KeyState> {
    return this.#records.values();
  }

  /** The key's record, made if there is none. */
  open(key: string, now: Instant): KeyState {
    let record = this.#records.get(key);
    if (record) record.reopen(now);
    else {
      record = new KeyState(key, now);
      this.#records.set(key, record);
    }
    return record;
  }

  /** Appends an assigned write, for which a write's room was taken. */
  assign(record: KeyState, entry: Entry, assignment: Assignment): PendingWrite {
    const write = record.assign(entry, assignment);
    this.#log.append({ kind: "entry", entry });
    return write;
  }

  /** The held entry becomes the first pending write; see {@link KeyState.inherit}. */
  inherit(record: KeyState, assignment: Assignment, wasForgotten: boolean): PendingWrite {
    const write = record.inherit(assignment, wasForgotten);
    this.admission.uncommit(footprint(write.entry));
    return write;
  }

  /** The first pending write becomes the visible state. */
  commit(record: KeyState): PendingWrite {
    this.#countVisible(record);
    return record.commit();
  }

  /** The first pending write, a reference, becomes "what the store has"; see {@link KeyState.loseUpload}. */
  loseUpload(record: KeyState, error: Error): void {
    this.#countVisible(record);
    record.loseUpload(error);
  }

  /** Holds an entry, for which room was taken, in place of an older one. */
  hold(record: KeyState, entry: Entry, now: Instant): void {
    const before = record.entry;
    record.hold(entry, now);
    this.#giveRoomOf(before);
    this.#log.append({ kind: "entry", entry });
  }

  /** Holds an entry that an earlier process or life on the same data folder held: the log has it. */
  recover(entry: Entry, now: Instant): void {
    assert(this.#records.get(entry.key) === undefined, "the newest entry of each key is recovered");
    this.admission.take(footprint(entry));
    this.open(entry.key, now).hold(entry, now);
  }

  /** The tenure of the key ends; see {@link KeyState.endTenure} (V35). */
  endTenure(record: KeyState, error: Error): void {
    const { pending, entry: before } = record;
    const last = pending.at(-1);
    for (const write of pending) {
      if (write === last) this.admission.committed(footprint(write.entry));
      else this.admission.giveBack(footprint(write.entry));
    }
    if (last) this.#giveRoomOf(before);
    record.endTenure(error);
    assert(record.pending.length === 0, "nothing is pending without tenure");
  }

  /** Forgets what is held of a key; nothing of it may be pending (J3). */
  remove(record: KeyState): void {
    assert(this.#records.get(record.key) === record, "a record is removed once");
    const { key, entry } = record;
    record.remove();
    this.#records.delete(key);
    if (!entry) return;
    this.#giveRoomOf(entry);
    this.#log.append({ kind: "clean", key, version: versionOf(entry) });
  }

  /** The first pending write is about to take the place of the visible state. */
  #countVisible({ pending, entry }: KeyState): void {
    const first = pending[0];
    assert(first !== undefined, "a write is pending until it is visible");
    this.admission.committed(footprint(first.entry));
    this.#giveRoomOf(entry);
  }

  #giveRoomOf(entry: Entry | undefined): void {
    if (entry) this.admission.give(footprint(entry));
  }
}
