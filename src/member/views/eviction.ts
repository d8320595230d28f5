/**
 * Eviction: a member that does not hear another proposes the view without it (V16). It must hear every member that this
 * view keeps, and enough of the earlier views must be kept. The larger the part that it would drop, the longer it
 * waits: so the larger side of a partition moves first.
 */

import { assert } from "../../base/assert.ts";
import type { Instant, Timer } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import { FailureDetector } from "../../core/failure-detector.ts";
import type { PeerIdentity } from "../../core/message.ts";
import type { View, ViewMember } from "../../core/view.ts";
import { droppedView, keepsHalf } from "../../core/view-changes.ts";
import type { ContextOf } from "../context.ts";
import type { MemberSettings } from "../settings.ts";
import type { Proposer } from "./proposer.ts";

type EvictionContext = ContextOf<"membership" | "clock" | "random" | "log" | "complaints" | "metrics"> & {
  readonly settings: Pick<MemberSettings, "suspectMs" | "pingMs">;
};

/**
 * A member that would drop all others waits this long, in milliseconds; one that would drop a part of them, that part
 * of it.
 */
const staggerMs = 300;

export class Eviction {
  readonly #context: EvictionContext;
  readonly #proposer: Proposer;
  readonly #detector: FailureDetector;
  readonly #abort = new AbortController();
  #tickedAt: Instant;
  /** A proposal is about to be made. */
  #timer: Timer | undefined;
  /** A proposal is under way. */
  #proposing = false;
  /** Since when members are silent that may not be dropped. */
  #lostSince: Instant | undefined;

  constructor(context: EvictionContext, proposer: Proposer) {
    this.#context = context;
    this.#proposer = proposer;
    this.#tickedAt = context.clock.now();
    const { suspectMs, pingMs } = context.settings;
    this.#detector = new FailureDetector({ suspectMs, tickMs: pingMs });
  }

  /** The members of the adopted view that do not answer. */
  get suspects(): readonly ViewMember[] {
    return this.#context.membership.peers.filter((peer) => this.#detector.suspects(peer.incarnation));
  }

  /** For how long members have been silent that may not be dropped, since too few would be left; 0 while none are. */
  get lostMs(): number {
    return this.#lostSince === undefined ? 0 : this.#context.clock.now() - this.#lostSince;
  }

  /** Whether the peer has answered just now. */
  isFresh(peer: PeerIdentity): boolean {
    return this.#detector.isFresh(peer.incarnation);
  }

  /** A view has been adopted: its members are watched from now on. */
  adoptView(): void {
    this.#lostSince = undefined;
    this.#detector.watch(this.#context.membership.peers.map((peer) => peer.incarnation));
  }

  /** The peer has answered a ping. */
  heard(peer: PeerIdentity): void {
    this.#detector.heard(peer.incarnation);
  }

  /** The peer has a link and does not do its work. */
  stuck(id: string): void {
    const peer = this.#context.membership.peers.find((each) => each.id === id);
    if (peer) this.#detector.stuck(peer.incarnation);
  }

  /** To be called with each round of pings. */
  tick(): void {
    const { clock, membership } = this.#context;
    const now = clock.now();
    assert(now >= this.#tickedAt, "the clock goes forward");
    this.#detector.tick(now - this.#tickedAt);
    this.#tickedAt = now;
    if (this.suspects.length === 0) this.#lostSince = undefined;
    if (membership.epoch === 0 || this.#proposing || this.#timer) return;
    const count = this.suspects.length;
    if (count === 0) return;
    assert(count < membership.view.members.length, "a member does not suspect itself");
    this.#timer = clock.after((staggerMs * count) / membership.view.members.length, () => {
      this.#timer = undefined;
      this.#begin();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#abort.abort(new OperatingError("shutting_down", "the member has ended"));
  }

  #begin(): void {
    assert(!this.#proposing, "one proposal at a time");
    assert(!this.#abort.signal.aborted, "a member that has ended proposes nothing");
    this.#proposing = true;
    this.#propose().then(
      () => {
        this.#proposing = false;
      },
      (error: unknown) => {
        this.#proposing = false;
        if (!isOperatingError(error)) throw error;
        if (this.#abort.signal.aborted) return;
        const message = "a member that is silent cannot be dropped and will be tried again";
        this.#context.complaints.warn("drop", message, { error });
      },
    );
  }

  async #propose(): Promise<void> {
    if (this.suspects.length === 0) return;
    const { signal } = this.#abort;
    let silent: readonly string[] = [];
    const outcome = await this.#proposer.propose((stored) => {
      // A member that is heard by now is kept, even if it was silent when this began.
      silent = this.suspects.map(({ id }) => id);
      return this.#without(silent, stored);
    }, signal);
    if (outcome === "won" && !signal.aborted) this.#context.metrics.views.dropped += silent.length;
  }

  /** The view without the silent members; undefined when it may not be proposed. */
  #without(silent: readonly string[], stored: View): View | undefined {
    const { membership, random, log, complaints } = this.#context;
    const kept = membership.peers.filter(({ id }) => !silent.includes(id));
    // While a member is neither heard nor suspected yet, it may be this one that is cut off (V18).
    if (silent.length === 0 || !kept.every(({ incarnation }) => this.#detector.isFresh(incarnation))) return undefined;
    const next = droppedView(stored, new Set(silent), random.id());
    // Enough of the earlier views must be kept (V17).
    if (!keepsHalf(next)) {
      const message = "members are silent and cannot be dropped: too few of the earlier ones would be left";
      complaints.warn("drop", message, { silent });
      this.#lostSince ??= this.#context.clock.now();
      return undefined;
    }
    this.#lostSince = undefined;
    log.warn("dropping members that are silent", { silent, epoch: next.epoch });
    return next;
  }
}
