/**
 * Commits: a pending write becomes visible once nothing keeps it back, and then its client is answered. What a write
 * waits for is the key's own affair (`KeyState.readiness`). The rest is whether this member may answer for the key.
 */

import { nothingStored, OperatingError } from "../../base/errors.ts";
import { PartedMap } from "../../base/parted-map.ts";
import type { Lane } from "../../base/slices.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { ContextOf } from "../context.ts";
import type { FlushRequests } from "./flush-requests.ts";

type CommitterContext = ContextOf<"membership" | "buffer" | "cache" | "clock" | "metrics" | "slices">;

export class Committer {
  readonly #context: CommitterContext;
  readonly #flush: FlushRequests;
  /** Keys whose first pending write waits only until this member may answer. */
  readonly #ready = new PartedMap<KeyState>();
  readonly #lane: Lane;

  constructor(context: CommitterContext, flush: FlushRequests) {
    this.#context = context;
    this.#flush = flush;
    this.#lane = context.slices.lane();
  }

  /** Commits what waits for nothing any more, in the order of versions (W6). */
  commitReady(record: KeyState): void {
    const { buffer, membership, clock, metrics } = this.#context;
    let committed = false;
    for (;;) {
      const { readiness } = record;
      if (readiness === "needs_store") this.#flush.expedite(record);
      if (readiness !== "ready") break;
      if (!membership.mayAnswer(record.key)) {
        this.#ready.set(record.key, record);
        break;
      }
      const { assignedAt, inherited } = buffer.commit(record);
      if (!inherited) metrics.commit.observeMs(clock.now() - assignedAt);
      committed = true;
    }
    if (committed) this.#isVisible(record);
  }

  /**
   * The upload of the first pending write can never be completed. It was no write: the state is what the store has.
   *
   * @param wasTried - its completion here. If it was not, a lost member may have completed it.
   */
  loseUpload(record: KeyState, refusal: OperatingError | undefined, wasTried: boolean): void {
    this.#context.buffer.loseUpload(record, uploadLost(refusal, wasTried));
    this.#isVisible(record);
    this.commitReady(record);
  }

  /** The lease, or the tenure of some keys, is there: what waited only for that commits. */
  mayAnswer(): void {
    const { membership } = this.#context;
    const visit = (record: KeyState): void => {
      // What it may still not answer for stays: this goes by whatever comes meanwhile, too.
      if (!membership.mayAnswer(record.key)) return;
      this.#ready.delete(record.key);
      this.commitReady(record);
    };
    if (this.#ready.size > 0) this.#lane.over(this.#ready.values(), visit, () => undefined);
  }

  /** A view was adopted: what is ready is found anew. */
  adoptView(): void {
    this.#lane.stop();
    this.#ready.clear();
  }

  #isVisible(record: KeyState): void {
    this.#context.cache.delete(record.key);
    this.#flush.schedule(record);
  }
}

/** For a write whose upload will never be completed: the store has lost it, or refuses it. */
function uploadLost(refusal: OperatingError | undefined, wasTried: boolean): OperatingError {
  if (refusal) return new OperatingError("store_refused", `${refusal.message}${nothingStored}`, { cause: refusal });
  const detail = wasTried ? `the store has lost the upload${nothingStored}` : "the store has a newer value by now";
  return new OperatingError("store_unavailable", detail);
}
