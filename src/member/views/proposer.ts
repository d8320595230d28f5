/**
 * How a running member changes the view: read the record, check that it is the adopted view, derive the next one, swap
 * that in, and tell of it. A caller brings only its rule, which derives the next view from the stored one.
 */

import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { hasSameMembers, listsProcess, type View, viewName } from "../../core/view.ts";
import type { ContextOf } from "../context.ts";
import type { StoredView, ViewRecord } from "./view-record.ts";

/** Is told of newer views, wherever a member comes across one. */
export interface ViewObserver {
  /** A newer view that lists this process: it is to be adopted. */
  onView(view: View): void;
  /** The store or another member has a view of this newer epoch: it is to be read. */
  onNewerEpoch(epoch: number): void;
}

/**
 * A rule: the view that is to follow the stored one, or undefined when there is nothing to do (any more). The stored
 * view is the adopted one, and perhaps settled meanwhile.
 */
export type Derive = (stored: View) => View | undefined | Promise<View | undefined>;

/**
 * What a proposal came to.
 *
 * - `won`: the next view is in the store.
 * - `lost`: it is not; as a rule another member's swap was first. The next look shows what is there.
 * - `moved`: the store has a view of another epoch than the adopted one.
 * - `nothing`: the rule gave no view, or the signal was aborted.
 * - `missing`: the store has no view.
 */
export type Outcome = "won" | "lost" | "moved" | "nothing" | "missing";

export class Proposer {
  readonly #context: ContextOf<"membership">;
  readonly #record: ViewRecord;
  readonly #observer: ViewObserver;

  constructor(context: ContextOf<"membership">, record: ViewRecord, observer: ViewObserver) {
    this.#context = context;
    this.#record = record;
    this.#observer = observer;
  }

  /**
   * Reads the record once, and proposes the view that `derive` makes of it. A failure ends the proposal; the caller
   * tries again when it wants to.
   *
   * @throws OperatingError of the store, as {@link ViewRecord.read} and {@link ViewRecord.swap}; `store_refused` when
   * it has another view of the adopted epoch; the signal's reason when the signal is aborted while a swap of unknown
   * outcome is resolved.
   */
  async propose(derive: Derive, signal: AbortSignal): Promise<Outcome> {
    const stored = await this.#record.read();
    if (signal.aborted) return "nothing";
    return stored ? await this.proposeOn(stored, derive, signal) : "missing";
  }

  /** The same on a record that has been read already. */
  async proposeOn(stored: StoredView, derive: Derive, signal: AbortSignal): Promise<Outcome> {
    const { membership } = this.#context;
    const { view } = stored;
    assert(membership.epoch > 0, "a process is in the view before it changes it so");
    // A member must know what it builds on: it has handed off nothing yet under a view that it has not adopted.
    if (view.epoch !== membership.epoch) {
      if (view.epoch > membership.epoch) this.#observer.onNewerEpoch(view.epoch);
      return "moved";
    }
    // Two views of one epoch: what follows from the stored one would not be what follows from the adopted one.
    if (!hasSameMembers(view, membership.view)) {
      throw new OperatingError(
        "store_refused",
        `${viewName} has other members under epoch ${view.epoch} than this node goes by: was an earlier state of it put back?`,
      );
    }
    const derived = derive(view);
    const next = derived instanceof Promise ? await derived : derived;
    if (!next) return "nothing";
    assert(
      next.epoch === view.epoch + 1 || (next.epoch === view.epoch && next.settled),
      "a view follows the stored one",
    );
    if (!(await this.#record.swap(stored, next, signal))) return "lost";
    if (!signal.aborted) this.#tell(next);
    return "won";
  }

  /** The swap has won. */
  #tell(next: View): void {
    const { membership } = this.#context;
    // This member may have adopted it already, from a peer. And a member that leaves is not in it (V5).
    if (next.epoch > membership.epoch && listsProcess(next, membership.self)) this.#observer.onView(next);
  }
}
