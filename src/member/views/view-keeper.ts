/**
 * Keeps this member's view up to date: takes on newer ones, settles the one it has, and has the store confirm the lease while peers do not suffice.
 *
 * A member that the store does not answer is told the newer view by a peer: else all that the others gain with it, and what they relieve this one of, would wait for that store.
 */

import { type Clock, type Instant, sleep, type Timer } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { Membership } from "../../core/membership.ts";
import { listsProcess, parseView, type View, viewName } from "../../core/view.ts";
import { settledView } from "../../core/view-changes.ts";
import type { Network } from "../../network/network.ts";
import type { ViewRecord } from "./view-record.ts";

export interface ViewObserver {
  /** A newer view that lists this process. */
  onView(view: View): void;
  /** The adopted view is settled in the store. */
  onSettled(): void;
  /** The store has confirmed the lease. */
  onLease(): void;
  /** A newer view does not list this process: `replaced` when it lists another one of the same id. */
  onOut(replaced: boolean): void;
}

export interface ViewKeeperParts {
  readonly membership: Membership;
  readonly record: ViewRecord;
  readonly network: Pick<Network, "request">;
  readonly clock: Clock;
  readonly random: Random;
  readonly complaints: Complaints;
  readonly observer: ViewObserver;
}

/** Pause between two looks at the view while a newer one is expected, and after a failure, in milliseconds. */
const pollMs = 50;
const failurePauseMs = 500;
/** While keys are in doubt, the view in the store is looked at this often, in milliseconds. */
const forgottenPollMs = 1_000;
/** How long a peer may take to say which view it has adopted, in milliseconds. */
const askMs = 1_000;
/** Members that could settle a view try one after the other, this many milliseconds apart. */
const settleStaggerMs = 100;
/** The store is asked to confirm the lease when less than this part of it is left. */
const renewPart = 0.5;

export class ViewKeeper {
  readonly #parts: ViewKeeperParts;
  readonly #abort = new AbortController();
  #refreshing = false;
  #confirming = false;
  #lookedAt: Instant = Number.NEGATIVE_INFINITY;
  /** The highest epoch that some member is known to have adopted. */
  #heardEpoch = 0;
  #settleTimer: Timer | undefined;
  /** The epoch that it has last tried to settle without success: perhaps the store has a newer view, which is still to be read. */
  #triedEpoch = 0;

  constructor(parts: ViewKeeperParts) {
    this.#parts = parts;
  }

