/**
 * Settling: once every member has handed off, one of them says in the store that the view is settled. They try one
 * after the other.
 */

import { assert } from "../../base/assert.ts";
import type { Timer } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import { viewName } from "../../core/view.ts";
import { settledView } from "../../core/view-changes.ts";
import type { ContextOf } from "../context.ts";
import type { Proposer } from "./proposer.ts";

/** Members that could settle a view try one after the other, this many milliseconds apart. */
const settleStaggerMs = 100;
/** Pause before a view is settled that could not be so far, and after a failure, in milliseconds. */
const settlePauseMs = 50;
const failurePauseMs = 500;

type SettlingContext = ContextOf<"membership" | "clock" | "random" | "complaints" | "late">;

export class Settling {
  readonly #context: SettlingContext;
  readonly #proposer: Proposer;
  readonly #onSettled: () => void;
  readonly #abort = new AbortController();
  /** The view is about to be settled, or its settling is under way. */
  #timer: Timer | undefined;
  /**
   * The epoch that it has last tried to settle without success: perhaps a newer view in the store is still to be read.
   */
  #triedEpoch = 0;

  /** @param onSettled - this member has settled the adopted view */
  constructor(context: SettlingContext, proposer: Proposer, onSettled: () => void) {
    this.#context = context;
    this.#proposer = proposer;
    this.#onSettled = onSettled;
  }

  /** Every member has handed off (V47): this member settles the view, if none before it in the view does (V48). */
  begin(): void {
    const { membership, clock } = this.#context;
    if (membership.settled || this.#timer || this.#abort.signal.aborted) return;
    const turn = membership.view.members.findIndex((member) => member.id === membership.self.id);
    assert(turn >= 0, "the adopted view lists this member");
    this.#timer = clock.after(turn * settleStaggerMs, () => this.#try());
  }

  #try(): void {
    const { membership, complaints } = this.#context;
    const { epoch } = membership;
    this.#settle().then(
      () => {
        this.#timer = undefined;
        if (membership.settled || !membership.maySettle()) return;
        // 1. An attempt for an older view is under way.
        // 2. This view can be settled. No second attempt begins beside the first.
        // 3. The first ends. No peer says again that this view can be settled, so this member begins anew.
        if (membership.epoch !== epoch || this.#triedEpoch !== epoch) this.begin();
        else this.#beginAfter(settlePauseMs);
        this.#triedEpoch = epoch;
      },
      (error: unknown) => {
        this.#timer = undefined;
        if (this.#abort.signal.aborted) return;
        if (!isOperatingError(error)) throw error;
        complaints.warn("settle", "the view cannot be settled and will be tried again", { error });
        this.#beginAfter(failurePauseMs);
      },
    );
  }

  #beginAfter(pauseMs: number): void {
    const { membership, clock } = this.#context;
    if (this.#abort.signal.aborted) return;
    assert(this.#timer === undefined, "one attempt to settle at a time");
    this.#timer = clock.after(pauseMs, () => {
      this.#timer = undefined;
      if (membership.maySettle()) this.begin();
    });
  }

  /** Settles the adopted view in the store, unless it is settled there already. */
  async #settle(): Promise<void> {
    const { membership, random, late, clock } = this.#context;
    const { signal } = this.#abort;
    if (membership.settled) return;
    let settledEpoch = 0;
    const outcome = await this.#proposer.propose((stored) => {
      if (!stored.settled && !membership.maySettle()) return undefined;
      settledEpoch = stored.epoch;
      const past = membership.remembered(late.since(clock.now()));
      return stored.settled ? undefined : settledView(stored, past, random.id());
    }, signal);
    if (outcome === "missing") throw new OperatingError("store_refused", `${viewName} is gone from the store`);
    // If another member was first, the next look finds it settled.
    if (outcome === "lost" || signal.aborted) return;
    // Others may have gone on to a newer view meanwhile, and this member with them.
    if (settledEpoch !== membership.epoch || membership.settled) return;
    membership.markSettled();
    this.#onSettled();
  }

  stop(): void {
    this.#abort.abort(new OperatingError("shutting_down", "the member is stopping"));
    this.#timer?.cancel();
  }
}
