/**
 * Flushing: each key's committed state flows to the store, by one conditional request at a time, for as long as it takes. Only a
 * primary with tenure flushes, and the object never goes back to an older state: a request whose outcome is unknown blocks other versions of its
 * key until it cannot take effect any more, and what was gained with a new tenure waits until no predecessor's request can.
 *
 * A write-through (too few owners, so the store must have the value before the client hears of it) waits for none of that; what it wrote is
 * read back once the waits are over.
 */

import { Alarm } from "../../base/alarm.ts";
import type { Instant } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Backlog } from "../../core/backlog.ts";
import { isDiscarded } from "../../core/discarded.ts";
import type { Entry } from "../../core/entry.ts";
import { backoffMs, DueQueue, Pace } from "../../core/flush-schedule.ts";
import { OpenRequests } from "../../core/open-requests.ts";
import { StoreHealth } from "../../core/store-health.ts";
import { compareVersions, type Version } from "../../core/version.ts";
import { isHeldByAll, type KeyRecord, storeAbsent } from "../../core/write-buffer.ts";
import { type Flight, FlightRequests } from "./flight.ts";
import { conflictLimit, type FlusherParts, hurryFullness, leadOf, noLeasePauseMs } from "./flusher-parts.ts";
import { StoreLook } from "./store-look.ts";