  /** Some member has adopted this epoch: if it is newer than ours, the view is read. */
  learn(epoch: number): void {
    if (epoch <= this.#heardEpoch && epoch <= this.#parts.membership.epoch) return;
    this.#heardEpoch = Math.max(this.#heardEpoch, epoch);
    // Before the first adoption, joining finds the newest view by itself.
    if (this.#refreshing || this.#parts.membership.epoch === 0 || epoch <= this.#parts.membership.epoch) return;
    this.#refreshing = true;
    this.#refresh().then(
      () => {
        this.#refreshing = false;
      },
      (error: unknown) => {
        this.#refreshing = false;
        if (!this.#abort.signal.aborted) throw error;
      },
    );
  }

  /** Reads the view in the store if the lease is about to end; to be called with each round of pings. */
  keepLease(): void {
    const { membership, complaints, observer, clock } = this.#parts;
    if (this.#confirming || membership.epoch === 0 || this.#abort.signal.aborted) return;
    // Nobody tells the members that an operator has given up what they wait for.
    const waits = membership.awaited.length > 0 && clock.now() - this.#lookedAt >= forgottenPollMs;
    if (!waits && membership.lease.leftMs > membership.view.parameters.leaseMs * renewPart) return;
    this.#lookedAt = clock.now();
    this.#confirming = true;
    const sentAt = membership.lease.stamp();
    // An answer that comes later confirms nothing any more.
    this.#parts.record.read(membership.view.parameters.leaseMs).then(
      (stored) => {
        this.#confirming = false;
        if (!stored || this.#abort.signal.aborted) return;
        if (stored.view.epoch > membership.epoch) this.learn(stored.view.epoch);
        if (stored.view.epoch !== membership.epoch || !listsProcess(stored.view, membership.self)) return;
        membership.lease.confirmByStore(sentAt);
        observer.onLease();
      },
      (error: unknown) => {
        this.#confirming = false;
        if (!isOperatingError(error)) throw error;
        complaints.warn("lease", "neither enough of the other nodes nor the store confirm the lease", { error });
      },
    );
  }

  /** Everyone has handed off: the view is settled, by this member if none that comes before it does. */
  settleSoon(): void {
    const { membership, clock } = this.#parts;
    if (membership.settled || this.#settleTimer || this.#abort.signal.aborted) return;
    const turn = membership.view.members.findIndex((member) => member.id === membership.self.id);
    this.#settleTimer = clock.after(turn * settleStaggerMs, () => {
      const { epoch } = membership;
      this.#settle().then(
        () => {
          this.#settleTimer = undefined;
          if (membership.settled || !membership.maySettle()) return;
          // It may have been of an older view: nobody else may say that the new one can be settled.
          if (membership.epoch !== epoch || this.#triedEpoch !== epoch) this.settleSoon();
          else this.#settleAfter(pollMs);
          this.#triedEpoch = epoch;
        },
        (error: unknown) => {
          this.#settleTimer = undefined;
          if (this.#abort.signal.aborted) return;
          if (!isOperatingError(error)) throw error;
          this.#parts.complaints.warn("settle", "the view cannot be settled and will be tried again", { error });
          this.#settleAfter(failurePauseMs);
        },
      );
    });
  }

  #settleAfter(pauseMs: number): void {
    const { membership, clock } = this.#parts;
    if (this.#abort.signal.aborted) return;
    this.#settleTimer = clock.after(pauseMs, () => {
      this.#settleTimer = undefined;
      if (membership.maySettle()) this.settleSoon();
    });
  }

  stop(): void {
    this.#abort.abort(new OperatingError("shutting_down", "the member is stopping"));
    this.#settleTimer?.cancel();
  }

  async #refresh(): Promise<void> {
    const { membership, observer, clock, complaints } = this.#parts;
    const { signal } = this.#abort;
    let hasFailed = false;
    let pauseMs = pollMs;
    while (this.#heardEpoch > membership.epoch) {
      // Whatever the store says: what this member holds is needed, so it waits for better times.
      const view: View | undefined =
        (hasFailed ? await this.#newestOfPeers() : undefined) ?? (await this.#newest(hasFailed));
      if (signal.aborted) return;
      if (view && view.epoch > membership.epoch) {
        if (!listsProcess(view, membership.self)) {
          observer.onOut(view.members.some((member) => member.id === membership.self.id));
          return;
        }
        observer.onView(view);
        pauseMs = pollMs;
      } else {
        hasFailed ||= !view;
        if (pauseMs === failurePauseMs && view) {
          const message =
            "a node names a newer view than the store has: is it over another store, with this cluster's name?";
          complaints.warn("named", message, { named: this.#heardEpoch, stored: view.epoch });
        }
        await sleep(clock, view ? pauseMs : failurePauseMs, signal);
        pauseMs = Math.min(failurePauseMs, 2 * pauseMs);
      }
    }
  }

  /** The view in the store; where that does not answer, the one that a peer has adopted. A slow store is worth waiting for when no peer helps. */
  async #newest(isPatient: boolean): Promise<View | undefined> {
    const { membership, record, complaints } = this.#parts;
    try {
      return (await record.read(isPatient ? undefined : membership.view.parameters.leaseMs))?.view;
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      complaints.warn("view", "the view cannot be read from the store and will be tried again", { error });
    }
    return await this.#newestOfPeers();
  }

  /** A newer view that a peer has adopted: it has been in the store, like every one. The only one that has may be new in that view, or a new process. */
  async #newestOfPeers(): Promise<View | undefined> {
    const { membership } = this.#parts;
    for (const id of membership.ahead) {
      const view = await this.#ask(id);
      if (this.#abort.signal.aborted) return undefined;
      // Whoever is over another store, with this cluster's name, has views of its own.
      if (view?.parameters.clusterId === membership.cluster) return view;
    }
    return undefined;
  }

  async #ask(peer: string): Promise<View | undefined> {
    const { membership, network } = this.#parts;
    try {
      const answer = await network.request(peer, { kind: "view", epoch: membership.epoch }, askMs);
      return answer.kind === "adopted" ? parseView(answer.view) : undefined;
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      return undefined;
    }
  }

  async #settle(): Promise<void> {
    const { membership, record, observer, random } = this.#parts;
    if (membership.settled) return;
    const stored = await record.read();
    if (!stored) throw new OperatingError("store_refused", `${viewName} is gone from the store`);
    if (this.#abort.signal.aborted) return;
    if (stored.view.epoch > membership.epoch) {
      this.learn(stored.view.epoch);
      return;
    }
    if (!stored.view.settled) {
      if (stored.view.epoch !== membership.epoch || !membership.maySettle()) return;
      const settled = settledView(stored.view, membership.lostViews, random.id());
      // If another member was first, the next look finds it settled.
      if (!(await record.swap(stored, settled, this.#abort.signal)) || this.#abort.signal.aborted) return;
    }
    // Others may have gone on to a newer view meanwhile, and this member with them.
    if (stored.view.epoch === membership.epoch && !membership.settled) observer.onSettled();
  }
}
