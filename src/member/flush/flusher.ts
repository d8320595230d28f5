/**
 * Flushing: each key's committed state flows to the store, by one conditional request at a time, for as long as it
 * takes. Only a primary with tenure flushes (F1), and the object never goes back to an older state. So a request whose
 * outcome is unknown blocks other versions of its key until it cannot take effect any more (F3), and what was gained
 * with a new tenure waits until no predecessor's request can (F5).
 *
 * A write-through waits for none of that: too few members own the key, so the store must have the value before the
 * client hears of it. What was written through is read back once the waits are over (F11).
 *
 * What a key needs next is the key's own affair (`KeyState.nextFlush`). This is how it gets it.
 */

import { Alarm } from "../../base/alarm.ts";
import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Backlog } from "../../core/backlog.ts";
import { isDiscarded } from "../../core/discarded.ts";
import { type Entry, isTombstone } from "../../core/entry.ts";
import { Pace } from "../../core/flush-schedule.ts";
import { type Flight, type FlushStep, type KeyState, type StoreKnowledge, storeAbsent } from "../../core/key-state.ts";
import { OpenRequests } from "../../core/open-requests.ts";
import type { StoreHealth } from "../../core/store-health.ts";
import { isParted } from "../../core/upload-token.ts";
import { vainCondition, vainLimit } from "../../core/vain-conditions.ts";
import type { WriteResult } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { Assigner } from "../keys/assigner.ts";
import type { Committer } from "../keys/committer.ts";
import type { StoredWaits } from "../keys/durable-writes.ts";
import { FirstLooks } from "./first-looks.ts";
import { type AnnouncedRequests, FlightRequests, type HeededConditions } from "./flight.ts";
import type { FlushQueue } from "./flush-queue.ts";
import { fullUntil, LateHold } from "./late-hold.ts";
import { Retries } from "./retries.ts";
import { StoreLook } from "./store-look.ts";

/**
 * Conflicts in a row, of one flush, before it pauses as after any failure: another writer keeps changing the object.
 */
const conflictLimit = 4;

/** Keys that are looked at in one turn of the event loop, at most. */
const looksPerTurn = 1_000;

/** What a request would come to that must not be sent before the object was seen. */
const unseen: WriteResult = { kind: "conflict" };

/** How soon to look again while this member may answer for no key, in milliseconds. */
const noAnswerPauseMs = 100;

type FlusherContext = ContextOf<
  "membership" | "buffer" | "store" | "clock" | "random" | "complaints" | "metrics" | "settings" | "late"
>;

export interface FlusherParts {
  readonly queue: FlushQueue;
  /** How the store treats flushes. */
  readonly health: StoreHealth;
  readonly committer: Pick<Committer, "commitReady" | "loseUpload">;
  readonly assigner: Pick<Assigner, "takeOver">;
  readonly waits: Pick<StoredWaits, "stored">;
  readonly notices: AnnouncedRequests;
  readonly heeds: HeededConditions;
}

export class Flusher {
  readonly #context: FlusherContext;
  readonly #parts: FlusherParts;
  readonly #pace: Pace;
  readonly #flights = new Set<Flight>();
  readonly #open = new OpenRequests();
  readonly #requests: FlightRequests;
  readonly #look: StoreLook;
  readonly #firstLooks: FirstLooks;
  readonly #hold: LateHold;
  readonly #retries: Retries;
  readonly #alarm: Alarm;
  #failedAt: Instant = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #isPaused = false;
  #isResting = false;

