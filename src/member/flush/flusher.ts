/**
 * Flushing: each key's committed state flows to the store, by one conditional request at a time, for as long as it
 * takes. Only a primary with tenure flushes (F1), and the object never goes back to an older state. So a request whose
 * outcome is unknown blocks other versions of its key until it cannot take effect any more (F3), and what was gained
 * with a new tenure waits until no predecessor's request can (F5).
 *
 * A write-through waits for none of that: too few members own the key, so the store must have the value before the
 * client hears of it. What was written through is read back once the waits are over (F11).
 *
 * What a key needs next is the key's own affair (`KeyState.nextFlush`). This says when it gets that, `FlushSteps` how.
 */

import { Alarm } from "../../base/alarm.ts";
import type { Instant } from "../../base/clock.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Backlog } from "../../core/backlog.ts";
import type { Entry } from "../../core/entry.ts";
import { Pace } from "../../core/flush-schedule.ts";
import type { Flight, FlushStep, KeyState } from "../../core/key-state.ts";
import { OpenRequests } from "../../core/open-requests.ts";
import type { StoreHealth } from "../../core/store-health.ts";
import type { ContextOf } from "../context.ts";
import { FirstLooks } from "./first-looks.ts";
import { type AnnouncedRequests, FlightRequests, type HeededConditions } from "./flight.ts";
import type { FlushQueue } from "./flush-queue.ts";
import { FlushSteps, type FlushStepsParts } from "./flush-steps.ts";
import { fullUntil, LateHold } from "./late-hold.ts";
import { Retries } from "./retries.ts";

/** Keys that are looked at in one turn of the event loop, at most. */
const looksPerTurn = 1_000;

/** How soon to look again while this member may answer for no key, in milliseconds. */
const noAnswerPauseMs = 100;

type FlusherContext = ContextOf<
  "membership" | "buffer" | "store" | "clock" | "random" | "complaints" | "metrics" | "settings" | "late"
>;

export interface FlusherParts
  extends Pick<FlushStepsParts, "queue" | "committer" | "assigner" | "inheritance" | "waits"> {
  /** How the store treats flushes. */
  readonly health: StoreHealth;
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
  readonly #steps: FlushSteps;
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
    this.#firstLooks = new FirstLooks(context, parts.heeds);
    this.#hold = new LateHold(context, parts.notices);
    this.#requests = new FlightRequests(context, this.#open, parts.heeds, parts.notices);
    this.#steps = new FlushSteps(context, {
      ...parts,
      requests: this.#requests,
      open: this.#open,
      firstLooks: this.#firstLooks,
      hold: this.#hold,
    });
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
    if (this.#requests.strayedIn === membership.epoch && !membership.settled) return false;
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
  mayChange({ key, flight, unknownUntil }: KeyState): boolean {
    const now = this.#context.clock.now();
    const flushFrom = this.#context.membership.flushFrom(key);
    const waits = flushFrom === undefined || flushFrom > now;
    if (flight !== undefined || waits || unknownUntil > now || this.#context.late.mayChange(key, now)) return true;
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
    const { inherited } = record;
    // Its look is not to wait: a view may wait for it (V53).
    const isAsked = inherited?.entry === entry && inherited.asksStore && entry.upload === undefined;
    const held = isAsked ? undefined : this.#hold.heldUntil(record, entry);
    if (held !== undefined) {
      this.backlog.held(record);
      if (record.commitUnstored(entry)) this.#parts.committer.commitReady(record);
    }
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
    this.#steps.run(kind, flight).then(
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
}
