/**
 * The view's record in the store: read, and changed by compare-and-swap. Whatever a swap answers, what counts is what is read back.
 */

import { type Clock, type Instant, sleep } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { type ErrorCode, isOperatingError, OperatingError, transientCodes } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { formatView, parseView, type View, viewName } from "../../core/view.ts";
import type { BlobStore } from "../../store/blob-store.ts";

export interface ViewRecordParts {
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly complaints: Complaints;
}

/** The view as the store has it. */
export interface StoredView {
  readonly view: View;
  /** For a swap on the condition that it has not changed. */
  readonly tag: string;
}

/** A view record is small: more is not one. */
const maxViewBytes = 1 << 24;
const requestDeadlineMs = 5_000;
/** Pause after a failure, in milliseconds; a random part of it is added. */
const failurePauseMs = 200;

export class ViewRecord {
  readonly #parts: ViewRecordParts;
  #openUntil: Instant = Number.NEGATIVE_INFINITY;

  constructor(parts: ViewRecordParts) {
    this.#parts = parts;
  }

  /** Until when a swap whose outcome was unknown may still take effect, though what was read back did not show it. */
  get openUntil(): Instant {
    return this.#openUntil;
  }

  /**
   * Undefined when there is none.
   * @param deadlineMs - until it is given up
   * @throws OperatingError of the store; `store_refused` when what is there is not a view.
   */
  async read(deadlineMs: number = requestDeadlineMs): Promise<StoredView | undefined> {
    const result = await this.#parts.store.read(viewName, maxViewBytes, { deadlineMs, isUrgent: true });
    if (result.kind === "missing") return undefined;
    if (result.kind === "too_large")
      throw new OperatingError("store_refused", `${viewName} in the store is not a view`);
    return { view: parseView(result.blob.body), tag: result.blob.tag };
  }

  /** Reads, however long the store is away (or fails with one of `also`); rejects with the signal's reason when that is aborted. */
  async readPatiently(signal: AbortSignal, ...also: ErrorCode[]): Promise<StoredView | undefined> {
    const { clock, complaints, random } = this.#parts;
    for (;;) {
      try {
        return await this.read();
      } catch (error) {
        if (!isOperatingError(error, ...transientCodes, ...also)) throw error;
        complaints.warn("view", "the view cannot be read from the store and will be tried again", { error });
        await sleep(clock, failurePauseMs * (1 + random.next()), signal);
      }
    }
  }

  /**
   * Swaps `next` in for what was read (undefined: for no record); whether it was this swap that won. An answer that leaves it open is resolved by reading back, for as
   * long as that takes.
   * @throws OperatingError (rejects with one) `store_refused`; the signal's reason when that is aborted meanwhile.
   */
  async swap(read: StoredView | undefined, next: View, signal: AbortSignal): Promise<boolean> {
    const content = { body: formatView(next), headers: { "content-type": "application/json" } };
    const condition = read ? ({ kind: "unchanged", tag: read.tag } as const) : ({ kind: "absent" } as const);
    const sentAt = this.#parts.clock.now();
    try {
      const options = { deadlineMs: requestDeadlineMs, isUrgent: true };
      return (await this.#parts.store.write(viewName, content, condition, options)).kind === "written";
    } catch (error) {
      if (!isOperatingError(error, ...transientCodes)) throw error;
      this.#openUntil = Math.max(this.#openUntil, sentAt + requestDeadlineMs);
      const stored = await this.readPatiently(signal);
      return stored?.view.proposal === next.proposal;
    }
  }
}
