/**
 * Keys and their states, for the tests of parts that go by them. Each state is reached by the steps by which a member
 * comes to it, so no test begins with one that no member ever has.
 */

import type { SliceSettings } from "../../src/base/slices.ts";
import { Admission } from "../../src/core/admission.ts";
import { type Entry, footprint, noHeaders, noRequest } from "../../src/core/entry.ts";
import type { Flight, KeyState } from "../../src/core/key-state.ts";
import type { Assignment, PendingWrite } from "../../src/core/pending-write.ts";
import { type HoldingLog, WriteBuffer } from "../../src/core/write-buffer.ts";
import type { MemberSettings } from "../../src/member/settings.ts";
import { ManualClock } from "./manual-clock.ts";

const noLog: HoldingLog = { append: () => undefined };

/** A buffer with more room than a test fills. */
export function roomyBuffer(clock = new ManualClock(), log = noLog): WriteBuffer {
  return new WriteBuffer(new Admission({ dirtyBytes: 1e9, refusedBytes: 1e9, waitMs: 500 }, clock), log);
}

/** The entry is held as by a replica, its room taken. */
export function hold(buffer: WriteBuffer, entry: Entry, now = 0): KeyState {
  const record = buffer.open(entry.key, now);
  buffer.admission.take(footprint(entry));
  buffer.hold(record, entry, now);
  return record;
}

/** At time 0, of a key that has no other owner and needs none. */
const plain: Assignment = { now: 0, others: [], isShort: false };

/** The entry is assigned as by its primary, its room taken. Not even the journal has it yet. */
export function assign(buffer: WriteBuffer, entry: Entry, change: Partial<Assignment> = {}): PendingWrite {
  const assignment = { ...plain, ...change };
  const record = buffer.open(entry.key, assignment.now);
  buffer.admission.takeForWrite(footprint(entry));
  return buffer.assign(record, entry, assignment);
}

/** The held entry becomes pending: the key was gained with a view. */
export function inherit(
  buffer: WriteBuffer,
  record: KeyState,
  change: Partial<Assignment> = {},
  wasForgotten = false,
): PendingWrite {
  return buffer.inherit(record, { ...plain, ...change }, wasForgotten);
}

/** The journal has the write, and so has each other owner. */
export function spread(record: KeyState, write: PendingWrite): void {
  record.journaled(write);
  for (const owner of write.missing) record.acknowledged(write, owner);
}

/** The entry is assigned, and visible at once: only the journal has to have it. */
export function commit(buffer: WriteBuffer, entry: Entry, now = 0): KeyState {
  const write = assign(buffer, entry, { now });
  const record = buffer.open(entry.key, now);
  spread(record, write);
  buffer.commit(record);
  return record;
}

/** The entry was held, came with the key, and is visible: the other owners have it, too. */
export function commitInherited(buffer: WriteBuffer, entry: Entry): KeyState {
  hold(buffer, entry);
  const record = buffer.open(entry.key, 0);
  spread(record, inherit(buffer, record));
  buffer.commit(record);
  return record;
}

/** A flush of the record's entry, or of one without a value, that began then and failed. */
export function flightOf(record: KeyState, beganAt = 0, holder?: string): Flight {
  const nothing = { key: record.key, value: undefined, headers: noHeaders, md5: "", modifiedMs: 0, size: 0 };
  const entry = record.entry ?? { ...nothing, epoch: 1, seq: 1, requestId: noRequest, holder };
  return { record, entry, beganAt, unproven: false };
}

/** A flush of the entry, which the store has taken; it has not landed. */
export function arrive(record: KeyState, entry: Entry, unproven = false): Flight {
  const flight = record.takeOff(entry, 0, unproven);
  record.sent(flight);
  record.saw({ kind: "present", tag: "t" });
  record.arrived(flight);
  record.storedVisible(flight);
  return flight;
}

/**
 * The store takes what is visible.
 * @param unproven - another request may take effect after that: it has to be read back
 */
export function storeVisible(record: KeyState, unproven = false): void {
  record.land(arrive(record, record.entry as Entry, unproven));
}

/** Everything is one slice. */
export const wholeSlices: SliceSettings = { items: Number.MAX_SAFE_INTEGER, pauseMs: 0 };

/** What no test names, each with a value at which nothing happens by itself. */
export function settingsOf(change: Partial<MemberSettings> = {}): MemberSettings {
  return {
    cluster: "test",
    replicas: 2,
    flushDeadlineMs: 10_000,
    lateEffectMs: 900_000,
    leaseMs: 1_000,
    suspectMs: 800,
    admission: { dirtyBytes: 1e9, refusedBytes: 1e9, waitMs: 500 },
    maxDirtyAgeMs: 0,
    journaled: false,
    cacheBytes: 0,
    maxValueBytes: 10,
    flush: {
      delayMs: 0,
      pace: { initialConcurrency: 1, maxConcurrency: 1 },
      backoff: { minMs: 100, maxMs: 100 },
    },
    large: {
      maxValueBytes: 100,
      uploads: 1,
      partBytes: 10,
      inFlightBytes: 100,
      leftoverMs: 3_600_000,
    },
    operationMs: 10_000,
    pingMs: 200,
    slices: wholeSlices,
    viewCheckMs: 60_000,
    stopMs: 60_000,
    ...change,
  };
}
