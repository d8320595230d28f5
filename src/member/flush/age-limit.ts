/**
 * A bound on how long the store may lack an acknowledged value (`buffer.maxDirtyAgeMs`). While this member's oldest
 * value is older, its writers wait as they do for a full buffer, and are refused in the end: the store has to catch up
 * before more is acknowledged. From half of the bound on, nothing waits to coalesce.
 *
 * Only new writes of clients wait (W26). What members hand over or replicate to each other goes on, and so do writes
 * that have a version: a view change never waits for this.
 *
 * A key that the store refuses for good is for the operator, and must not stop the others for ever. But refusals may
 * also be the store's whole answer, when its credentials have run out. So a refused key counts unless the store has
 * shown lately that it takes others. Where nothing else is to be flushed, the store is tried out for that.
 */

import type { Instant } from "../../base/clock.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Backlog } from "../../core/backlog.ts";
import type { StoreHealth } from "../../core/store-health.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import { tryStore } from "./store-trial.ts";

type AgeLimitContext = ContextOf<"membership" | "buffer" | "clock" | "complaints" | "settings"> & {
  readonly store: Pick<BlobStore, "write">;
};

/** From this part of the bound on, what waits is expedited, and the store is tried out for keys that it refuses. */
const latePart = 0.5;
/** The least time between two trials of the store, in milliseconds. */
const trialPauseMs = 1_000;

export class AgeLimit {
  readonly #context: AgeLimitContext;
  readonly #backlog: Backlog;
  /** How the store treats flushes. */
  readonly #health: Pick<StoreHealth, "workedAt">;
  #triedAt: Instant = Number.NEGATIVE_INFINITY;
  #provenAt: Instant = Number.NEGATIVE_INFINITY;
  #isTrying = false;

  constructor(context: AgeLimitContext, backlog: Backlog, health: Pick<StoreHealth, "workedAt">) {
    this.#context = context;
    this.#backlog = backlog;
    this.#health = health;
  }

  /** Whether what waits is on its way to be too old. */
  isLate(): boolean {
    const { maxDirtyAgeMs } = this.#context.settings;
    return maxDirtyAgeMs > 0 && this.#isOlder(this.#backlog.oldestSince("waiting"), maxDirtyAgeMs * latePart);
  }

  /** Has writers wait, or go on. To be called with each round of pings, and when a flush has landed. */
  check(): void {
    const { buffer, settings, complaints } = this.#context;
    const backlog = this.#backlog;
    const { maxDirtyAgeMs } = settings;
    if (maxDirtyAgeMs === 0) return;
    const isRefusedLate = this.#isOlder(backlog.oldestSince("refused"), maxDirtyAgeMs * latePart);
    if (isRefusedLate && !this.#isProven(maxDirtyAgeMs * latePart)) this.#tryStore();
    const isShut =
      this.#isOlder(backlog.oldestSince("waiting"), maxDirtyAgeMs) ||
      (this.#isOlder(backlog.oldestSince("refused"), maxDirtyAgeMs) && !this.#isProven(maxDirtyAgeMs));
    if (isShut) {
      complaints.warn("age", "writers wait: the store has lacked an acknowledged value for too long", {
        maxDirtyAgeMs,
        keys: backlog.size,
      });
    }
    if (isShut !== buffer.admission.isShut) buffer.admission.isShut = isShut;
  }

  #isOlder(since: Instant | undefined, ms: number): boolean {
    return since !== undefined && this.#context.clock.now() - since > ms;
  }

  /** Whether the store has taken something within this time. */
  #isProven(ms: number): boolean {
    return !this.#isOlder(Math.max(this.#health.workedAt, this.#provenAt), ms);
  }

  #tryStore(): void {
    const { membership, store, clock, complaints } = this.#context;
    if (this.#isTrying || clock.now() - this.#triedAt < trialPauseMs) return;
    this.#isTrying = true;
    const triedAt = clock.now();
    this.#triedAt = triedAt;
    tryStore(store, membership.self.id).then(
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
