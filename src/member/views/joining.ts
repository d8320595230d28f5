/**
 * Joining: how a process gets into the view. One whose id is listed takes its entry over at once and needs only the store, or nobody could start after a power loss
 * of all; any other waits until it reaches everyone, or a partial partition would throw it in and out for ever.
 */

import { type Clock, type Instant, sleep } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { Membership } from "../../core/membership.ts";
import { listsProcess, type View, type ViewMember, type ViewParameters, votersOf } from "../../core/view.ts";
import { firstView, joinedView, keepsHalf } from "../../core/view-changes.ts";
import type { Network } from "../../network/network.ts";
import type { StoredView, ViewRecord } from "./view-record.ts";

export interface JoiningParts {
  readonly self: ViewMember;
  /** Of a cluster that this member founds; the cluster's id is drawn then. */
  readonly parameters: Pick<ViewParameters, "replicas" | "leaseMs" | "flushDeadlineMs" | "ringVersion">;
  readonly membership: Membership;
  readonly record: ViewRecord;
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Whether the data folder holds nothing that could get lost. */
  readonly isEmpty: () => boolean;
  /** The view that this process waits to join: its members are to be reached. */
  readonly onSeen: (view: View) => void;
}

/** Pause between two looks at the view, in milliseconds; a random part of it is added. */
const pollMs = 50;
/** How long a process that is new to the view waits for it to settle, in milliseconds: until nobody asks any more what became of a write that it may have. */
const settledWaitMs = 30_000;
/** While it cannot join, the log says why this often, in milliseconds. */
const logMs = 5_000;

/**
 * Once a view has changed so often without settling (this often, and twice for each member) a restarted process waits, too: one that crashes
 * again and again would make the lineage grow without end.
 */
const longLineage = 16;

export class Joining {
  readonly #parts: JoiningParts;
  #loggedAt: Instant;
  /** When it was last said that the store is another cluster's. */
  #toldAt: Instant | undefined;
  #seenEpoch = 0;
  readonly #stopped = new AbortController();
  /** The view with this process in it is on its way to the store. */
  #isProposing = false;

  constructor(parts: JoiningParts) {
    this.#parts = parts;
    this.#loggedAt = parts.clock.now();
  }

  /** The epoch of the view last seen in the store. */
  get seenEpoch(): number {
    return this.#seenEpoch;
  }

  /** Tries no more: {@link join} rejects with this reason, or ends as the attempt that is under way does. Returns whether one is. */
  stop(reason: Error): boolean {
    this.#stopped.abort(reason);
    return this.#isProposing;
  }

