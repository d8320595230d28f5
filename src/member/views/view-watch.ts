/**
 * Watches for newer views, and has the store confirm the lease while peers do not suffice.
 *
 * The store may not answer this member. Then a peer tells it the newer view: else all that the others gain with that
 * view, and the keys that a peer takes over from this member, would wait for that store.
 */

import { assert } from "../../base/assert.ts";
import { type Instant, sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { SentAt } from "../../core/lease.ts";
import { hasSameMembers, listsProcess, parseView, type View } from "../../core/view.ts";
import type { ContextOf } from "../context.ts";
import type { ViewObserver } from "./proposer.ts";
import type { StoredView, ViewRecord } from "./view-record.ts";

type ViewWatchContext = ContextOf<"membership" | "network" | "clock" | "complaints">;

export interface ViewWatchObserver extends Pick<ViewObserver, "onView"> {
  /** The store has confirmed the lease. */
  onLease(): void;
  /** A newer view does not list this process: `replaced` when it lists another one of the same id. */
  onOut(replaced: boolean): void;
}

/** Pause between two looks at the view while a newer one is expected, and after a failure, in milliseconds. */
const pollMs = 50;
const failurePauseMs = 500;
/** While keys are in doubt, the view in the store is looked at this often, in milliseconds. */
const forgottenPollMs = 1_000;
/** A peer may take so long to say which view it has adopted, in milliseconds. */
const askMs = 1_000;
/** The store is asked to confirm the lease when less than this part of it is left. */
const renewPart = 0.5;

export class ViewWatch {
  readonly #context: ViewWatchContext;
  readonly #record: ViewRecord;
  readonly #observer: ViewWatchObserver;
  readonly #abort = new AbortController();
  #refreshing = false;
  #confirming = false;
  #lookedAt: Instant = Number.NEGATIVE_INFINITY;
  /** The highest epoch that some member is known to have adopted. */
  #heardEpoch = 0;

  constructor(context: ViewWatchContext, record: ViewRecord, observer: ViewWatchObserver) {
    this.#context = context;
    this.#record = record;
    this.#observer = observer;
  }

  /** Some member has adopted this epoch: if it is newer than ours, the view is read. */
  learn(epoch: number): void {
    const { membership } = this.#context;
    if (epoch <= this.#heardEpoch && epoch <= membership.epoch) return;
    this.#heardEpoch = Math.max(this.#heardEpoch, epoch);
    // Before the first adoption, joining finds the newest view by itself.
    if (this.#refreshing || membership.epoch === 0 || epoch <= membership.epoch) return;
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
    const { membership, complaints, clock } = this.#context;
    if (this.#confirming || membership.epoch === 0 || this.#abort.signal.aborted) return;
    const { leaseMs } = membership.view.parameters;
    // An operator may have forgotten what keys in doubt wait for. No peer says so: only the store shows it.
    const waits = membership.awaited.length > 0 && clock.now() - this.#lookedAt >= forgottenPollMs;
    if (!waits && membership.lease.leftMs > leaseMs * renewPart) return;
    this.#lookedAt = clock.now();
    this.#confirming = true;
    const sentAt = membership.lease.stamp();
    // The lease counts from now (V10): an answer that comes after T confirms nothing any more.
    this.#record.read(leaseMs).then(
      (stored) => {
        this.#confirming = false;
        if (stored && !this.#abort.signal.aborted) this.#confirm(stored, sentAt);
      },
      (error: unknown) => {
        this.#confirming = false;
        if (!isOperatingError(error)) throw error;
        complaints.warn("lease", "neither enough of the other nodes nor the store confirm the lease", { error });
      },
    );
  }

  stop(): void {
    this.#abort.abort(new OperatingError("shutting_down", "the member is stopping"));
  }

  /** The store showed this view to a request that was sent then. */
  #confirm({ view }: StoredView, sentAt: SentAt): void {
    const { membership } = this.#context;
    assert(membership.epoch > 0, "a lease is for an adopted view");
    if (view.epoch > membership.epoch) this.learn(view.epoch);
    // A read that shows anything else confirms nothing (V15).
    if (view.epoch !== membership.epoch || !hasSameMembers(view, membership.view)) return;
    assert(listsProcess(view, membership.self), "the adopted view lists this process");
    membership.lease.confirmByStore(sentAt);
    this.#observer.onLease();
  }

  /** Looks for a newer view until this member has adopted the newest that it has heard of, or is out of the view. */
  async #refresh(): Promise<void> {
    const { membership, clock, complaints } = this.#context;
    const { signal } = this.#abort;
    assert(this.#refreshing, "one look at a time");
    let hasFailed = false;
    let pauseMs = pollMs;
    while (this.#heardEpoch > membership.epoch) {
      // After a failure peers are asked first: the store may be away for long, and what this member holds is needed.
      const view: View | undefined =
        (hasFailed ? await this.#newestOfPeers() : undefined) ?? (await this.#newest(hasFailed));
      if (signal.aborted) return;
      if (view && view.epoch > membership.epoch) {
        // The others have gone on without this process: it ends (V26).
        if (!listsProcess(view, membership.self)) {
          this.#observer.onOut(view.members.some((member) => member.id === membership.self.id));
          return;
        }
        this.#observer.onView(view);
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

  /** The view in the store; if the store does not answer, the one that a peer has adopted. */
  async #newest(isPatient: boolean): Promise<View | undefined> {
    const { membership, complaints } = this.#context;
    try {
      // When no peer helps, a slow store is worth waiting for.
      return (await this.#record.read(isPatient ? undefined : membership.view.parameters.leaseMs))?.view;
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      complaints.warn("view", "the view cannot be read from the store and will be tried again", { error });
    }
    return await this.#newestOfPeers();
  }

  /**
   * A newer view that a peer has adopted (V6): it has been in the store, like every one. The peer may be new in that
   * view, or a new process, so that the adopted view does not list it.
   */
  async #newestOfPeers(): Promise<View | undefined> {
    const { membership } = this.#context;
    for (const id of membership.ahead) {
      const view = await this.#ask(id);
      if (this.#abort.signal.aborted) return undefined;
      // A node over another store, with this cluster's name, has views of its own.
      if (view?.parameters.clusterId === membership.cluster) return view;
    }
    return undefined;
  }

  async #ask(peer: string): Promise<View | undefined> {
    const { membership, network } = this.#context;
    try {
      const answer = await network.request(peer, { kind: "view", epoch: membership.epoch }, askMs);
      return answer.kind === "adopted" ? parseView(answer.view) : undefined;
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      return undefined;
    }
  }
}
