/**
 * The life of a view, as it runs through one member:
 *
 * 1. *Adopted*: the newer view is taken on in one step. From then on this member answers nothing. It goes through all
 *    that it holds, a slice at a time, and removes what does not count any more. Then the adoption is journaled.
 * 2. *Delivered*: the primary of every key has all that this member held.
 * 3. *Activated*: every member has delivered, and no older view can be served any more. Primaries serve their new keys.
 * 4. *Handed off*: every other owner, too, has all that this member held.
 * 5. *Settled*: every member has handed off, and the store says so.
 *
 * The parts know what each step means for them; here is the order. See ARCHITECTURE.md.
 */

import { assert } from "../../base/assert.ts";
import type { Instant, Timer } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Lane } from "../../base/slices.ts";
import type { RequestId } from "../../core/entry.ts";
import type { Flight, KeyState } from "../../core/key-state.ts";
import type { Membership } from "../../core/membership.ts";
import type { RequestOutcome } from "../../core/message.ts";
import { type View, type ViewMember, votersOf } from "../../core/view.ts";
import type { AdoptRecord } from "../../journal/journal.ts";
import type { ContextOf } from "../context.ts";
import type { Cleaner } from "../flush/cleaner.ts";
import type { FlushQueue } from "../flush/flush-queue.ts";
import type { Flusher } from "../flush/flusher.ts";
import { cachedKeys } from "../keys/cache.ts";
import type { DurableWrites } from "../keys/durable-writes.ts";
import type { Inheritance } from "../keys/inheritance.ts";
import type { Primary } from "../keys/primary.ts";
import type { ReadPath } from "../keys/read-path.ts";
import type { Router } from "../route/router.ts";
import type { Eviction } from "./eviction.ts";
import type { Gossip } from "./gossip.ts";
import type { HandOff } from "./hand-off.ts";
import type { Proposer } from "./proposer.ts";
import { Settling } from "./settling.ts";

type ViewLifeContext = ContextOf<
  | "membership"
  | "late"
  | "buffer"
  | "cache"
  | "requests"
  | "journal"
  | "network"
  | "clock"
  | "random"
  | "log"
  | "complaints"
  | "metrics"
  | "slices"
>;

/** The parts that a view's life runs through, and what is asked of each. */
export interface ViewFollowers {
  readonly reads: Pick<ReadPath, "invalidateAll">;
  readonly primary: Pick<Primary, "adoptView" | "beginEpoch" | "mayAnswer"> & {
    readonly inheritance: Pick<Inheritance, "begin" | "asksStore">;
  };
  readonly durableWrites: Pick<DurableWrites, "adoptView">;
  readonly flusher: Pick<Flusher, "forget" | "gained" | "pause" | "quiet" | "resume"> & {
    readonly flights: Iterable<Pick<Flight, "record">>;
  };
  readonly queue: Pick<FlushQueue, "expedite" | "schedule">;
  readonly cleaner: Pick<Cleaner, "adoptView" | "viewSettled">;
  readonly handOff: Pick<HandOff, "deliver" | "handOff" | "stop">;
  readonly eviction: Pick<Eviction, "adoptView">;
  readonly gossip: Pick<Gossip, "tellEveryone" | "pingEveryone">;
  readonly router: Pick<Router, "wake">;
}

/** Outcomes that one record of the journal forgets, at most. */
const forgottenPerRecord = 1_000;

export class ViewLife {
  readonly #context: ViewLifeContext;
  readonly #settling: Settling;
  readonly #followers: ViewFollowers;
  readonly #abort = new AbortController();
  /** Whether the first stage of the hand-off of the adopted view has begun. */
  #delivering = false;
  /** What is done with all that is held, one after the other. */
  readonly #lane: Lane;
  /** Whether what was gained with the adopted view is inherited, and the second stage of the hand-off has begun. */
  #handingOff = false;
  #hasInherited = false;
  /** Whether that has ended. */
  #hasHandedOff = false;
  /** Since when keys that were gained with an activated view are noted; undefined when all are. */
  #takingOverSince: Instant | undefined;
  /** Whether this member has done what follows from the adopted view's being settled. */
  #hasFinished = false;
  /** Until a time has passed that the next step waits for. */
  #timer: Timer | undefined;

