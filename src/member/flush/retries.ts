/**
 * When a flush that failed is tried again: after a pause that grows. Very many keys that the store refuses, each tried
 * as often as any other, would keep it from those (F22). So of many each waits longer, in proportion. When the store
 * takes one of them, all are tried again at once: perhaps what it lacked is mended.
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
  /** When all of them were tried again at once, last. */
  #triedAllAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(context: ContextOf<"clock" | "random" | "settings">, queue: Pick<FlushQueue, "backlog" | "expediteAll">) {
    this.#context = context;
    this.#queue = queue;
  }

  /** How long the record waits, whose attempt has just failed so, in milliseconds. */
  pauseMs({ failures }: KeyState, { code }: OperatingError): number {
    const { random, settings } = this.#context;
    const ms = backoffMs(settings.flush.backoff, failures, random.next());
    return code === "store_refused" ? ms * Math.max(1, this.#queue.backlog.refusedCount / fewRefused) : ms;
  }

  /** The store has taken a key that it had refused before. */
  taken(): void {
    const { clock, settings } = this.#context;
    const now = clock.now();
    const { backlog } = this.#queue;
    if (backlog.refusedCount < fewRefused || now < this.#triedAllAt + settings.flush.backoff.maxMs) return;
    this.#triedAllAt = now;
    this.#queue.expediteAll(backlog.refused());
  }
}
