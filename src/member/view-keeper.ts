/**
 * Keeps this member in the view: joins it at the start, takes on newer ones, settles the one it has. The view lives in the store
 * and changes only by compare-and-swap there; whatever a swap answers, what counts is what is read back.
 */

import { type Clock, type Instant, sleep, type Timer } from "../base/clock.ts";
import type { Complaints } from "../base/complaints.ts";
import { type ErrorCode, isOperatingError, OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Membership } from "../core/membership.ts";
import {
  firstView,
  formatView,
  joinedView,
  parseView,
  settledView,
  type View,
  type ViewMember,
  type ViewParameters,
  viewName,
} from "../core/view.ts";
import type { Network } from "../network/network.ts";
import type { BlobStore, WriteCondition } from "../store/blob-store.ts";

export interface ViewObserver {
  /** The view that this process waits to join: its members are to be reached. */
  onSeen(view: View): void;
  /** A newer view that lists this process. */
  onView(view: View): void;
  /** The adopted view is settled in the store. */
  onSettled(): void;
  /** The view no longer lists this process: another one has taken its id. */
  onReplaced(): void;
}

export interface ViewKeeperParts {
  readonly self: ViewMember;
  /** Of a cluster that this member founds; the cluster's id is drawn then. */
  readonly parameters: Pick<ViewParameters, "replicas" | "flushDeadlineMs" | "ringVersion">;
  readonly membership: Membership;
  readonly network: Network;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly complaints: Complaints;
  readonly observer: ViewObserver;
}

/** A view record is small: more is not one. */
const maxViewBytes = 1 << 24;
const requestDeadlineMs = 5_000;
/** Pause between two looks at the view while waiting to join, and after a failure, in milliseconds; a random part of it is added. */
const joinPollMs = 50;
const failurePauseMs = 500;
/** How long a process that is new to the view waits for it to settle, in milliseconds. */
const settledWaitMs = 30_000;
/** Members that could settle a view try one after the other, this many milliseconds apart. */
const settleStaggerMs = 100;
/** While it cannot join, the log says why this often, in milliseconds. */
const waitingLogMs = 5_000;

/**
 * Once a view has changed so often without settling (this often, and twice for each member) a restarted process waits, too: one that crashes
 * again and again would make the lineage grow without end.
 */
const longLineage = 16;

/** The view as the store has it. */
interface StoredView {
  readonly view: View;
  readonly tag: string;
}

export class ViewKeeper {
  readonly #parts: ViewKeeperParts;
  readonly #abort = new AbortController();
  #refreshing = false;
  /** The highest epoch that some member is known to have adopted. */
  #heardEpoch = 0;
  #settleTimer: Timer | undefined;
  #waitingLoggedAt: Instant;

  constructor(parts: ViewKeeperParts) {
    this.#parts = parts;
    this.#waitingLoggedAt = parts.clock.now();
  }

  /** Joins the view, waiting for as long as it takes; {@link ViewObserver.onView} has run when it resolves. */
  async join(): Promise<void> {
    const { self, clock, observer, parameters, random } = this.#parts;
    const since = clock.now();
    for (;;) {
      const stored = await this.#readPatiently();
      if (!stored) {
        const first = firstView(self, { ...parameters, clusterId: random.id().slice(0, 16) }, random.id());
        if (await this.#swap(first, { kind: "absent" })) {
          observer.onView(first);
          return;
        }
      } else if (lists(stored.view, self)) {
        // A swap of ours took effect after it had been taken for lost.
        observer.onView(stored.view);
        return;
      } else {
        const obstacle = this.#obstacle(stored.view, clock.now() - since);
        observer.onSeen(stored.view);
        if (obstacle === undefined) {
          const joined = joinedView(stored.view, self, random.id());
          if (await this.#swap(joined, { kind: "unchanged", tag: stored.tag })) {
            observer.onView(joined);
            return;
          }
        } else {
          this.#logWaiting(obstacle);
        }
      }
      await sleep(clock, joinPollMs * (1 + random.next()), this.#abort.signal);
    }
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

  /** Everyone has handed off: the view is settled, by this member if none that comes before it does. */
  settleSoon(): void {
    const { membership, clock, self } = this.#parts;
    if (membership.settled || this.#settleTimer) return;
    const turn = membership.view.members.findIndex((member) => member.id === self.id);
    this.#settleTimer = clock.after(turn * settleStaggerMs, () => {
      this.#settle().then(
        () => {
          this.#settleTimer = undefined;
        },
        (error: unknown) => {
          if (!isOperatingError(error)) throw error;
          this.#parts.complaints.warn("settle", "the view cannot be settled and will be tried again", { error });
          this.#settleTimer = this.#abort.signal.aborted
            ? undefined
            : clock.after(failurePauseMs, () => {
                this.#settleTimer = undefined;
                if (membership.everyoneHandedOff()) this.settleSoon();
              });
        },
      );
    });
  }

