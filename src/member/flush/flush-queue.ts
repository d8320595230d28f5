/**
 * When which key is flushed: later, so that overwrites coalesce, or sooner, because a client waits or the store must
 * have it before it is visible. One key has one place in the queue. Whether and how it is flushed when its place comes
 * is the flusher's affair.
 */

import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import type { Backlog } from "../../core/backlog.ts";
import { isDiscarded } from "../../core/discarded.ts";
import { DueQueue } from "../../core/flush-schedule.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { ContextOf } from "../context.ts";
import type { StoredWaits } from "../keys/durable-writes.ts";
import type { FlushRequests } from "../keys/flush-requests.ts";
import type { AgeLimit } from "./age-limit.ts";
import type { Cleaner } from "./cleaner.ts";

/** From this fullness of the buffer on, nothing waits to coalesce. */
const expediteFullness = 0.8;

/** What a client waits for goes before what has been due for no longer than this, in milliseconds (F18). */
const leadMs = 60_000;

type FlushQueueContext = ContextOf<"buffer" | "clock" | "settings" | "slices">;

export interface FlushQueueParts {
  readonly backlog: Backlog;
  readonly ageLimit: Pick<AgeLimit, "isLate" | "check">;
  readonly cleaner: Pick<Cleaner, "flushed">;
  readonly waits: Pick<StoredWaits, "isAwaited">;
}

export class FlushQueue implements FlushRequests {
  readonly #context: FlushQueueContext;
  readonly #parts: FlushQueueParts;
  readonly #due = new DueQueue<KeyState>(
    ({ item, at }) => item.scheduledAt === at && this.#context.buffer.get(item.key) === item,
  );
  #coalesces = true;
  #wake: () => void = () => undefined;

  constructor(context: FlushQueueContext, parts: FlushQueueParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** What is to be flushed. */
  get backlog(): Backlog {
    return this.#parts.backlog;
  }

  /** `wake` is called whenever a key may be due sooner than it was. To be set once. */
  set onDue(wake: () => void) {
    this.#wake = wake;
  }

  add(record: KeyState): void {
    this.backlog.add(record);
  }

  schedule(record: KeyState): void {
    if (record.entry && isDiscarded(record.entry)) {
      record.isInStore();
      this.done(record);
      return;
    }
    this.backlog.add(record);
    const { buffer, clock, settings } = this.#context;
    const { ageLimit, waits } = this.#parts;
    if (waits.isAwaited(record.key)) record.await();
    const isExpedited =
      !this.#coalesces || record.isAwaited || buffer.admission.fullness >= expediteFullness || ageLimit.isLate();
    const delayMs = isExpedited ? -this.leadOf(record) : settings.flush.delayMs;
    // Among very many that the store refuses a state waits longer. But this may be a new one, which it would take.
    const notBefore = Math.min(record.notBefore, clock.now() + settings.flush.backoff.maxMs);
    this.lookAt(record, Math.max(clock.now() + delayMs, notBefore));
  }

  expedite(record: KeyState): void {
    if (record.pending.some((write) => write.needsStore && !write.inherited)) record.await();
    const now = this.#context.clock.now();
    const isQueued = record.scheduledAt !== undefined;
    // A key that has failed has its pause, but a new state not that of one among very many that the store refuses.
    if (isQueued && record.failures > 0) {
      this.lookAt(record, now + this.#context.settings.flush.backoff.maxMs);
      return;
    }
    // One that must wait is looked at then. But a write-through waits for nothing.
    const isThrough = record.pending.some((write) => write.needsStore && !write.entry.upload);
    if (!isQueued || record.notBefore <= now || isThrough) this.lookAt(record, now - this.leadOf(record));
  }

  expediteAwaited(record: KeyState): void {
    record.await();
    this.expedite(record);
  }

  /** The store has what is visible of the record, for good. */
  done(record: KeyState): void {
    assert(record.stored, "what is done is stored for good");
    this.backlog.remove(record);
    this.#parts.cleaner.flushed(record);
    this.#parts.ageLimit.check();
  }

  /** The record waits no longer, to coalesce or after a failure. */
  expediteNow(record: KeyState): void {
    if (this.backlog.has(record)) this.lookAt(record, this.#context.clock.now());
  }

  /** None of the records waits longer than this, in milliseconds, and they do not all come at once. */
  expediteAll(records: readonly KeyState[], withinMs: number): void {
    const begin = this.#context.clock.now();
    let index = 0;
    const visit = (record: KeyState): void => {
      index++;
      if (this.backlog.has(record)) this.lookAt(record, begin + (withinMs * index) / records.length);
    };
    this.#context.slices.lane().over(records, visit, () => undefined);
  }

  /** From now on nothing waits to coalesce: the member is stopping. */
  stopCoalescing(): void {
    this.#coalesces = false;
    const { buffer, clock, slices } = this.#context;
    const visit = (record: KeyState): void => {
      if (record.dirty) this.lookAt(record, Math.max(clock.now(), record.notBefore));
    };
    slices.lane().over(buffer.records(), visit, () => undefined);
  }

  /**
   * How far the record goes ahead of its time, in milliseconds. Once anything is late, what is visible takes turns with
   * all: else new writes would have to wait for what is never reached.
   */
  leadOf(record: KeyState): number {
    return record.isAwaited && (record.needsStore || !this.#parts.ageLimit.isLate()) ? leadMs : 0;
  }

  /** Puts the record into the queue, unless it is under way (it is looked at when it lands) or due sooner already. */
  lookAt(record: KeyState, at: Instant): void {
    if (record.flight !== undefined) return;
    if (record.scheduledAt !== undefined && record.scheduledAt <= at) return;
    this.#add(record, at);
    this.#wake();
  }

  /**
   * The record must not be flushed before this, and is looked at then. Nobody is woken: the flusher goes on by itself.
   */
  holdBack(record: KeyState, until: Instant): void {
    record.holdBack(until);
    this.#add(record, until);
  }

  /** Like {@link holdBack}, but a newer state of the record may be looked at sooner. */
  postpone(record: KeyState, at: Instant): void {
    this.#add(record, at);
  }

  /** When the first key is due; undefined when there is none. */
  get nextAt(): Instant | undefined {
    return this.#due.nextAt;
  }

  /** Takes out what was due first; undefined if it was moved forward, and looked at then. */
  take(): KeyState | undefined {
    const { item, at } = this.#due.take();
    if (item.scheduledAt !== at) return undefined;
    item.schedule(undefined);
    return item;
  }

  #add(record: KeyState, at: Instant): void {
    record.schedule(at);
    this.#due.add(record, at);
  }
}