  constructor(context: FlusherContext, parts: FlusherParts) {
    this.#context = context;
    this.#parts = parts;
    this.#pace = new Pace(context.settings.flush.pace);
    this.#retries = new Retries(context, parts.queue);
    this.#look = new StoreLook(context, parts.assigner);
    this.#firstLooks = new FirstLooks(context);
    this.#hold = new LateHold(context, parts.notices);
    this.#requests = new FlightRequests(context, this.#open, parts.heeds, parts.notices);
    this.#alarm = new Alarm(context.clock, () => {
      this.#isResting = false;
      this.#pump();
    });
    parts.queue.onDue = () => this.#pump();
  }

  /** What is to be flushed, and when. */
  get queue(): FlushQueue {
    return this.#parts.queue;
  }

  get backlog(): Backlog {
    return this.queue.backlog;
  }

  /** How the store treats flushes. */
  get health(): StoreHealth {
    return this.#parts.health;
  }

  /** The flushes under way. */
  get flights(): ReadonlySet<Flight> {
    return this.#flights;
  }

  /**
   * For how long no flush has ended although at least one is under way, in milliseconds. A store that hangs fails
   * nothing before F is over.
   */
  silentMs(now: Instant): number {
    const [oldest] = this.#flights;
    return oldest === undefined ? 0 : now - Math.max(oldest.beganAt, this.health.workedAt, this.#failedAt);
  }

  /** Keys of which requests without an answer may still change the object. */
  get lateKeys(): number {
    return this.#context.late.count(this.#context.clock.now());
  }

  /** How many flushes there may be at the store's present pace. */
  get concurrency(): number {
    return this.#pace.concurrency;
  }

  /** Whether no request to the store can be under way, of this member or of any that had its keys before. */
  get idle(): boolean {
    const now = this.#context.clock.now();
    this.#open.forgetClosed(now);
    return this.#flights.size === 0 && this.#open.size === 0 && !this.#context.membership.waitsToFlush(now);
  }

  /** What this member says of itself in `MemberState.quiet` (F6). */
  get quiet(): boolean {
    const { membership, clock } = this.#context;
    if (this.idle) return true;
    const now = clock.now();
    if (this.#flights.size === 0 && this.#open.size === 0) return false;
    // In a settled view hardly any member asks any more: the cheap answer is on the safe side.
    if (membership.settled || membership.waitsToFlush(now)) return false;
    const served = (key: string): boolean => membership.serves(key, membership.ownersOf(key));
    for (const { record } of this.#flights) if (!served(record.key)) return false;
    for (const key of this.#open.keys()) if (!served(key)) return false;
    return true;
  }

  /**
   * Whether a request to the store, of this member or of a predecessor, may still change the object of a key served
   * here.
   */
  mayChange({ key, flight }: KeyState): boolean {
    const now = this.#context.clock.now();
    const flushFrom = this.#context.membership.flushFrom(key);
    const waits = flushFrom === undefined || flushFrom > now;
    if (flight !== undefined || waits || this.#context.late.mayChange(key, now)) return true;
    return this.#open.otherUntil(key, undefined, now) !== undefined;
  }

  /** This member has gained the key with a state that the store may lack (F26). */
  gained(record: KeyState): void {
    this.#firstLooks.gained(record);
  }

  /** No flush begins until {@link resume}. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#pump();
  }

  /** The record is about to lose its tenure: another member will flush it. */
  forget(record: KeyState): void {
    this.backlog.remove(record);
    if (this.backlog.failingCount === 0) this.health.forgive();
  }

  stop(): void {
    this.#stopped = true;
    this.#requests.stop();
    this.#hold.stop();
    this.#alarm.stop();
  }

  /** Starts what is due, as far as the pace allows, and sets the timer for what is next. */
  #pump(): void {
    const { clock, membership } = this.#context;
    if (this.#stopped || this.#isResting || this.#isPaused) return;
    const now = clock.now();
    for (let looks = 0; this.#flights.size < this.#pace.concurrency; looks++) {
      const at = this.queue.nextAt;
      if (at === undefined) return;
      // Very many may be due that must wait, or that another member serves now.
      if (looks === looksPerTurn) {
        this.#rest();
        return;
      }
      // Meanwhile all that is due keeps its place. If all were looked at again at one moment, what a client waits for
      // would be one of many.
      const from = membership.mayAnswerForAny ? at : Math.max(at, now + noAnswerPauseMs);
      if (from > now) {
        this.#alarm.set(from);
        return;
      }
      const record = this.queue.take();
      if (record) this.#start(record, now);
    }
  }

  /** Goes on in another turn of the event loop: very many keys may have to wait, or fail at once. */
  #rest(): void {
    this.#isResting = true;
    this.#alarm.set(this.#context.clock.now());
  }

  /** Does what the record needs now, or has it wait. */
  #start(record: KeyState, now: Instant): void {
    const { membership, buffer } = this.#context;
    if (record.flight !== undefined || buffer.get(record.key) !== record) return;
    const flushFrom = membership.flushFrom(record.key);
    const step = flushFrom === undefined ? undefined : record.nextFlush;
    if (flushFrom === undefined || !step || this.#mustWait(record, step, flushFrom, now)) return;
    this.#fly(record, step, flushFrom, now);
  }

  /**
   * Whether requests that were sent before can still take effect: then the record is looked at again when they cannot.
   * An upload can be completed once only, so nothing may come over it that is on its way (L4).
   */
  #mustWait(record: KeyState, { kind, entry }: FlushStep, flushFrom: Instant, now: Instant): boolean {
    this.#open.forgetClosed(now);
    this.#context.late.forgetOver(now);
    const from = kind === "write_through" ? now : this.#blockedUntil(record, kind, entry, flushFrom);
    if (from > now) {
      this.queue.holdBack(record, from);
      return true;
    }
    const held = this.#hold.heldUntil(record, entry);
    if (held !== undefined) this.backlog.held(record);
    const at = held ?? fullUntil(this.#context.late, record.key, this.#failedAt, now);
    if (at !== undefined) this.queue.postpone(record, at);
    return at !== undefined;
  }

  /** Until when requests of predecessors, or for other versions of the key, are in the way (F3, F5). */
  #blockedUntil(record: KeyState, kind: FlushStep["kind"], entry: Entry, flushFrom: Instant): Instant {
    // What is read back may have been written over by any request, one of the same version included.
    const version = kind === "prove" ? undefined : entry;
    const now = this.#context.clock.now();
    return Math.max(flushFrom, this.#open.otherUntil(record.key, version, now) ?? flushFrom);
  }

  /** Runs one flush, and looks at the record again when it has landed, unless the tenure ended meanwhile. */
  #fly(record: KeyState, { kind, entry }: FlushStep, flushFrom: Instant, now: Instant): void {
    const unproven = flushFrom > now || this.#open.otherUntil(record.key, entry, now) !== undefined; // F12
    const flight = record.takeOff(entry, now, unproven);
    this.#flights.add(flight);
    const { flushes } = this.#context.metrics;
    flushes.begun++;
    if (record.failures > 0) flushes.repeated++;
    // A newer value that the store takes says nothing of others that it refused.
    const wasRefused = this.backlog.refusedValues.isOf(record, entry);
    this.#act(kind, flight).then(
      () => {
        this.#flights.delete(flight);
        if (record.land(flight)) this.#landed(record, wasRefused);
        this.#pump();
      },
      (error: unknown) => {
        this.#flights.delete(flight);
        if (record.land(flight)) this.#failed(flight, error);
        if (!this.#stopped) this.#rest();
      },
    );
  }

  async #act(kind: FlushStep["kind"], flight: Flight): Promise<void> {
    await this.#hold.tell(flight);
    if (flight.record.flight === flight) await this.#send(kind, flight);
  }

  #send(kind: FlushStep["kind"], flight: Flight): Promise<void> {
    if (kind === "prove") return this.#prove(flight);
    return flight.entry.upload ? this.#complete(flight) : this.#write(flight);
  }

  #landed(record: KeyState, wasRefused: boolean): void {
    this.#pace.succeeded();
    this.health.worked(this.#context.clock.now());
    this.backlog.recovered(record);
    if (wasRefused) this.#retries.taken();
    record.release();
    if (record.needsStore) this.queue.expedite(record);
    else if (record.dirty) this.queue.schedule(record);
  }

  /** It is tried again, for as long as the tenure lasts (F22). */
  #failed(flight: Flight, error: unknown): void {
    const { record } = flight;
    const { clock, complaints, membership, metrics } = this.#context;
    if (!isOperatingError(error)) throw error;
    if (error.code === "not_ready") {
      const at = clock.now() + (membership.mayAnswerForAny ? noAnswerPauseMs : -this.queue.leadOf(record));
      this.queue.lookAt(record, at);
      return;
    }
    metrics.flushFailed(error.code);
    this.backlog.failed(flight, error);
    this.health.failed(clock.now());
    this.#failedAt = clock.now();
    if (error.code === "store_throttled") this.#pace.throttled(this.#flights.size);
    else this.#pace.failed();
    complaints.warn("flush", "flushing fails and will be tried again", {
      failingKeys: this.backlog.failingCount,
      key: record.key,
      error,
    });
    record.holdBack(clock.now() + this.#retries.pauseMs(record, error));
    this.queue.lookAt(record, record.notBefore);
  }

  /**
   * Sends the entry under the condition that no other writer has changed the object. On a conflict, finds out what is
   * there. A delete begins with that: it removes what was seen. So does what came with the key.
   */
  async #write(flight: Flight): Promise<void> {
    const { record } = flight;
    let vain = 0;
    for (let conflicts = 0; conflicts < conflictLimit; conflicts++) {
      const before = record.store;
      const isUnseen = before.kind === "unseen" || (isTombstone(flight.entry) && before.kind !== "present"); // F10, F28
      const result = isUnseen ? unseen : await this.#requests.send(flight);
      if (record.flight !== flight) return;
      if (result.kind === "written") {
        record.saw(flight.entry.value === undefined ? storeAbsent : { kind: "present", tag: result.tag });
        this.#arrived(flight);
        return;
      }
      const found = await this.#lookAt(flight);
      if (record.flight !== flight) return;
      if (found === "same") {
        this.#arrived(flight);
        return;
      }
      if (found === "newer" || !(await this.#hold.mayGoOn(flight))) return;
      if (isSameState(before, record.store)) vain++;
    }
    throw conflictError(record, vain);
  }

  /** {@link StoreLook.at}, and what follows from a first look (F26). */
  async #lookAt(flight: Flight): Promise<"older" | "same" | "newer"> {
    const { record, entry } = flight;
    const found = await this.#look.at(flight);
    if (record.flight !== flight) return found;
    if (found === "same" && !isTombstone(entry)) this.#firstLooks.sawSame(record);
    else this.#firstLooks.saw(record, record.store);
    return found;
  }

  /**
   * Has the store make the upload the key's object, unless it has already. A primary that inherited the reference does
   * not know whether it has (L5).
   */
  async #complete(flight: Flight): Promise<void> {
    const { record, entry } = flight;
    let refused: StoreKnowledge | undefined;
    let vain = 0;
    for (let conflicts = 0; conflicts < conflictLimit; conflicts++) {
      let found = await this.#lookAt(flight);
      if (record.flight !== flight) return;
      if (refused !== undefined && isSameState(refused, record.store)) vain++;
      if (found === "older" && !(await this.#hold.mayGoOn(flight))) return;
      const result = found === "older" ? await this.#requests.complete(flight) : undefined;
      if (record.flight !== flight) return;
      let isLost = found === "newer";
      if (result?.kind === "written" && !isParted(entry.upload?.token ?? "")) {
        record.saw({ kind: "present", tag: result.tag });
        found = "same";
      } else if (result !== undefined && result.kind !== "conflict") {
        // An earlier request may have completed it, or do so yet: its client must not be told that nothing was
        // stored (L6). "Written" may be of an earlier write of the upload (L17).
        const now = this.#context.clock.now();
        isLost = this.#open.otherUntil(record.key, undefined, now) === undefined;
        // Of a discard there is nothing to complete.
        isLost &&= isDiscarded(entry) || !this.#context.late.mayChange(record.key, now);
        found = await this.#lookAt(flight);
        if (record.flight !== flight) return;
        isLost &&= found !== "same";
        if (!isLost && found !== "same") throw new OperatingError("store_unavailable", "the upload is gone");
      }
      // A next primary may have completed it, and written over it (L18).
      if (isLost) this.#requests.requireLease(flight);
      if (found === "same") this.#arrived(flight);
      else if (isLost) this.#lost(flight, result?.kind === "refused" ? result.error : undefined, result !== undefined);
      else {
        refused = record.store;
        continue;
      }
      return;
    }
    throw conflictError(record, vain);
  }

  /** The upload can never be completed: the write has not been done, and the key's state is what the store has (L6). */
  #lost({ record, entry }: Flight, refusal: OperatingError | undefined, wasTried: boolean): void {
    const { complaints, metrics } = this.#context;
    const { key } = record;
    if (refusal) {
      metrics.flushFailed(refusal.code);
      complaints.warn("upload", "the store refuses a large value, which is given up", { key, error: refusal });
    }
    if (record.pending[0]?.entry === entry) this.#parts.committer.loseUpload(record, refusal, wasTried);
    if (record.entry !== entry) return;
    record.isInStore();
    this.queue.done(record);
  }

  /**
   * After a write-through, once no other request can take effect any more: is it still there? If not, it is sent again.
   */
  async #prove(flight: Flight): Promise<void> {
    const { record, entry } = flight;
    const found = await this.#lookAt(flight);
    if (record.flight !== flight || record.entry !== entry || found === "newer") return;
    if (found === "same" && this.#hold.mayBeUndone(flight)) return;
    record.proved(found === "same");
    if (!record.stored) return;
    this.#parts.waits.stored(record.key, entry);
    this.queue.done(record);
  }

  /** The store has the flight's entry. */
  #arrived(flight: Flight): void {
    const { clock, metrics } = this.#context;
    const { record, entry, beganAt, unproven } = flight;
    assert(record.flight === flight, "only the flight under way arrives");
    // It may be undone yet, as was learned meanwhile (F24).
    if (this.#hold.mayBeUndone(flight)) return;
    if (record.arrived(flight)) this.#parts.committer.commitReady(record);
    if (!unproven) this.#parts.waits.stored(record.key, entry);
    metrics.flushLag.observeMs(clock.now() - record.dirtySince);
    if (!record.storedVisible(flight)) {
      // There is a newer state, or the write-through waits for an earlier one.
      if (record.dirty) this.backlog.renew(record, beganAt);
      return;
    }
    if (record.stored) this.queue.done(record);
  }
}

/** Why a flush has met conflicts only: another writer, or conditions that nothing fulfils. */
function conflictError({ store }: KeyState, vain: number): OperatingError {
  if (vain >= vainLimit) return vainCondition(store.kind === "present" ? store.tag : undefined);
  return new OperatingError("store_unavailable", "another writer keeps changing the object");
}

/** Whether a look has found the object just as a request's condition had it. */
function isSameState(before: StoreKnowledge, after: StoreKnowledge): boolean {
  if (before.kind === "present") return after.kind === "present" && before.tag === after.tag;
  return before.kind === after.kind && before.kind === "absent";
}
