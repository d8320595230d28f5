/**
 * Store failover: a member that the store does not answer, while it answers others, would fill up with values that it cannot flush and refuse writes of its keys for ever. So a peer
 * makes its weight 0: it owns nothing, and hands off what it holds. When the store works for it again it takes its weight back.
 *
 * Single keys that the store refuses would be refused of any other member, too. Where nothing else is to be flushed they look like a store that takes nothing at all: so the
 * member tries the store out before others go by that.
 */

import type { Clock, Instant } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { Membership } from "../../core/membership.ts";
import type { StoreHealth } from "../../core/store-health.ts";
import type { View } from "../../core/view.ts";
import { reweightedView } from "../../core/view-changes.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import { tryStore } from "../flush/store-trial.ts";
import type { ViewRecord } from "./view-record.ts";

export interface StoreFailoverObserver {
  /** This member's swap has made this the newest view. */
  onView(view: View): void;
  /** The store has a view of this newer epoch. */
  onNewerEpoch(epoch: number): void;
}

export interface StoreFailoverParts {
  readonly membership: Membership;
  readonly record: ViewRecord;
  readonly store: Pick<BlobStore, "write">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly complaints: Complaints;
  /** What this member weighs when it is well. */
  readonly weight: number;
  /** How the store treats this member's flushes. */
  readonly health: StoreHealth;
  /** Whether all keys whose last flush failed are refused by the store. */
  readonly areAllRefused: () => boolean;
  readonly observer: StoreFailoverObserver;
}

/** For how long the store must have failed a member before it is relieved, in milliseconds. */
const failingMs = 30_000;
/** A member that is relieved tries the store again after this, and after twice as long each further time, up to the last; in milliseconds. */
const firstTrialMs = 5_000;
const lastTrialMs = 600_000;
/** While the store is not known to work for anybody, it tries after this at the latest. */
const idleTrialMs = 30_000;
/**
 * A member of which the store only refuses keys tries it out after this, and this long after the last time, in milliseconds: before anybody is told that the store
 * fails it (see `storeAwayMs`).
 */
const refusedMs = 2_000;

export class StoreFailover {
  readonly #parts: StoreFailoverParts;
  readonly #abort = new AbortController();
  #busy = false;
  #trialPauseMs = firstTrialMs;
  /** When this member, relieved, tries the store next. */
  #trialAt: Instant | undefined;
  /** When it last tried the store because of keys that are refused. */
  #triedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(parts: StoreFailoverParts) {
    this.#parts = parts;
  }

  /** To be called with each round of pings, unless this member is leaving. */
  tick(): void {
    const { membership, weight, health, clock, areAllRefused } = this.#parts;
    const now = clock.now();
    if (this.#busy || membership.epoch === 0) return;
    // A view in which nobody owns anything may never be settled: the last owner was given up.
    if (membership.isOwned && !membership.settled) return;
    if (membership.entry.weight === 0 && weight > 0) this.#tryStore();
    else if (health.works(now)) this.#relieveOthers();
    else if (health.failingMs(now) >= refusedMs && areAllRefused()) this.#tryForOthers(now);
  }

  stop(): void {
    this.#abort.abort();
  }

  #relieveOthers(): void {
    const { membership, log } = this.#parts;
    const failing = membership.peers.find(
      (peer) => peer.weight > 0 && (membership.stateOf(peer)?.storeFailingMs ?? 0) >= failingMs,
    );
    if (!failing) return;
    log.warn("the store does not answer a member, which is relieved of its keys", { member: failing.id });
    this.#run(this.#reweigh(failing.id, 0));
  }

  /** This member owns nothing: it has been relieved, in this life or an earlier one. */
  #tryStore(): void {
    const { clock, membership } = this.#parts;
    const now = clock.now();
    this.#trialAt ??= now + this.#trialPauseMs;
    // Nobody serves anything until one of the members owns it.
    if (!membership.isOwned) this.#trialAt = Math.min(this.#trialAt, now + firstTrialMs);
    // And those who do may have lost the store themselves, and with it all that is left of a lease.
    else if (!this.#doOwnersWork()) this.#trialAt = Math.min(this.#trialAt, now + idleTrialMs);
    if (now < this.#trialAt) return;
    this.#trialAt = undefined;
    this.#trialPauseMs = Math.min(lastTrialMs, this.#trialPauseMs * 2);
    this.#run(this.#takeBack());
  }

  /** Whether the store is known to work for somebody who owns something. */
  #doOwnersWork(): boolean {
    const { membership } = this.#parts;
    return membership.peers.some((peer) => peer.weight > 0 && membership.stateOf(peer)?.storeWorks === true);
  }

  #tryForOthers(now: Instant): void {
    if (now - this.#triedAt < refusedMs) return;
    this.#triedAt = now;
    const { store, health, membership } = this.#parts;
    this.#run(tryStore(store, membership.self.id).then(() => health.forgive()));
  }

  async #takeBack(): Promise<void> {
    const { membership, store, log, weight } = this.#parts;
    await tryStore(store, membership.self.id);
    log.info("the store answers this node again, which takes its keys back");
    await this.#reweigh(membership.self.id, weight);
  }

  async #reweigh(id: string, weight: number): Promise<void> {
    const { membership, record, random, observer } = this.#parts;
    const stored = await record.read();
    if (!stored || this.#abort.signal.aborted) return;
    if (stored.view.epoch !== membership.epoch) {
      observer.onNewerEpoch(stored.view.epoch);
      return;
    }
    // Another peer may have been first.
    if (!stored.view.members.some((member) => member.id === id && member.weight !== weight)) return;
    const next = reweightedView(stored.view, id, weight, random.id());
    // Somebody must own the keys.
    if (!next.members.some((member) => member.weight > 0)) return;
    if ((await record.swap(stored, next, this.#abort.signal)) && !this.#abort.signal.aborted) observer.onView(next);
  }

  #run(work: Promise<void>): void {
    this.#busy = true;
    work.then(
      () => {
        this.#busy = false;
      },
      (error: unknown) => {
        this.#busy = false;
        if (this.#abort.signal.aborted) return;
        if (!isOperatingError(error)) throw error;
        this.#parts.complaints.warn(
          "relief",
          "the store can't be tried out, or a weight can't be changed; both will be tried again",
          { error },
        );
      },
    );
  }
}
