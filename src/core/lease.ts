/**
 * The lease: the right to answer under the adopted view. It lasts for T from when the confirming request was *sent*.
 * Two things confirm it:
 *
 * - More than half of the view's voters, this member included. Each says "I have adopted this epoch", so it confirms no
 *   older epoch any more.
 * - The store: a read of the view that shows this epoch.
 *
 * After a drop, the new primary waits T. So two members never hold leases on different views that both may serve a key.
 *
 * The holder counts only a part of T, because clocks may run at different rates. It counts on two clocks. The monotonic
 * clock may stand still while the host sleeps; the wall clock may be set. The lease ends when either clock says so, and
 * when the wall clock is seen to have been set back.
 */

import type { Clock, Instant } from "../base/clock.ts";

/** When a request was sent, on both clocks of this process. */
export interface SentAt {
  readonly now: Instant;
  readonly wallMs: number;
}

/** The holder's part of T. The rates of clocks may differ by less than the rest (V11). */
const heldPart = 0.95;
/** A wall clock that goes back by at most this, in milliseconds, is being adjusted, not set. */
const wallSlackMs = 10;

const expired: SentAt = Object.freeze({ now: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY });
const always: SentAt = Object.freeze({ now: Number.POSITIVE_INFINITY, wallMs: Number.POSITIVE_INFINITY });

export class Lease {
  readonly #clock: Clock;
  #heldMs = 0;
  /** How many peers must confirm, beside this member itself. Infinity when only the store can. */
  #quorum = Number.POSITIVE_INFINITY;
  /** By id of the peer. */
  readonly #confirmed = new Map<string, SentAt>();
  #byStore: SentAt | undefined;
  #until: SentAt = expired;
  #isSuspended = false;
  /** The latest time that the wall clock has shown. */
  #latestWallMs = Number.NEGATIVE_INFINITY;
  /** When the wall clock was last seen to have been set back. Answers to earlier requests confirm nothing. */
  #setBackAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** This moment on both clocks. Hand it to {@link confirm} when the request that is sent now is answered (V10). */
  stamp(): SentAt {
    const wallMs = this.#wallMs();
    return { now: this.#clock.now(), wallMs };
  }

  /**
   * Starts anew under a view just adopted: the lease has to be earned again (V13).
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

  /** This member has ended: the lease is gone for good. */
  void(): void {
    this.reset(Number.POSITIVE_INFINITY, 0);
  }

  /** The lease is not used until {@link resume}, however it is confirmed (V30). */
  suspend(): void {
    this.#isSuspended = true;
  }

  resume(): void {
    this.#isSuspended = false;
  }

  /** The peer's answer to a request that was sent at `sentAt` says that it has adopted the same epoch (V9, V10). */
  confirm(peer: string, sentAt: SentAt): void {
    const earlier = this.#confirmed.get(peer);
    if ((earlier && earlier.now >= sentAt.now) || this.#isVoid(sentAt)) return;
    this.#confirmed.set(peer, sentAt);
    this.#renew();
  }

  /** A read of the view that was sent at `sentAt` shows this epoch (V9, V10). */
  confirmByStore(sentAt: SentAt): void {
    if ((this.#byStore && this.#byStore.now >= sentAt.now) || this.#isVoid(sentAt)) return;
    this.#byStore = sentAt;
    this.#renew();
  }

  /** Whether this member holds the lease at this moment (V8, V12). */
  held(): boolean {
    return !this.#isSuspended && this.#wallMs() < this.#until.wallMs && this.#clock.now() < this.#until.now;
  }

  /**
   * How much longer the lease is held if nothing confirms it, in milliseconds. Infinity for a member that confirms
   * itself.
   */
  get leftMs(): number {
    // Nothing is noted here: how often somebody looks at the status must change nothing.
    const wallMs = this.#clock.wallMs();
    if (this.#quorum > 0 && this.#isSetBack(wallMs)) return 0;
    return Math.max(0, Math.min(this.#until.now - this.#clock.now(), this.#until.wallMs - wallMs));
  }

  /**
   * The wall clock's time. A clock that was set back voids all earlier confirmations: the host may have slept, and
   * nobody could tell (V12).
   */
  #wallMs(): number {
    const wallMs = this.#clock.wallMs();
    if (this.#isSetBack(wallMs)) {
      this.#confirmed.clear();
      this.#byStore = undefined;
      this.#latestWallMs = wallMs;
      this.#setBackAt = this.#clock.now();
      this.#renew();
    }
    if (wallMs > this.#latestWallMs) this.#latestWallMs = wallMs;
    return wallMs;
  }

  #isSetBack(wallMs: number): boolean {
    return wallMs < this.#latestWallMs - wallSlackMs;
  }

  /** Whether the wall clock has been set back since `sentAt`. Then it cannot tell how long ago that was. */
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

  /**
   * The moment at which the last of enough peers had been asked: the oldest of the freshest `#quorum` confirmations.
   */
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
 * How many voters of a view must confirm a lease, beside the member itself, to be more than half of them. Infinity when
 * only the store can. That is a voter alone which writes through anyway: nobody is left who could take its word
 * back (V9).
 *
 * @param replicas - R
 */
export function peersNeeded(voters: number, isVoter: boolean, replicas: number): number {
  if (!isVoter) return Math.floor(voters / 2) + 1;
  return voters === 1 && replicas > 1 ? Number.POSITIVE_INFINITY : Math.floor(voters / 2);
}
