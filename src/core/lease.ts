/**
 * The lease: the right to answer under the adopted view. It is confirmed by more than half of the view's voters, itself included ("I have adopted this
 * epoch", so it confirms no older one any more), or by the store (a read that shows this epoch), and lasts for T from when the confirming request was *sent*. Whoever
 * takes over after a drop waits T, so two members never hold leases on different views that both may serve a key.
 *
 * Of T its holder counts a part only, for clocks whose rates differ. It counts on two clocks: the monotonic one may stand still while the host sleeps, the wall clock
 * may be set; the lease ends when either says so, and when the wall clock is seen to have been set back.
 */

import type { Clock, Instant } from "../base/clock.ts";

/** When a request was sent, on both clocks of this process. */
export interface SentAt {
  readonly now: Instant;
  readonly wallMs: number;
}

/** The holder's part of T: clocks may differ by less than the rest. */
const heldPart = 0.95;
/** A wall clock that goes back by no more than this, in milliseconds, is being adjusted, not set. */
const wallSlackMs = 10;

const expired: SentAt = Object.freeze({ now: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY });
const always: SentAt = Object.freeze({ now: Number.POSITIVE_INFINITY, wallMs: Number.POSITIVE_INFINITY });

export class Lease {
  readonly #clock: Clock;
  #heldMs = 0;
  /** How many peers must confirm, beside this member itself; Infinity where only the store can. */
  #quorum = Number.POSITIVE_INFINITY;
  /** By id of the peer. */
  readonly #confirmed = new Map<string, SentAt>();
  #byStore: SentAt | undefined;
  #until: SentAt = expired;
  #isSuspended = false;
  /** The latest that the wall clock has shown. */
  #latestWallMs = Number.NEGATIVE_INFINITY;
  /** When it was last seen to have been set back: what was asked before confirms nothing. */
  #setBackAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** This moment, to be handed to {@link confirm} when the request that is sent now is answered. */
  stamp(): SentAt {
    const wallMs = this.#wallMs();
    return { now: this.#clock.now(), wallMs };
  }

  /**
   * Under a view just adopted it has to be earned anew.
   *
   * @param peers - how many voters of the view have to confirm it, beside this member; Infinity: only the store can
   */
  reset(peers: number, leaseMs: number): void {
    this.#heldMs = leaseMs * heldPart;
    this.#quorum = peers;
    this.#confirmed.clear();
    this.#byStore = undefined;
    this.#until = expired;
    this.#renew();
  }

  /** It is gone for good: this member has ended. */
  void(): void {
    this.reset(Number.POSITIVE_INFINITY, 0);
  }

  /** It is not used until {@link resume}, however it is confirmed. */
  suspend(): void {
    this.#isSuspended = true;
  }

  resume(): void {
    this.#isSuspended = false;
  }

  /** The peer's answer to a request sent then says that it has adopted the same epoch. */
  confirm(peer: string, sentAt: SentAt): void {
    const earlier = this.#confirmed.get(peer);
    if ((earlier && earlier.now >= sentAt.now) || this.#isVoid(sentAt)) return;
    this.#confirmed.set(peer, sentAt);
    this.#renew();
  }

  /** A read of the view, sent then, shows this epoch. */
  confirmByStore(sentAt: SentAt): void {
    if ((this.#byStore && this.#byStore.now >= sentAt.now) || this.#isVoid(sentAt)) return;
    this.#byStore = sentAt;
    this.#renew();
  }

  /** Whether it is held at this moment. */
  held(): boolean {
    return !this.#isSuspended && this.#wallMs() < this.#until.wallMs && this.#clock.now() < this.#until.now;
  }

  /** For how long it is still held unless it is confirmed again, in milliseconds; Infinity for a member that confirms itself. */
  get leftMs(): number {
    return Math.max(0, Math.min(this.#until.now - this.#clock.now(), this.#until.wallMs - this.#wallMs()));
  }

  /** The wall clock's time. What was confirmed before it was set back counts no more: the host may have slept, and nobody could tell. */
  #wallMs(): number {
    const wallMs = this.#clock.wallMs();
    if (wallMs < this.#latestWallMs - wallSlackMs) {
      this.#confirmed.clear();
      this.#byStore = undefined;
      this.#latestWallMs = wallMs;
      this.#setBackAt = this.#clock.now();
      this.#renew();
    }
    if (wallMs > this.#latestWallMs) this.#latestWallMs = wallMs;
    return wallMs;
  }

  /** Whether the wall clock has been set back since, so that it cannot tell how long ago that was. */
  #isVoid(sentAt: SentAt): boolean {
    const wallMs = this.#wallMs();
    return sentAt.now < this.#setBackAt || sentAt.wallMs > wallMs + wallSlackMs;
  }

  #renew(): void {
    const byPeers = this.#confirmedByPeers();
    const byStore = this.#byStore ?? expired;
    const from = byPeers.now >= byStore.now ? byPeers : byStore;
    this.#until = { now: from.now + this.#heldMs, wallMs: from.wallMs + this.#heldMs };
  }

  /** The moment by which enough peers had been asked: of the freshest confirmations the oldest that is needed. */
  #confirmedByPeers(): SentAt {
    if (this.#quorum === 0) return always;
    if (this.#confirmed.size < this.#quorum) return expired;
    const freshest = [...this.#confirmed.values()].sort((a, b) => b.now - a.now).slice(0, this.#quorum);
    return {
      now: Math.min(...freshest.map(({ now }) => now)),
      wallMs: Math.min(...freshest.map(({ wallMs }) => wallMs)),
    };
  }
}

/**
 * How many voters of a view must confirm a lease, beside the member itself, so that they are more than half of them. Infinity where only the store can: a voter alone that
 * has to write through anyway, because nobody is left who could take its word back.
 *
 * @param replicas - R
 */
export function peersNeeded(voters: number, isVoter: boolean, replicas: number): number {
  if (!isVoter) return Math.floor(voters / 2) + 1;
  return voters === 1 && replicas > 1 ? Number.POSITIVE_INFINITY : Math.floor(voters / 2);
}
