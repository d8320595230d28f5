/**
 * Uploads that nobody goes on with: a member was lost in the middle of one, or one could not be aborted. The member
 * with the lowest id in the view looks for them now and then, and aborts those that are too old. To abort one that a
 * reference stands for would do no harm: that write has never been acknowledged (L12).
 */

import { assert } from "../../base/assert.ts";
import type { Timer } from "../../base/clock.ts";
import { isOperatingError, type OperatingError } from "../../base/errors.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { LargeSettings } from "../settings.ts";

type LeftoverContext = ContextOf<"clock" | "complaints" | "log" | "membership"> & {
  readonly settings: { readonly large: Pick<LargeSettings, "leftoverMs"> };
  readonly store: Pick<BlobStore, "abortUpload" | "listUploads">;
};

/**
 * Between two looks, in milliseconds: an hour, or `leftoverMs` if that is less. And before the first, after the member
 * has joined.
 */
const pauseMs = 3_600_000;
const firstPauseMs = 60_000;

export class Leftovers {
  readonly #context: LeftoverContext;
  readonly #abort = new AbortController();
  #timer: Timer | undefined;

  constructor(context: LeftoverContext) {
    this.#context = context;
  }

  /** The member has joined. */
  start(): void {
    assert(this.#timer === undefined, "a member starts to look once");
    this.#lookIn(firstPauseMs);
  }

  stop(): void {
    this.#abort.abort();
    this.#timer?.cancel();
  }

  #lookIn(ms: number): void {
    if (this.#abort.signal.aborted) return;
    const { clock, settings } = this.#context;
    this.#timer = clock.after(ms, () => {
      void this.#look().then(() => this.#lookIn(Math.min(pauseMs, settings.large.leftoverMs)));
    });
  }

  async #look(): Promise<void> {
    const { membership, store, clock, log, complaints, settings } = this.#context;
    const { members, parameters } = membership.view;
    if (members.some(({ id }) => id < membership.self.id)) return;
    const options = { deadlineMs: parameters.flushDeadlineMs };
    let count = 0;
    let failure: OperatingError | undefined;
    try {
      for (const { name, id, startedMs } of await store.listUploads(options)) {
        if (clock.wallMs() - startedMs < settings.large.leftoverMs) continue;
        if (this.#abort.signal.aborted) return;
        try {
          await store.abortUpload(name, id, options);
          count++;
        } catch (error) {
          // The store does not let go of this one; the others can still go.
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
