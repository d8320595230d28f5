/**
 * Store failover: the store may not answer one member while it answers others. That member would fill up with values
 * that it cannot flush, and refuse writes of its keys for ever. So a peer makes its weight 0: the member owns nothing
 * then, and hands off what it holds. When the store works for it again, it takes its weight back (V31).
 *
 * Single keys that the store refuses would be refused of any other member, too. Where a member has nothing else to
 * flush, they look like a store that takes nothing at all. So the member tries the store out before others go by that.
 */

import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Backlog } from "../../core/backlog.ts";
import type { StoreHealth } from "../../core/store-health.ts";
import type { View } from "../../core/view.ts";
import { reweightedView } from "../../core/view-changes.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import { tryStore } from "../flush/store-trial.ts";
import type { Proposer } from "./proposer.ts";

type StoreFailoverContext = ContextOf<"membership" | "clock" | "random" | "log" | "complaints"> & {
  readonly store: Pick<BlobStore, "write">;
};

/** The store must have failed a member for so long, in milliseconds, before a peer takes over from it. */
const failingMs = 30_000;
/**
 * A member that owns nothing tries the store again after the first of these, and after twice as long each further time,
 * up to the last; in milliseconds.
 */
const firstTrialMs = 5_000;
const lastTrialMs = 600_000;
/**
 * While the store is not known to work for any owner, such a member tries it after this at the latest; in milliseconds.
 */
const idleTrialMs = 30_000;
/**
 * A member whose keys alone are refused tries the store after this, and this long after the last time, in milliseconds:
 * before operators are told that the store fails it (see `storeAwayMs`).
 */
const refusedMs = 2_000;

export class StoreFailover {
  readonly #context: StoreFailoverContext;
  readonly #proposer: Proposer;
  readonly #health: StoreHealth;
  readonly #backlog: Pick<Backlog, "failingCount" | "refusedCount">;
  readonly #weight: number;
  readonly #abort = new AbortController();
  /** A trial or a proposal is under way. */
  #busy = false;
  #trialPauseMs = firstTrialMs;
  /** When this member, while it owns nothing, tries the store next. */
  #trialAt: Instant | undefined;
  /** When it last tried the store because of keys that are refused. */
  #triedAt: Instant = Number.NEGATIVE_INFINITY;

  /**
   * @param health - how the store treats this member's flushes
   * @param weight - what this member weighs when it is well
   */
  constructor(
    context: StoreFailoverContext,
    proposer: Proposer,
    health: StoreHealth,
    backlog: Pick<Backlog, "failingCount" | "refusedCount">,
    weight: number,
  ) {
    this.#context = context;
    this.#proposer = proposer;
    this.#health = health;
    this.#backlog = backlog;
    this.#weight = weight;
  }

  /** To be called with each round of pings, unless this member is leaving. */
  tick(): void {
    const { membership, clock } = this.#context;
    const now = clock.now();
    if (this.#busy || membership.epoch === 0) return;
    // A view in which no member owns anything may never be settled: what the last owner held was forgotten.
    if (membership.isOwned && !membership.settled) return;
    if (membership.entry.weight === 0 && this.#weight > 0) this.#tryToReturn(now);
    else if (this.#health.works(now)) this.#takeOver();
    else if (this.#health.failingMs(now) >= refusedMs && this.#areAllRefused()) this.#tryForOthers(now);
  }

  stop(): void {
    this.#abort.abort();
  }

  /** The store works here: if it fails a peer, that peer gives up its keys. */
  #takeOver(): void {
    const { membership, log } = this.#context;
    const failing = membership.peers.find(
      (peer) => peer.weight > 0 && (membership.stateOf(peer)?.storeFailingMs ?? 0) >= failingMs,
    );
    if (!failing) return;
    log.warn("the store does not answer a member, which is relieved of its keys", { member: failing.id });
    this.#run(this.#reweigh(failing.id, 0));
  }

  /** This member owns nothing: a peer has taken over from it, in this life or an earlier one. */
  #tryToReturn(now: Instant): void {
    assert(this.#trialPauseMs >= firstTrialMs && this.#trialPauseMs <= lastTrialMs, "the pause is within its bounds");
    this.#trialAt ??= now + this.#trialPauseMs;
    // Nothing is served until a member owns it.
    if (!this.#context.membership.isOwned) this.#trialAt = Math.min(this.#trialAt, now + firstTrialMs);
    // The owners may have lost the store themselves, and with it all that is left of a lease.
    else if (!this.#doOwnersWork()) this.#trialAt = Math.min(this.#trialAt, now + idleTrialMs);
    if (now < this.#trialAt) return;
    this.#trialAt = undefined;
    this.#trialPauseMs = Math.min(lastTrialMs, this.#trialPauseMs * 2);
    this.#run(this.#takeBack());
  }

  /** Whether the store is known to work for a member that owns something. */
  #doOwnersWork(): boolean {
    const { membership } = this.#context;
    return membership.peers.some((peer) => peer.weight > 0 && membership.stateOf(peer)?.storeWorks === true);
  }

  /** Whether all keys whose last flush failed are refused by the store. */
  #areAllRefused(): boolean {
    return this.#backlog.failingCount === this.#backlog.refusedCount;
  }

  /** If the store takes something else, it is not the store that fails. */
  #tryForOthers(now: Instant): void {
    if (now - this.#triedAt < refusedMs) return;
    this.#triedAt = now;
    const { store, membership } = this.#context;
    this.#run(tryStore(store, membership.self.id).then(() => this.#health.forgive()));
  }

  async #takeBack(): Promise<void> {
    const { membership, store, log } = this.#context;
    await tryStore(store, membership.self.id);
    log.info("the store answers this node again, which takes its keys back");
    await this.#reweigh(membership.self.id, this.#weight);
  }

  async #reweigh(id: string, weight: number): Promise<void> {
    await this.#proposer.propose((stored) => this.#reweighted(stored, id, weight), this.#abort.signal);
  }

  #reweighted(stored: View, id: string, weight: number): View | undefined {
    // Another peer may have been first.
    if (!stored.members.some((member) => member.id === id && member.weight !== weight)) return undefined;
    const next = reweightedView(stored, id, weight, this.#context.random.id());
    // Some member must own the keys.
    return next.members.some((member) => member.weight > 0) ? next : undefined;
  }

  #run(work: Promise<void>): void {
    assert(!this.#busy, "one trial or proposal at a time");
    this.#busy = true;
    work.then(
      () => {
        this.#busy = false;
      },
      (error: unknown) => {
        this.#busy = false;
        if (this.#abort.signal.aborted) return;
        if (!isOperatingError(error)) throw error;
        const message = "the store can't be tried out, or a weight can't be changed; both will be tried again";
        this.#context.complaints.warn("relief", message, { error });
      },
    );
  }
}
