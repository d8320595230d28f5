/**
 * A bound on how long the store may lack an acknowledged value (`buffer.maxDirtyAgeMs`). While this member's oldest is older, its writers wait as they do for a full buffer, and are
 * refused in the end: the store has to catch up before more is acknowledged. From half of the bound on nothing waits to coalesce.
 *
 * Only new writes of clients wait. What members hand over or replicate to each other, and writes that have a version, go on: a view change never waits for this.
 *
 * A key that the store refuses for good is for the operator, and must not stop the others for ever. But refusals may also be the store's whole answer, when its credentials have
 * run out. So a refused key counts unless the store has shown lately that it takes others; where nothing else is to be flushed, it is tried out for that.
 */

import type { Clock, Instant } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Admission } from "../../core/admission.ts";
import type { Backlog } from "../../core/backlog.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import { tryStore } from "./store-trial.ts";

export interface AgeLimitParts {
  readonly backlog: Backlog;
  readonly admission: Admission;
  readonly store: Pick<BlobStore, "write">;
  readonly nodeId: string;
  /** When a flush went well, last. */
  readonly flushedAt: () => Instant;
  readonly clock: Clock;
  readonly complaints: Complaints;
  /** 0: there is no bound. */
  readonly maxAgeMs: number;
}

/** From this part of the bound on, what waits is hastened, and the store is tried out for keys that it refuses. */
const latePart = 0.5;
/** The least time between two trials of the store, in milliseconds. */
const trialPauseMs = 1_000;

export class AgeLimit {
  readonly #parts: AgeLimitParts;
  #triedAt: Instant = Number.NEGATIVE_INFINITY;
  #provenAt: Instant = Number.NEGATIVE_INFINITY;
  #isTrying = false;

  constructor(parts: AgeLimitParts) {
    this.#parts = parts;
  }

  /** Whether what waits is on its way to be too old. */
  isLate(): boolean {
    const { backlog, maxAgeMs } = this.#parts;
    return maxAgeMs > 0 && this.#isOlder(backlog.oldestSince("waiting"), maxAgeMs * latePart);
  }

  /** Has writers wait, or go on. To be called with each round of pings, and when a flush has landed. */
  check(): void {
    const { backlog, admission, maxAgeMs, complaints } = this.#parts;
    if (maxAgeMs === 0) return;
    const isRefusedLate = this.#isOlder(backlog.oldestSince("refused"), maxAgeMs * latePart);
    if (isRefusedLate && !this.#isProven(maxAgeMs * latePart)) this.#tryStore();
    const isShut =
      this.#isOlder(backlog.oldestSince("waiting"), maxAgeMs) ||
      (this.#isOlder(backlog.oldestSince("refused"), maxAgeMs) && !this.#isProven(maxAgeMs));
    if (isShut) {
      complaints.warn("age", "writers wait: the store has lacked an acknowledged value for too long", {
        maxDirtyAgeMs: maxAgeMs,
        keys: backlog.size,
      });
    }
    if (isShut !== admission.isShut) admission.isShut = isShut;
  }

  #isOlder(since: Instant | undefined, ms: number): boolean {
    return since !== undefined && this.#parts.clock.now() - since > ms;
  }

  /** Whether the store has taken something within this time. */
  #isProven(ms: number): boolean {
    return !this.#isOlder(Math.max(this.#parts.flushedAt(), this.#provenAt), ms);
  }

  #tryStore(): void {
    const { store, nodeId, clock, complaints } = this.#parts;
    if (this.#isTrying || clock.now() - this.#triedAt < trialPauseMs) return;
    this.#isTrying = true;
    const triedAt = clock.now();
    this.#triedAt = triedAt;
    tryStore(store, nodeId).then(
      () => {
        this.#isTrying = false;
        this.#provenAt = triedAt;
        this.check();
      },
      (error: unknown) => {
        this.#isTrying = false;
        if (!isOperatingError(error)) throw error;
        complaints.warn("trial", "the store takes nothing of this node, not only some keys", { error });
      },
    );
  }
}
