/**
 * Leaving in order: a member first makes its own weight 0, so that it owns nothing and hands everything off as in any view change; when that view is settled, it takes itself out. The
 * last owner has nobody to hand off to: it waits until everything is in the store.
 */

import { type Clock, type Instant, sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { Membership } from "../../core/membership.ts";
import { listsProcess, type View, votersOf } from "../../core/view.ts";
import { leftView, reweightedView } from "../../core/view-changes.ts";
import type { StoredView, ViewRecord } from "./view-record.ts";

export interface LeavingObserver {
  /** A swap of this member's has made this the newest view. */
  onView(view: View): void;
  /** The store has a view of this newer epoch. */
  onNewerEpoch(epoch: number): void;
  /** There is nobody to hand off to: everything must go to the store, and nothing new be taken. */
  onLast(): void;
  /** The next step is out of the view, where it can ask nobody: takes nothing new from clients, and resolves when what is under way is done, or after `withinMs`. */
  onGoing(withinMs: number): Promise<void>;
  /** It is still in the view, and may be for long. */
  onStaying(): void;
}

export interface LeavingParts {
  readonly membership: Membership;
  readonly record: ViewRecord;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What this member weighs when it is not leaving. */
  readonly weight: number;
  /** Whether this member holds nothing that the store may lack, and no other member may ask it once more for a write: the next owner would do that again. */
  readonly isEmpty: () => boolean;
  readonly observer: LeavingObserver;
}

/** Between two looks at the view, in milliseconds. */
const pollMs = 50;
/** Pause after the store has refused a swap, in milliseconds. */
const refusedPauseMs = 1_000;
/** A member that is about to go gives what is under way at it so long to be done, in milliseconds. */
const goingMs = 1_000;
/** How long the last owner, when all is done, waits for others that are leaving to go first, in milliseconds. */
const othersMs = 2_000;

export class Leaving {
  readonly #parts: LeavingParts;
  #begun = false;
  /** What is under way when it is about to go is waited for until then, however often others are faster to change the view. */
  #goingUntil: Instant | undefined;
  /** Since when there has been nothing left to do but to wait for others that are leaving. */
  #emptySince: Instant | undefined;

  constructor(parts: LeavingParts) {
    this.#parts = parts;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /**
   * Resolves when this process has left.
   * @throws OperatingError `wrong_view` when the others have dropped it before it had handed off everything, `shutting_down` when another process has its id; the signal's reason when that is aborted.
   */
  async leave(signal: AbortSignal): Promise<void> {
    const { membership, record, clock, log, observer } = this.#parts;
    this.#begun = true;
    if (membership.epoch === 0) return;
    log.info("leaving the cluster", { epoch: membership.epoch });
    for (;;) {
      const lookedAt = clock.now();
      const isOpen = lookedAt < record.openUntil;
      const stored = await record.readPatiently(signal, "store_refused");
      signal.throwIfAborted();
      // A member that is still in the view, and cannot be put out of it by a late swap of its own, may go on.
      if (stored && !isOpen && listsProcess(stored.view, membership.self)) this.#stay();
      if (stored && stored.view.epoch > membership.epoch) {
        if (!listsProcess(stored.view, membership.self)) {
          // A swap of its own that was taken for lost, or somebody else's of a member that owned nothing any more: either way nothing is missing.
          if (this.#hasNothing()) return;
          // The process that was started in its place goes on: if this one joined again, that one would end.
          if (stored.view.members.some((member) => member.id === membership.self.id)) {
            observer.onNewerEpoch(stored.view.epoch);
            throw new OperatingError("shutting_down", "another process has joined the cluster under this node's id");
          }
          throw new OperatingError(
            "wrong_view",
            "the others have dropped this node before it had handed off everything",
          );
        }
        observer.onNewerEpoch(stored.view.epoch);
      } else if (stored && stored.view.epoch === membership.epoch) {
        const next = this.#next(stored);
        const isOut = next !== undefined && !listsProcess(next, membership.self);
        if (isOut) {
          this.#goingUntil ??= clock.now() + goingMs;
          await observer.onGoing(Math.max(0, this.#goingUntil - clock.now()));
          signal.throwIfAborted();
          // Whoever comes into a view without members serves at once: from the moment of the swap on this member must not, whenever it hears of it.
          membership.lease.suspend();
        }
        if (next && (await this.#swap(stored, next, lookedAt, signal))) {
          if (isOut) return;
          if (next.epoch > membership.epoch) observer.onView(next);
        }
      }
      await sleep(clock, pollMs, signal);
    }
  }

  /** Whatever the store says: what this member holds is needed, so it waits for better times. */
  async #swap(stored: StoredView, next: View, lookedAt: Instant, signal: AbortSignal): Promise<boolean> {
    const { record, clock, log } = this.#parts;
    try {
      return await record.swap(stored, next, signal);
    } catch (error) {
      if (!isOperatingError(error, "store_refused")) throw error;
      // Not by the time of the refusal: one that could be late since the look may have put this member out, and not be late any more.
      if (lookedAt >= record.openUntil) this.#stay();
      log.warn("the store refuses the view without this node, which will be tried again", { error });
      await sleep(clock, refusedPauseMs, signal);
      return false;
    }
  }

  /** It is in the view, and no swap of its own can put it out of that unseen. */
  #stay(): void {
    this.#parts.membership.lease.resume();
    this.#parts.observer.onStaying();
  }

  /** Whether it owned nothing any more in the view that it knows, or, as the last owner, had everything in the store. */
  #hasNothing(): boolean {
    const { membership, isEmpty } = this.#parts;
    if (!membership.settled) return false;
    return membership.entry.weight === 0 || (votersOf(membership.view).length === 1 && isEmpty());
  }

  /** The next step that this member can take. */
  #next({ view }: StoredView): View | undefined {
    const { membership, clock, random, weight, observer, isEmpty } = this.#parts;
    const { id } = membership.self;
    const own = view.members.find((member) => member.id === id)?.weight ?? 0;
    const isSettled = view.settled && membership.settled;
    if (view.members.some((member) => member.id !== id && member.weight > 0)) {
      if (own > 0) return reweightedView(view, id, 0, random.id());
      return isSettled ? leftView(view, id, random.id()) : undefined;
    }
    observer.onLast();
    const isDone = isSettled && isEmpty();
    // Nobody owns anything any more, and something may not have been handed over: this member owns everything again.
    if (own === 0 && weight > 0 && !isDone) return reweightedView(view, id, weight, random.id());
    if (!isDone) {
      this.#emptySince = undefined;
      return undefined;
    }
    // Others that are leaving, too, have nothing to wait for: if they are still there after a while, they stay, as members that own nothing.
    this.#emptySince ??= clock.now();
    const isAlone = own === 0 || view.members.length === 1 || clock.now() - this.#emptySince >= othersMs;
    return isAlone ? leftView(view, id, random.id()) : undefined;
  }
}
