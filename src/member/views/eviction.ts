/**
 * Eviction: a member that does not hear another proposes the view without it, if it hears everyone whom that view keeps, and enough of the earlier views are kept. The larger the part
 * that it would drop, the longer it waits, so that the larger side of a partition moves first.
 */

import type { Clock, Instant, Timer } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import { FailureDetector } from "../../core/failure-detector.ts";
import type { Membership } from "../../core/membership.ts";
import type { PeerIdentity } from "../../core/message.ts";
import type { View, ViewMember } from "../../core/view.ts";
import { droppedView, keepsHalf } from "../../core/view-changes.ts";
import type { MemberMetrics } from "../metrics.ts";
import type { ViewRecord } from "./view-record.ts";

export interface EvictionObserver {
  /** This member's proposal is the newest view. */
  onView(view: View): void;
  /** The store has a view of this newer epoch. */
  onNewerEpoch(epoch: number): void;
}

export interface EvictionParts {
  readonly membership: Membership;
  readonly record: ViewRecord;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly complaints: Complaints;
  readonly metrics: MemberMetrics;
  /** D, and the time between two pings, in milliseconds. */
  readonly suspectMs: number;
  readonly pingMs: number;
  readonly observer: EvictionObserver;
}

/** A member that would drop all others waits this long, in milliseconds; one that would drop a part of them, that part of it. */
const staggerMs = 300;

export class Eviction {
  readonly #parts: EvictionParts;
  readonly #detector: FailureDetector;
  readonly #abort = new AbortController();
  #tickedAt: Instant;
  /** A proposal is about to be made, or is under way. */
  #timer: Timer | undefined;
  #proposing = false;

  constructor(parts: EvictionParts) {
    this.#parts = parts;
    this.#tickedAt = parts.clock.now();
    this.#detector = new FailureDetector({ suspectMs: parts.suspectMs, tickMs: parts.pingMs });
  }

  /** The members of the adopted view that do not answer. */
  get suspects(): readonly ViewMember[] {
    return this.#parts.membership.peers.filter((peer) => this.#detector.suspects(peer.incarnation));
  }

  /** Under a view just adopted, its members are watched. */
  adoptView(): void {
    this.#detector.watch(this.#parts.membership.peers.map((peer) => peer.incarnation));
  }

  /** The peer has answered a ping. */
  heard(peer: PeerIdentity): void {
    this.#detector.heard(peer.incarnation);
  }

  /** The peer has a link and does not do its work. */
  stuck(id: string): void {
    const peer = this.#parts.membership.peers.find((each) => each.id === id);
    if (peer) this.#detector.stuck(peer.incarnation);
  }

  /** To be called with each round of pings. */
  tick(): void {
    const { clock, membership } = this.#parts;
    const now = clock.now();
    this.#detector.tick(now - this.#tickedAt);
    this.#tickedAt = now;
    if (membership.epoch === 0 || this.#proposing || this.#timer) return;
    const count = this.suspects.length;
    if (count === 0) return;
    this.#timer = clock.after((staggerMs * count) / membership.view.members.length, () => {
      this.#timer = undefined;
      this.#proposing = true;
      this.#propose().then(
        () => {
          this.#proposing = false;
        },
        (error: unknown) => {
          this.#proposing = false;
          if (!isOperatingError(error)) throw error;
          if (this.#abort.signal.aborted) return;
          this.#parts.complaints.warn("drop", "a member that is silent cannot be dropped and will be tried again", {
            error,
          });
        },
      );
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#abort.abort(new OperatingError("shutting_down", "the member has ended"));
  }

  async #propose(): Promise<void> {
    const { membership, record, random, log, complaints, metrics, observer } = this.#parts;
    if (this.suspects.length === 0) return;
    const stored = await record.read();
    if (this.#abort.signal.aborted || !stored) return;
    if (stored.view.epoch !== membership.epoch) {
      observer.onNewerEpoch(stored.view.epoch);
      return;
    }
    // Whoever is heard now is kept, even if it was silent when this began. While one is neither heard nor suspected yet, it may be this member that is cut off.
    const ids = this.suspects.map(({ id }) => id);
    const kept = membership.peers.filter(({ id }) => !ids.includes(id));
    if (ids.length === 0 || !kept.every(({ incarnation }) => this.#detector.isFresh(incarnation))) return;
    const next = droppedView(stored.view, new Set(ids), random.id());
    if (!keepsHalf(next)) {
      complaints.warn("drop", "members are silent and cannot be dropped: too few of the earlier ones would be left", {
        silent: ids,
      });
      return;
    }
    log.warn("dropping members that are silent", { silent: ids, epoch: next.epoch });
    if (!(await record.swap(stored, next, this.#abort.signal)) || this.#abort.signal.aborted) return;
    metrics.views.dropped += ids.length;
    observer.onView(next);
  }
}
