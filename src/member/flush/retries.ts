/**
 * When a flush that failed is tried again: after a pause that grows. Very many keys that the store refuses, each tried
 * as often as any other, would keep it from those (F22). So of many each waits longer, in proportion. When the store
 * takes one of them, all are tried as soon as any other key that fails: perhaps what it lacked is mended.
 */

import type { Instant } from "../../base/clock.ts";
import type { OperatingError } from "../../base/errors.ts";
import { backoffMs } from "../../core/flush-schedule.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { ContextOf } from "../context.ts";
import type { FlushQueue } from "./flush-queue.ts";

/** Up to so many refused keys are tried again as any other key that fails. More of them make no more attempts. */
const fewRefused = 1_000;

export class Retries {
  readonly #context: ContextOf<"clock" | "random" | "settings">;
  readonly #queue: Pick<FlushQueue, "backlog" | "expediteAll">;
  /** When the last of the longer pauses ends. */
  #longUntil: Instant = Number.NEGATIVE_INFINITY;
  /** When all of them were given the usual pause, last. */
  #shortenedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(context: ContextOf<"clock" | "random" | "settings">, queue: Pick<FlushQueue, "backlog" | "expediteAll">) {
    this.#context = context;
    this.#queue = queue;
  }

  /** How long the record waits, whose attempt has just failed so, in milliseconds. */
  pauseMs({ failures }: KeyState, { code }: OperatingError): number {
    const { clock, random, settings } = this.#context;
    const ms = backoffMs(settings.flush.backoff, failures, random.next());
    const { refusedCount } = this.#queue.backlog;
    if (code !== "store_refused" || refusedCount <= fewRefused) return ms;
    const longMs = (ms * refusedCount) / fewRefused;
    this.#longUntil = Math.max(this.#longUntil, clock.now() + longMs);
    return longMs;
  }

  /** The store has taken a state that it had refused before. */
  taken(): void {
    const { clock, settings } = this.#context;
    const now = clock.now();
    const { maxMs } = settings.flush.backoff;
    if (now >= this.#longUntil || now < this.#shortenedAt + maxMs) return;
    this.#shortenedAt = now;
    this.#queue.expediteAll(this.#queue.backlog.refused(), maxMs);
  }
}