  /** The view that lists this process, however long it takes; rejects with the signal's reason when that is aborted. */
  async join(ended: AbortSignal): Promise<View> {
    const { self, clock, onSeen, parameters, random, record } = this.#parts;
    const signal = AbortSignal.any([ended, this.#stopped.signal]);
    const propose = async (read: StoredView | undefined, next: View): Promise<boolean> => {
      this.#isProposing = true;
      try {
        return await record.swap(read, next, ended);
      } finally {
        this.#isProposing = false;
      }
    };
    const since = clock.now();
    for (;;) {
      const stored = await record.readPatiently(signal);
      signal.throwIfAborted();
      this.#seenEpoch = stored?.view.epoch ?? 0;
      if (this.#isOfAnother(stored?.view)) {
        this.#warnOfAnother(stored?.view);
      } else if (!stored) {
        const first = firstView(self, { ...parameters, clusterId: random.id().slice(0, 16) }, random.id());
        if (await propose(undefined, first)) return first;
      } else if (listsProcess(stored.view, self)) {
        // A swap of ours took effect after it had been taken for lost.
        return stored.view;
      } else {
        const joined = joinedView(stored.view, self, random.id(), parameters);
        const waitedMs = clock.now() - since;
        const obstacle = this.#obstacle(stored.view, joined, waitedMs);
        onSeen(stored.view);
        if (obstacle === undefined) {
          if (await propose(stored, joined)) return joined;
        } else {
          this.#logWaiting(obstacle, waitedMs);
        }
      }
      await sleep(clock, pollMs * (1 + random.next()), signal);
    }
  }

  /**
   * Whether what the data folder holds is of another cluster than the store's: it would not count under this view, and be forgotten. The configuration names another store
   * than it did, perhaps, or a file system is not mounted.
   */
  #isOfAnother(view: View | undefined): boolean {
    const { membership, isEmpty } = this.#parts;
    return membership.cluster !== undefined && membership.cluster !== view?.parameters.clusterId && !isEmpty();
  }

  #warnOfAnother(view: View | undefined): void {
    const { clock, log, membership } = this.#parts;
    if (this.#toldAt !== undefined && clock.now() - this.#toldAt < logMs) return;
    this.#toldAt = clock.now();
    log.warn(
      "this node waits: its data folder has acknowledged values of another cluster than the store, where they would be forgotten. Is this the right store? If it is, start the node on an empty data folder",
      { dataFolder: membership.cluster, store: view?.parameters.clusterId ?? "no cluster yet" },
    );
  }

  /** Why this process cannot join yet; undefined if it can. */
  #obstacle(view: View, joined: View, waitedMs: number): string | undefined {
    const { self, network } = this.#parts;
    if (joined.dropped && !keepsHalf(joined)) {
      return `"${self.id}" has another data folder than before, and more than half of the data folders of an earlier view would be gone: start the other nodes with theirs, or give up what is gone with weir forget`;
    }
    // Whoever counts survivors, and judges what is held, takes a folder for one.
    const twin = view.members.find((member) => member.folder === self.folder && member.id !== self.id);
    if (twin && !this.#areSilent(view, [twin]))
      return `this is the data folder of ${twin.id}, or a copy of it, and ${twin.id} is not known to be down: start this node on a folder of its own`;
    if (view.members.some((member) => member.id === self.id)) {
      const isLong = !view.settled && view.lineage.length > longLineage + 2 * view.members.length;
      return isLong && waitedMs < settledWaitMs ? "the view has changed very often without settling" : undefined;
    }
    // Nobody owns anything, so this process will be the only voter: it can drop who is silent, and nobody could throw it out.
    if (votersOf(view).length === 0) return this.#unsettled(view, waitedMs);
    const missing = view.members.filter((member) => network.linked(member.id)?.incarnation !== member.incarnation);
    if (missing.length > 0 && !this.#areSilent(view, missing))
      return `no link to ${missing.map((member) => `${member.id} (${member.url})`).join(", ")}`;
    return this.#unsettled(view, waitedMs);
  }

  #unsettled(view: View, waitedMs: number): string | undefined {
    // Where nobody has owned anything there was nothing to write.
    const isOwned = [view, ...view.lineage].some((each) => votersOf(each).length > 0);
    const waits = view.members.length > 0 && isOwned && !view.settled && waitedMs < settledWaitMs;
    return waits ? `the view of epoch ${view.epoch} is not settled yet` : undefined;
  }

  /** Whether some member that this process reaches says that it does not reach those either: then they are down, and it is not this process's link that is. */
  #areSilent(view: View, missing: readonly ViewMember[]): boolean {
    const { membership } = this.#parts;
    return view.members.some((member) => {
      if (missing.includes(member)) return false;
      const state = membership.stateOf(member);
      return state?.epoch === view.epoch && missing.every(({ id }) => state.suspects.includes(id));
    });
  }

  #logWaiting(obstacle: string, waitedMs: number): void {
    const { clock, log } = this.#parts;
    if (clock.now() - this.#loggedAt < logMs) return;
    this.#loggedAt = clock.now();
    // What lasts longer than members take to settle, or to notice a loss, somebody may have to do something about.
    const level = waitedMs > settledWaitMs ? "warn" : "info";
    log[level]("waiting to join the cluster", { reason: obstacle });
  }
}