  stop(): void {
    this.#abort.abort(new OperatingError("shutting_down", "the member is stopping"));
    this.#settleTimer?.cancel();
  }

  async #refresh(): Promise<void> {
    const { membership, self, observer, clock } = this.#parts;
    while (this.#heardEpoch > membership.epoch) {
      // Whatever the store says: what this member holds is lost if it ends, so it waits for better times.
      const stored = await this.#readPatiently("store_refused");
      if (stored && stored.view.epoch > membership.epoch) {
        if (!lists(stored.view, self)) {
          this.stop();
          observer.onReplaced();
          return;
        }
        observer.onView(stored.view);
      } else {
        await sleep(clock, joinPollMs, this.#abort.signal);
      }
    }
  }

  async #settle(): Promise<void> {
    const { membership, observer, random } = this.#parts;
    if (membership.settled) return;
    const stored = await this.#read();
    if (!stored) throw new OperatingError("store_refused", `${viewName} is gone from the store`);
    if (stored.view.epoch > membership.epoch) {
      this.learn(stored.view.epoch);
      return;
    }
    if (!stored.view.settled) {
      if (!membership.everyoneHandedOff()) return;
      if (!(await this.#swap(settledView(stored.view, random.id()), { kind: "unchanged", tag: stored.tag }))) {
        throw new OperatingError("store_unavailable", "the view changed while it was being settled");
      }
    }
    if (stored.view.epoch === membership.epoch) observer.onSettled();
  }

  /** Why this process cannot join the view yet; undefined if it can. */
  #obstacle(view: View, waitedMs: number): string | undefined {
    const { self, network } = this.#parts;
    // A process of a listed id takes that entry over at once and needs nobody: else nobody could start after a power loss of all.
    if (view.members.some((member) => member.id === self.id)) {
      const isLong = !view.settled && view.lineage.length > longLineage + 2 * view.members.length;
      return isLong && waitedMs < settledWaitMs ? "the view has changed very often without settling" : undefined;
    }
    const missing = view.members.filter((member) => network.linked(member.id)?.incarnation !== member.incarnation);
    if (missing.length > 0) return `no link to ${missing.map((member) => `${member.id} (${member.url})`).join(", ")}`;
    if (!view.settled && waitedMs < settledWaitMs) return `the view of epoch ${view.epoch} is not settled yet`;
    return undefined;
  }

  #logWaiting(obstacle: string): void {
    const now = this.#parts.clock.now();
    if (now - this.#waitingLoggedAt < waitingLogMs) return;
    this.#waitingLoggedAt = now;
    this.#parts.log.info("waiting to join the cluster", { reason: obstacle });
  }

  async #read(): Promise<StoredView | undefined> {
    const result = await this.#parts.store.read(viewName, maxViewBytes, { deadlineMs: requestDeadlineMs });
    if (result.kind === "missing") return undefined;
    if (result.kind === "too_large")
      throw new OperatingError("store_refused", `${viewName} in the store is not a view`);
    return { view: parseView(result.blob.body), tag: result.blob.tag };
  }

  /** Reads the view, however long the store is away (or fails with one of `also`). */
  async #readPatiently(...also: ErrorCode[]): Promise<StoredView | undefined> {
    const { clock, complaints, random } = this.#parts;
    for (;;) {
      try {
        return await this.#read();
      } catch (error) {
        if (!isOperatingError(error, "store_unavailable", "store_throttled", ...also)) throw error;
        complaints.warn("view", "the view cannot be read from the store and will be tried again", { error });
        await sleep(clock, failurePauseMs * (1 + random.next()), this.#abort.signal);
      }
    }
  }

  /** Swaps the view in; whether it was this swap that won. An answer that leaves it open is resolved by reading back. */
  async #swap(view: View, condition: WriteCondition): Promise<boolean> {
    const { store } = this.#parts;
    const content = { body: formatView(view), headers: { "content-type": "application/json" } };
    try {
      return (await store.write(viewName, content, condition, { deadlineMs: requestDeadlineMs })).kind === "written";
    } catch (error) {
      if (!isOperatingError(error, "store_unavailable", "store_throttled")) throw error;
      const stored = await this.#readPatiently();
      return stored?.view.proposal === view.proposal;
    }
  }
}

function lists(view: View, self: ViewMember): boolean {
  return view.members.some((member) => member.id === self.id && member.incarnation === self.incarnation);
}