export class Flusher {
  readonly #parts: FlusherParts;
  readonly #schedule = new DueQueue<KeyRecord>(
    ({ item, at }) => item.scheduledAt === at && this.#parts.buffer.get(item.key) === item,
  );
  readonly #pace: Pace;
  readonly #flights = new Set<Flight>();
  readonly #open = new OpenRequests();
  readonly #requests: FlightRequests;
  readonly #look: StoreLook;
  readonly #alarm: Alarm;
  /** How the store treats flushes. */
  readonly health = new StoreHealth();
  #hurrying = false;
  #stopped = false;

  constructor(parts: FlusherParts) {
    this.#parts = parts;
    const { membership, store, settings, observer } = parts;
    this.#pace = new Pace(settings.pace);
    this.#look = new StoreLook({
      membership,
      store,
      maxValueBytes: settings.maxValueBytes,
      onFoundNewer: (record, entry) => observer.onFoundNewer(record, entry),
    });
    this.#requests = new FlightRequests({ ...parts, open: this.#open, isStopped: () => this.#stopped });
    this.#alarm = new Alarm(parts.clock, () => this.#pump());
  }

  /** What is to be flushed. */
  get backlog(): Backlog {
    return this.#parts.backlog;
  }

  /** Flushes under way, and how many there may be at the store's present pace. */
  get underWay(): number {
    return this.#flights.size;
  }

  get concurrency(): number {
    return this.#pace.concurrency;
  }

  /** Whether no request to the store can be under way, of this member or of any that had its keys before. */
  get idle(): boolean {
    const now = this.#parts.clock.now();
    this.#open.forgetClosed(now);
    return this.#flights.size === 0 && this.#open.size === 0 && !this.#parts.membership.waitsToFlush(now);
  }

  /** What this member says of itself in `MemberState.quiet`. */
  get quiet(): boolean {
    const { membership, clock } = this.#parts;
    if (this.idle) return true;
    const now = clock.now();
    if (this.#flights.size === 0 && this.#open.size === 0) return false;
    // In a settled view hardly anybody asks any more: the cheap answer is on the safe side.
    if (membership.settled || membership.waitsToFlush(now)) return false;
    const served = (key: string): boolean => membership.serves(key, membership.ownersOf(key));
    for (const { record } of this.#flights) if (!served(record.key)) return false;
    for (const key of this.#open.keys()) if (!served(key)) return false;
    return true;
  }

  /** The record has something to flush: later, so that overwrites coalesce. */
  schedule(record: KeyRecord): void {
    if (record.entry && isDiscarded(record.entry)) {
      record.flushed = true;
      this.#isInStore(record);
      return;
    }
    this.backlog.add(record);
    const { buffer, clock, settings, isAwaited, isLate } = this.#parts;
    record.isAwaited ||= isAwaited(record.key);
    const hurry = this.#hurrying || record.isAwaited || buffer.admission.fullness >= hurryFullness || isLate();
    const delayMs = hurry ? -leadOf(record, isLate) : settings.delayMs;
    this.#lookAt(record, Math.max(clock.now() + delayMs, record.notBefore));
  }

  /** Somebody waits for the store to have what is to be flushed of the record. */
  urge(record: KeyRecord): void {
    record.isAwaited = true;
    this.hasten(record);
  }

  /** The store must have it before it is visible. */
  hasten(record: KeyRecord): void {
    record.isAwaited ||= record.pending.some((write) => write.needsStore && !write.inherited);
    const now = this.#parts.clock.now();
    // One that has failed has its pause, and one that must wait is looked at then; but a write-through waits for nothing.
    const isThrough = record.pending.some((write) => write.needsStore && !write.entry.upload);
    const waits = record.scheduledAt !== undefined && (record.failures > 0 || (record.notBefore > now && !isThrough));
    if (!waits) this.#lookAt(record, now - leadOf(record, this.#parts.isLate));
  }

  /** What waits now, to coalesce or after a failure, waits no longer. */
  flushNow(): void {
    const now = this.#parts.clock.now();
    for (const record of this.backlog.records()) this.#lookAt(record, now);
  }

  /** From now on nothing waits to coalesce: the member is stopping. */
  hurry(): void {
    this.#hurrying = true;
    const now = this.#parts.clock.now();
    for (const record of this.#parts.buffer.records())
      if (record.dirty) this.#lookAt(record, Math.max(now, record.notBefore));
  }

  /** Whether a request to the store, of this member or of a predecessor, may still change the object of a key that it serves. */
  mayChange({ key, flight }: KeyRecord): boolean {
    const now = this.#parts.clock.now();
    const flushFrom = this.#parts.membership.flushFrom(key);
    const waits = flushFrom === undefined || flushFrom > now;
    return flight !== undefined || waits || this.#open.otherUntil(key, undefined, now) !== undefined;
  }

  /** The record is about to lose its tenure: another member will flush it. */
  forget(record: KeyRecord): void {
    this.backlog.remove(record);
    if (this.backlog.failingCount === 0) this.health.forgive();
  }

  stop(): void {
    this.#stopped = true;
    this.#alarm.stop();
  }

  /** Puts the record into the schedule, unless it is under way (it is looked at again when it lands) or due sooner already. */
  #lookAt(record: KeyRecord, at: Instant): void {
    if (record.flight !== undefined) return;
    if (record.scheduledAt !== undefined && record.scheduledAt <= at) return;
    record.scheduledAt = at;
    this.#schedule.add(record, at);
    this.#pump();
  }

  /** Starts what is due, as far as the pace allows, and sets the timer for what is next. */
  #pump(): void {
    const { clock, membership } = this.#parts;
    if (this.#stopped) return;
    const now = clock.now();
    while (this.#flights.size < this.#pace.concurrency) {
      const at = this.#schedule.nextAt;
      if (at === undefined) return;
      // Without a lease all that is due keeps its place: looked at again at one moment, what somebody waits for would be one of many.
      const from = membership.lease.held() ? at : Math.max(at, now + noLeasePauseMs);
      if (from > now) {
        this.#alarm.set(from);
        return;
      }
      const due = this.#schedule.take();
      if (due.item.scheduledAt !== due.at) continue; // it was moved forward, and looked at then
      due.item.scheduledAt = undefined;
      this.#start(due.item, now);
    }
  }

  /** Decides what the record needs now: nothing, to wait, or a request. */
  #start(record: KeyRecord, now: Instant): void {
    const { membership, buffer } = this.#parts;
    if (record.flight !== undefined || buffer.get(record.key) !== record) return;
    const flushFrom = membership.flushFrom(record.key);
    if (flushFrom === undefined) return;

    const first = record.pending[0];
    if (first?.needsStore && first.entry.upload) {
      // It can be completed once only: nothing may come over it that is on its way.
      if (isHeldByAll(first) && !this.#mustWait(record, first.entry, flushFrom, now)) this.#fly(record, first.entry);
      return;
    }
    if (record.pending.some((write) => write.needsStore)) {
      // Not before all owners have it: whoever takes over must know what it finds in the store, and which request that was.
      const through = record.writeThrough;
      if (through) this.#fly(record, through.entry);
      return;
    }
    const { entry } = record;
    if (!record.dirty || !entry || record.isOvertaken(entry)) return;
    if (this.#mustWait(record, record.unproven ? undefined : entry, flushFrom, now)) return;
    if (record.unproven) this.#fly(record, entry, (flight) => this.#prove(flight));
    else this.#fly(record, entry);
  }

  /** Whether requests for other versions (for any, if none is given) can still take effect: then it is looked at again when they can't. */
  #mustWait(record: KeyRecord, version: Version | undefined, flushFrom: Instant, now: Instant): boolean {
    this.#open.forgetClosed(now);
    const from = Math.max(flushFrom, this.#open.otherUntil(record.key, version, now) ?? flushFrom);
    if (from <= now) return false;
    record.notBefore = from;
    // Not by #lookAt: this runs for each of many records that are due, and #pump goes on by itself.
    record.scheduledAt = from;
    this.#schedule.add(record, from);
    return true;
  }

  /** Runs one flush of the record, and looks at the record again when it has landed, unless the tenure ended meanwhile. */
  #fly(record: KeyRecord, entry: Entry, act?: (flight: Flight) => Promise<void>): void {
    const beganAt = this.#parts.clock.now();
    const flushFrom = this.#parts.membership.flushFrom(record.key) ?? Number.POSITIVE_INFINITY;
    const unproven = flushFrom > beganAt || this.#open.otherUntil(record.key, entry, beganAt) !== undefined;
    const flight: Flight = { record, entry, beganAt, unproven };
    record.flight = flight;
    this.#flights.add(flight);
    const { flushes } = this.#parts.metrics;
    flushes.begun++;
    if (record.failures > 0) flushes.repeated++;
    const land = (): boolean => {
      this.#flights.delete(flight);
      if (record.flight !== flight) return false;
      record.flight = undefined;
      return true;
    };
    const acted = act?.(flight) ?? (entry.upload ? this.#complete(flight) : this.#write(flight));
    acted.then(
      () => {
        if (land()) this.#landed(record);
        this.#pump();
      },
      (error: unknown) => {
        if (land()) this.#failed(record, error);
        this.#pump();
      },
    );
  }

  #landed(record: KeyRecord): void {
    this.#pace.succeeded();
    this.health.worked(this.#parts.clock.now());
    this.backlog.recovered(record);
    record.isAwaited = false;
    record.notBefore = Number.NEGATIVE_INFINITY;
    if (record.pending.some((write) => write.needsStore)) this.hasten(record);
    else if (record.dirty) this.schedule(record);
  }

  #failed(record: KeyRecord, error: unknown): void {
    const { clock, random, settings, complaints, membership } = this.#parts;
    if (!isOperatingError(error)) throw error;
    if (error.code === "not_ready") {
      const at = clock.now() + (membership.lease.held() ? noLeasePauseMs : -leadOf(record, this.#parts.isLate));
      this.#lookAt(record, at);
      return;
    }
    this.#parts.metrics.flushFailed(error.code);
    this.backlog.failed(record, error);
    this.health.failed(clock.now());
    if (error.code === "store_throttled") this.#pace.throttled(this.#flights.size);
    else this.#pace.failed();
    complaints.warn("flush", "flushing fails and will be tried again", {
      failingKeys: this.backlog.failingCount,
      key: record.key,
      error,
    });
    record.notBefore = clock.now() + backoffMs(settings.backoff, record.failures, random.next());
    this.#lookAt(record, record.notBefore);
  }

  /** Sends the entry to the store under the condition that nobody else has written; on a conflict finds out what is there. */
  async #write(flight: Flight): Promise<void> {
    const { record, entry } = flight;
    for (let conflicts = 0; conflicts < conflictLimit; conflicts++) {
      const result = await this.#requests.send(flight);
      if (record.flight !== flight) return;
      if (result.kind === "written") {
        record.store = entry.value === undefined ? storeAbsent : { kind: "present", tag: result.tag };
        this.#arrived(flight);
        return;
      }
      const found = await this.#lookAtStore(flight);
      if (record.flight !== flight) return;
      if (found === "same") {
        this.#arrived(flight);
        return;
      }
      if (found === "newer") return;
    }
    throw new OperatingError("store_unavailable", "another writer keeps changing the object");
  }

  /** Has the store make the upload the key's object, unless it has already. A primary that inherited the reference does not know whether it has. */
  async #complete(flight: Flight): Promise<void> {
    const { record } = flight;
    for (let conflicts = 0; conflicts < conflictLimit; conflicts++) {
      let found = await this.#lookAtStore(flight);
      if (record.flight !== flight) return;
      const result = found === "older" ? await this.#requests.complete(flight) : undefined;
      if (record.flight !== flight) return;
      if (result?.kind === "written") {
        record.store = { kind: "present", tag: result.tag };
        found = "same";
      }
      let isLost = found === "newer";
      if (result?.kind === "gone" || result?.kind === "refused") {
        // An earlier request may have completed it, or do so yet. That would be no other write's loss, but its client must not be told that nothing was stored.
        isLost = this.#open.otherUntil(record.key, undefined, this.#parts.clock.now()) === undefined;
        found = await this.#lookAtStore(flight);
        if (record.flight !== flight) return;
        isLost &&= found !== "same";
        if (!isLost && found !== "same") throw new OperatingError("store_unavailable", "the upload is gone");
      }
      if (found === "same") this.#arrived(flight);
      else if (isLost) this.#lost(flight, result?.kind === "refused" ? result.error : undefined);
      else continue;
      return;
    }
    throw new OperatingError("store_unavailable", "another writer keeps changing the object");
  }

  /** The upload can never be completed: the write has not been done, and the key's state is what the store has. */
  #lost({ record, entry }: Flight, refusal: OperatingError | undefined): void {
    const { observer, complaints, metrics } = this.#parts;
    const { key } = record;
    if (refusal) {
      metrics.flushFailed(refusal.code);
      complaints.warn("upload", "the store refuses a large value, which is given up", { key, error: refusal });
    }
    if (record.pending[0]?.entry === entry) observer.onUploadLost(record, refusal);
    if (record.entry !== entry) return;
    record.flushed = true;
    this.#isInStore(record);
  }

  /** After a write-through, once no other request can take effect any more: is it still there? If not, it is flushed again. */
  async #prove(flight: Flight): Promise<void> {
    const { record, entry } = flight;
    const found = await this.#lookAtStore(flight);
    if (record.flight !== flight || record.entry !== entry || found === "newer") return;
    record.unproven = false;
    record.flushed = found === "same";
    if (!record.flushed) return;
    this.#parts.observer.onStored(record.key, entry);
    this.#isInStore(record);
  }

  #lookAtStore(flight: Flight): Promise<"older" | "same" | "newer"> {
    const { record, entry } = flight;
    return this.#look.at({ record, entry, isCurrent: () => record.flight === flight });
  }

  /** The store holds what is visible of the record, for good. */
  #isInStore(record: KeyRecord): void {
    this.backlog.remove(record);
    this.#parts.observer.onFlushed(record);
  }

  /** The store holds the flight's entry. */
  #arrived({ record, entry, beganAt, unproven }: Flight): void {
    const { clock, metrics, observer } = this.#parts;
    let through = false;
    for (const write of record.pending) {
      if (compareVersions(write.entry, entry) > 0) break;
      through ||= write.needsStore;
      if (write.entry === entry && entry.upload && record.store.kind === "present") write.tag = record.store.tag;
      write.needsStore = false;
    }
    if (through) observer.onWrittenThrough(record);
    if (!unproven) observer.onStored(record.key, entry);
    metrics.flushLag.observeMs(clock.now() - record.dirtySince);
    if (record.entry !== entry) {
      // There is a newer state, or the write-through waits for an earlier one.
      if (record.dirty) this.backlog.renew(record, beganAt);
      return;
    }
    record.flushed = true;
    record.unproven = unproven;
    if (!unproven) this.#isInStore(record);
  }
}
