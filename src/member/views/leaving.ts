/**
 * Leaving in order. A member first makes its own weight 0 (V27): so it owns nothing, and hands off everything as in any
 * view change. When that view is settled, it takes itself out (V28). The last owner has no member to hand off to: it
 * waits until everything is in the store.
 */

import { assert } from "../../base/assert.ts";
import { type Instant, sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import { listsProcess, type View, votersOf } from "../../core/view.ts";
import { leftView, reweightedView } from "../../core/view-changes.ts";
import type { ContextOf } from "../context.ts";
import type { Flusher } from "../flush/flusher.ts";
import type { Proposer, ViewObserver } from "./proposer.ts";
import type { StoredView, ViewRecord } from "./view-record.ts";

type LeavingContext = ContextOf<
  "membership" | "clock" | "random" | "log" | "complaints" | "buffer" | "requests" | "late" | "settings"
>;

export interface LeavingObserver extends Pick<ViewObserver, "onNewerEpoch"> {
  /** There is no member to hand off to: everything must go to the store, and nothing new be taken. */
  onLast(): void;
  /**
   * The next step is out of the view, where this member can ask no other. From now on it takes nothing new from
   * clients; resolves when what is under way is done, or after `withinMs` milliseconds.
   */
  onGoing(withinMs: number): Promise<void>;
  /** It is still in the view, and may be for long. */
  onStaying(): void;
}

/** Between two looks at the view, in milliseconds. */
const pollMs = 50;
/** Pause after the store has refused a swap, in milliseconds. */
const refusedPauseMs = 1_000;
/** A member that is about to go waits for what is under way at it, so many milliseconds at most. */
const goingMs = 1_000;
/** The last owner, when all is done, waits so many milliseconds for other members that are leaving to go first. */
const othersMs = 2_000;

export class Leaving {
  readonly #context: LeavingContext;
  readonly #record: ViewRecord;
  readonly #proposer: Proposer;
  readonly #flusher: Pick<Flusher, "idle">;
  readonly #weight: number;
  readonly #observer: LeavingObserver;
  #begun = false;
  /** Until then a member that is about to go waits, however often others are faster to change the view. */
  #goingUntil: Instant | undefined;
  /** Since when there has been nothing left to do but to wait for others that are leaving. */
  #emptySince: Instant | undefined;

  /** @param weight - what this member weighs when it is not leaving */
  constructor(
    context: LeavingContext,
    record: ViewRecord,
    proposer: Proposer,
    flusher: Pick<Flusher, "idle">,
    weight: number,
    observer: LeavingObserver,
  ) {
    this.#context = context;
    this.#record = record;
    this.#proposer = proposer;
    this.#flusher = flusher;
    this.#weight = weight;
    this.#observer = observer;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /**
   * Resolves when this process has left.
   *
   * @throws OperatingError `wrong_view` when the others have dropped it before it had handed off everything,
   * `shutting_down` when another process has its id; the signal's reason when the signal is aborted.
   */
  async leave(signal: AbortSignal): Promise<void> {
    const { membership, clock, log } = this.#context;
    this.#begun = true;
    if (membership.epoch === 0) return;
    log.info("leaving the cluster", { epoch: membership.epoch });
    for (;;) {
      // A refusal is borne, too: what this member holds is needed, so it waits for better times.
      const stored = await this.#record.readPatiently(signal, "store_refused");
      signal.throwIfAborted();
      if (stored && (await this.#step(stored, signal))) return;
      await sleep(clock, pollMs, signal);
    }
  }

  /** Takes the next step on what the store has. Resolves to whether this process is out of the view then. */
  async #step(stored: StoredView, signal: AbortSignal): Promise<boolean> {
    const { membership, log, clock } = this.#context;
    const isListed = listsProcess(stored.view, membership.self);
    // It is in the view, and no late swap of its own can put it out: it may go on.
    if (!stored.isOpen && isListed) this.#stay();
    if (!isListed && stored.view.epoch > membership.epoch) {
      this.#requireOrder(stored.view);
      return true;
    }
    let isGoing = false;
    try {
      const derive = async (view: View): Promise<View | undefined> => {
        const next = this.#next(view);
        isGoing = next !== undefined && !listsProcess(next, membership.self);
        if (isGoing) await this.#prepareToGo(signal);
        return next;
      };
      return (await this.#proposer.proposeOn(stored, derive, signal)) === "won" && isGoing;
    } catch (error) {
      if (!isOperatingError(error, "store_refused")) throw error;
      // What was open at the look counts, too:
      // 1. A swap of unknown outcome is open, and the look shows this member in the view.
      // 2. That swap takes effect: the member is out. Another part of it reads the record: nothing is open any more.
      // 3. The next swap is refused.
      // At 3 the member must not stay.
      if (!stored.isOpen && !this.#record.isOpen) this.#stay();
      log.warn("the store refuses the view without this node, which will be tried again", { error });
      await sleep(clock, refusedPauseMs, signal);
      return false;
    }
  }

  /** The next step is out of the view. */
  async #prepareToGo(signal: AbortSignal): Promise<void> {
    const { membership, clock } = this.#context;
    assert(this.#begun, "a member goes when it leaves");
    this.#goingUntil ??= clock.now() + goingMs;
    await this.#observer.onGoing(Math.max(0, this.#goingUntil - clock.now()));
    signal.throwIfAborted();
    // A process that comes into a view without members serves at once (V30). So from the moment of the swap on this
    // member must not serve, whenever it hears of the swap.
    membership.lease.suspend();
  }

  /** It is in the view, and no swap of its own can put it out of that unseen. */
  #stay(): void {
    assert(this.#begun, "a member that is not leaving has its lease");
    this.#context.membership.lease.resume();
    this.#observer.onStaying();
  }

  /** A newer view does not list this process. Throws unless that is the end of leaving in order. */
  #requireOrder(view: View): void {
    const { membership } = this.#context;
    // A swap of its own that was taken for lost, or another member has dropped it when it owned nothing any more:
    // either way nothing is missing.
    if (this.#hasNothing()) return;
    // The process that was started in its place goes on: if this one joined again, that one would end.
    if (view.members.some((member) => member.id === membership.self.id)) {
      this.#observer.onNewerEpoch(view.epoch);
      throw new OperatingError("shutting_down", "another process has joined the cluster under this node's id");
    }
    throw new OperatingError("wrong_view", "the others have dropped this node before it had handed off everything");
  }

  /**
   * Whether it owned nothing any more in the view that it knows, or, as the last owner, had everything in the store.
   */
  #hasNothing(): boolean {
    const { membership } = this.#context;
    if (!membership.settled) return false;
    return membership.entry.weight === 0 || (votersOf(membership.view).length === 1 && this.#isEmpty());
  }

  /**
   * Whether this member holds nothing that the store may lack (V29), and no other member may ask it once more for a
   * write: the next owner would do that write again. Nor may the store yet do what got no answer: the next owner would
   * not know of it.
   */
  #isEmpty(): boolean {
    const { buffer, requests, membership } = this.#context;
    const isDone = buffer.size === 0 && this.#flusher.idle && !requests.isAwaitedBy(membership.peers);
    return isDone && !this.#awaitsEffects();
  }

  /** Without a journal what it knows of requests without an answer ends with any stop. So it does not wait for them. */
  #awaitsEffects(): boolean {
    const { late, clock, settings, complaints } = this.#context;
    const keys = settings.journaled ? late.count(clock.now()) : 0;
    if (keys > 0)
      complaints.warn("leave", "the last node waits: the store may yet do requests without an answer", { keys });
    return keys > 0;
  }

  /** The next step that this member can take on the stored view. */
  #next(view: View): View | undefined {
    const { membership, clock, random } = this.#context;
    const { id } = membership.self;
    const own = view.members.find((member) => member.id === id)?.weight ?? 0;
    const isSettled = view.settled && membership.settled;
    if (view.members.some((member) => member.id !== id && member.weight > 0)) {
      if (own > 0) return reweightedView(view, id, 0, random.id());
      return isSettled ? leftView(view, id, random.id()) : undefined;
    }
    this.#observer.onLast();
    const isDone = isSettled && this.#isEmpty();
    // No member owns anything any more, and something may not have been handed over: this member owns everything again.
    if (own === 0 && this.#weight > 0 && !isDone) return reweightedView(view, id, this.#weight, random.id());
    if (!isDone) {
      this.#emptySince = undefined;
      return undefined;
    }
    // Others that are leaving, too, have nothing to wait for. If they are still there after a while, they stay, as
    // members that own nothing.
    this.#emptySince ??= clock.now();
    const isAlone = own === 0 || view.members.length === 1 || clock.now() - this.#emptySince >= othersMs;
    return isAlone ? leftView(view, id, random.id()) : undefined;
  }
}
