/**
 * Uploads that nobody goes on with: those of a member that was lost in the middle of one, or that could not be aborted. One member, of those in the view that
 * with the lowest id, looks for them now and then, and aborts what is too old. It would do no harm to abort one that a reference stands for: that write
 * has never been acknowledged.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError, type OperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Membership } from "../../core/membership.ts";
import type { BlobStore } from "../../store/blob-store.ts";

export interface LeftoversParts {
  readonly membership: Membership;
  readonly store: Pick<BlobStore, "listUploads" | "abortUpload">;
  readonly clock: Clock;
  readonly log: Log;
  readonly complaints: Complaints;
  /** An upload that was begun so long ago, in milliseconds, is left over. */
  readonly leftoverMs: number;
}

/** Between two looks, in milliseconds: an hour, or less where less is left over sooner. The first comes after a member has joined. */
const pauseMs = 3_600_000;
const firstPauseMs = 60_000;

export class Leftovers {
  readonly #parts: LeftoversParts;
  readonly #abort = new AbortController();
  #timer: Timer | undefined;

  constructor(parts: LeftoversParts) {
    this.#parts = parts;
  }

  /** The member has joined. */
  start(): void {
    this.#lookIn(firstPauseMs);
  }

  stop(): void {
    this.#abort.abort();
    this.#timer?.cancel();
  }

  #lookIn(ms: number): void {
    if (this.#abort.signal.aborted) return;
    this.#timer = this.#parts.clock.after(ms, () => {
      void this.#look().then(() => this.#lookIn(Math.min(pauseMs, this.#parts.leftoverMs)));
    });
  }

  async #look(): Promise<void> {
    const { membership, store, clock, log, complaints, leftoverMs } = this.#parts;
    const { members, parameters } = membership.view;
    if (members.some(({ id }) => id < membership.self.id)) return;
    const options = { deadlineMs: parameters.flushDeadlineMs };
    let count = 0;
    let failure: OperatingError | undefined;
    try {
      for (const { name, id, startedMs } of await store.listUploads(options)) {
        if (clock.wallMs() - startedMs < leftoverMs) continue;
        if (this.#abort.signal.aborted) return;
        try {
          await store.abortUpload(name, id, options);
          count++;
        } catch (error) {
          // One that the store does not let go keeps no other.
          if (!isOperatingError(error, "store_refused")) throw error;
          failure = error;
        }
      }
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      failure = error;
    }
    if (count > 0) log.info("uploads that nobody went on with were aborted", { count });
    if (failure)
      complaints.warn("leftovers", "uploads that nobody goes on with cannot be removed from the store", {
        error: failure,
      });
  }
}