  constructor(context: ViewLifeContext, proposer: Proposer, followers: ViewFollowers) {
    this.#context = context;
    this.#settling = new Settling(context, proposer, () => {
      followers.gossip.tellEveryone();
      this.step();
    });
    this.#followers = followers;
    this.#lane = context.slices.lane();
  }

  /**
   * Takes on a newer view, whole (V7). The right to answer under the older one ends here, for all keys. What is held is
   * gone through in slices. If the next view comes before that has ended, it begins anew.
   */
  adopt(view: View): void {
    const { membership, buffer, metrics, log } = this.#context;
    const { reads, primary, durableWrites, cleaner, handOff, eviction, gossip, router } = this.#followers;
    assert(!this.#abort.signal.aborted, "a member that has ended adopts nothing");
    const before = membership.peers;
    membership.adopt(view);
    metrics.views.adopted++;
    this.#delivering = false;
    this.#handingOff = false;
    this.#hasInherited = false;
    this.#hasHandedOff = false;
    this.#hasFinished = false;
    this.#timer?.cancel();
    buffer.admission.shareAmong(votersOf(view).length);
    log.info("view adopted", { epoch: view.epoch, members: view.members.map((member) => member.id) });
    reads.invalidateAll();
    cleaner.adoptView();
    handOff.stop();
    primary.adoptView();
    let [isTold, isSwept] = [false, false];
    this.#sweep(() => {
      isSwept = true;
      if (isTold) this.#swept(view);
    });
    if (!isSwept) this.#endFlights();
    durableWrites.adoptView();
    eviction.adoptView();
    this.#disconnect(before);
    gossip.tellEveryone();
    router.wake();
    isTold = true;
    if (isSwept) this.#swept(view);
  }

  /**
   * What is held has been gone through. Nothing is said or acknowledged under the view before the adoption is in the
   * journal (V32).
   */
  #swept(view: View): void {
    const { membership, journal } = this.#context;
    const durable = journal.durable();
    if (!durable) this.#adopted();
    else
      void durable.then(() => {
        if (membership.epoch === view.epoch && !this.#abort.signal.aborted) this.#adopted();
      });
  }

  /**
   * Takes the next steps of the adopted view's life, as far as this member and all others have come. It may be called
   * at any time, and takes each step once: when a peer has told how far it has come, when a part of this member has
   * done its work, when a time has passed.
   */
  step(): void {
    const { membership } = this.#context;
    if (membership.epoch === 0 || membership.progress === "adopting" || this.#abort.signal.aborted) return;
    this.#deliver();
    this.#handOff();
    this.#activate();
    this.#tellHandedOff();
    if (membership.settled) this.#finish();
    else if (membership.maySettle()) this.#settling.begin();
  }

  stop(): void {
    this.#abort.abort(new OperatingError("shutting_down", "the member is stopping"));
    this.#lane.stop();
    this.#timer?.cancel();
    this.#settling.stop();
  }

  /**
   * What this member no longer serves, or never will again, it forgets as far as it must. `onDone` runs when the
   * adoption is in the journal's next group, and what is pending under the view has been sent.
   */
  #sweep(onDone: () => void): void {
    const { membership, buffer, cache, requests, journal } = this.#context;
    const { primary } = this.#followers;
    const counts = membership.countsFor();
    const pending: KeyState[] = [];
    const error = ownedByAnother();
    const passCache = (): void => {
      // Without tenure a cached value counts no more (R5).
      const visit = (key: string): void => {
        if (!membership.serves(key, membership.ownersOf(key))) cache.delete(key);
      };
      this.#lane.over(cachedKeys(cache), visit, () => {
        membership.swept();
        journal.append(adoptionOf(membership));
        this.#lane.over(pending, (record) => primary.beginEpoch(record), onDone);
      });
    };
    const passRecords = (): void => {
      const onPassed = (): void => {
        // The activation of the view before was cut short: what is still served has been noted now.
        if (this.#takingOverSince !== undefined) this.#hasTakenOver();
        passCache();
      };
      requests.keepRouters(new Set(membership.view.members.map((member) => member.incarnation)));
      const visit = (record: KeyState): void => {
        this.#endTenure(record, error);
        if (this.#mayBeOpen(record)) this.#followers.flusher.gained(record);
        if (record.pending.length > 0) pending.push(record);
        // What was handed over long ago must not count (V36): newer states of it may be gone from memory everywhere.
        else if (!counts(record.key)) buffer.remove(record);
      };
      this.#lane.over(buffer.records(), visit, onPassed);
    };
    this.#forgetOutcomes(counts, passRecords);
  }

  /**
   * The journal forgets the outcomes, too, and before the entries (V37). Else an outcome could count again after the
   * next start, under a view that is adopted until then.
   */
  #forgetOutcomes(counts: (key: string) => boolean, onDone: () => void): void {
    const { requests, journal } = this.#context;
    let forgotten: RequestId[] = [];
    const append = (): void => {
      if (forgotten.length > 0) journal.append({ kind: "forget", requests: forgotten });
      forgotten = [];
    };
    const visit = (outcome: RequestOutcome): void => {
      if (counts(outcome.key)) return;
      requests.forget(outcome.requestId);
      if (forgotten.push(outcome.requestId) === forgottenPerRecord) append();
    };
    this.#lane.over(requests.outcomes(), visit, () => {
      append();
      onDone();
    });
  }

  /**
   * A flush that lands changes its key, and goes by the adopted view. So the keys that are being flushed, which are
   * few, lose their tenure at once (V66).
   */
  #endFlights(): void {
    const error = ownedByAnother();
    for (const { record } of this.#followers.flusher.flights) this.#endTenure(record, error);
  }

  #endTenure(record: KeyState, error: Error): void {
    const { membership, buffer } = this.#context;
    if (membership.serves(record.key, membership.ownersOf(record.key))) return;
    this.#followers.flusher.forget(record);
    buffer.endTenure(record, error);
  }

  /** A process that is no longer in the view gets no answers any more: nobody waits for its own either. */
  #disconnect(before: readonly ViewMember[]): void {
    const { membership, network } = this.#context;
    for (const { id, incarnation } of before) {
      if (!membership.lists({ id, incarnation }) && network.linked(id)?.incarnation === incarnation)
        network.disconnect(id, "it is no longer in the view");
    }
  }

  /** The adoption is in the journal. */
  #adopted(): void {
    const { membership } = this.#context;
    const { primary, gossip, router } = this.#followers;
    assert(membership.progress === "adopting", "an adoption is journaled once");
    membership.advance("adopted");
    // The lease may be there already: what is still served need not wait for what is gained.
    primary.mayAnswer();
    router.wake();
    gossip.tellEveryone();
    gossip.pingEveryone();
    this.step();
  }

  /**
   * What this member holds goes to the primary of every key: not before every other member has answered it, since one
   * of them may know that the data folder was brought back (V62).
   */
  #deliver(): void {
    const { membership } = this.#context;
    if (this.#delivering || !membership.isVouchedFor) return;
    assert(membership.progress === "adopted", "what is held is delivered once the adoption is in the journal");
    this.#delivering = true;
    this.#followers.handOff.deliver(() => this.#delivered());
  }

  /** The primary of every key has all that this member holds. */
  #delivered(): void {
    const { membership } = this.#context;
    assert(membership.progress === "adopted", "what is held is delivered once");
    membership.advance("delivered");
    this.#followers.gossip.tellEveryone();
    this.step();
  }

  /** Every member has delivered (V38): what this member is the primary of goes to the other owners. */
  #handOff(): void {
    const { membership } = this.#context;
    const { primary, handOff } = this.#followers;
    if (this.#handingOff || membership.progress !== "delivered" || !membership.everyoneHas("delivered")) return;
    assert(!this.#hasHandedOff, "a hand-off begins before it ends");
    this.#handingOff = true;
    let isStepping = true;
    const bring = (): void => {
      this.#hasInherited = true;
      handOff.handOff(() => {
        assert(this.#handingOff, "a hand-off ends after it has begun");
        this.#hasHandedOff = true;
        this.step();
      });
      if (!isStepping) this.step();
    };
    if (membership.activated) bring();
    else primary.inheritance.begin(bring);
    isStepping = false;
  }

  /** Every member has delivered, and no older view is served (V42): this member serves the keys that it gained. */
  #activate(): void {
    const { membership, buffer, clock, log } = this.#context;
    const { flusher, queue, primary, router } = this.#followers;
    if (membership.activated) return;
    const hasDelivered = membership.everyoneHas("delivered");
    if (hasDelivered && !this.#hasInherited) return; // V67
    if (!membership.mayActivate()) {
      // T has to pass (V43): no peer will say when it has.
      const safeFrom = membership.safeFrom();
      // The clock is read once: between two looks it may pass that time.
      const leftMs = safeFrom === undefined ? 0 : safeFrom - clock.now();
      if (leftMs > 0) this.#stepIn(leftMs);
      return;
    }
    this.#takingOverSince = clock.now();
    membership.activate(flusher.quiet);
    // A flush must not come before this member has noted that it gained the key (F26).
    flusher.pause();
    assert(membership.activated, "a view is activated once");
    if (membership.hasForgotten) this.#stepIn(membership.view.parameters.flushDeadlineMs);
    log.info("view activated", { epoch: membership.epoch });
    const visit = (record: KeyState): void => {
      if (!membership.serves(record.key, membership.ownersOf(record.key))) return;
      if (this.#mayBeOpen(record)) flusher.gained(record);
      if (record.needsStore) queue.expedite(record);
      else if (record.dirty) queue.schedule(record);
    };
    this.#lane.over(buffer.records(), visit, () => this.#hasTakenOver());
    primary.mayAnswer();
    router.wake();
  }

  /** All keys that were gained are noted: flushes may begin, and the view may settle. */
  #hasTakenOver(): void {
    this.#takingOverSince = undefined;
    this.#followers.flusher.resume();
    this.step();
  }

  /** Whether a predecessor may have left a request under way: this member has just gained the key (F5). */
  #mayBeOpen({ key, store }: KeyState): boolean {
    const since = this.#takingOverSince;
    if (since === undefined || store.kind !== "unseen") return false;
    return (this.#context.membership.flushFrom(key) ?? since) > since;
  }

  /**
   * Every owner has all that this member held (V39), and it has noted what it gained: the others are told. Once the
   * view is settled, the next one would not know any more that a member was lost before it (V68).
   */
  #tellHandedOff(): void {
    const { membership } = this.#context;
    if (!this.#hasHandedOff || membership.progress !== "delivered" || this.#asksStore()) return;
    if (!membership.activated || this.#takingOverSince !== undefined) return;
    membership.advance("handed_off");
    this.#followers.gossip.tellEveryone();
  }

  /**
   * Whether the store may have, or may still get, something newer than what is held of keys that were forgotten. Until
   * that is over the view is not settled (V53): else no member would know any more that the store has to be asked.
   */
  #asksStore(): boolean {
    const { membership, clock } = this.#context;
    if (this.#followers.primary.inheritance.asksStore) return true;
    return membership.hasForgotten && (!membership.activated || membership.waitsToFlush(clock.now()));
  }

  #stepIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#context.clock.after(ms, () => this.step());
  }

  /** The view is settled in the store, by this member or another. */
  #finish(): void {
    const { membership, log } = this.#context;
    if (this.#hasFinished) return;
    this.#hasFinished = true;
    log.info("view settled", { epoch: membership.epoch });
    this.#followers.cleaner.viewSettled();
  }
}

function ownedByAnother(): OperatingError {
  return new OperatingError("peer_unreachable", "another node owns this key now, and may come to have this write");
}

/** The adoption as the journal keeps it. */
function adoptionOf(membership: Membership): AdoptRecord {
  const { epoch, cluster } = membership;
  return { kind: "adopt", epoch, adopted: membership.adoptedEpochs, cluster };
}
