/**
 * Looks now and then whether the store has the view that this member goes by (V58). The record may have been removed,
 * an older one may have been put in its place, or the store may be another one. No member would notice before it has
 * to change the view, and then it could not.
 *
 * A record that is gone or older is put back by the members themselves, once it is certain that none of them has
 * gone on (V59). Anything else is for an operator, to whom the log gives the view.
 */

import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import { isOperatingError } from "../../base/errors.ts";
import { formatView, type View, viewName } from "../../core/view.ts";
import { hasForgotten, restoredView, settledView } from "../../core/view-changes.ts";
import type { ContextOf } from "../context.ts";
import type { MemberSettings } from "../settings.ts";
import type { Eviction } from "./eviction.ts";
import type { ViewObserver } from "./proposer.ts";
import type { StoredView, ViewRecord } from "./view-record.ts";

type ViewCheckContext = ContextOf<"membership" | "network" | "clock" | "random" | "log" | "complaints" | "late"> & {
  readonly settings: Pick<MemberSettings, "viewCheckMs">;
};

/** While something is wrong, the record is looked at so many times as often. */
const hurry = 6;

export class ViewCheck {
  readonly #context: ViewCheckContext;
  readonly #record: ViewRecord;
  readonly #eviction: Pick<Eviction, "isFresh">;
  readonly #observer: Pick<ViewObserver, "onView">;
  readonly #abort = new AbortController();
  #lookedAt: Instant;
  #toldAt: Instant = Number.NEGATIVE_INFINITY;
  #isLooking = false;
  #trouble: string | undefined;

  constructor(
    context: ViewCheckContext,
    record: ViewRecord,
    eviction: Pick<Eviction, "isFresh">,
    observer: Pick<ViewObserver, "onView">,
  ) {
    this.#context = context;
    this.#record = record;
    this.#eviction = eviction;
    this.#observer = observer;
    this.#lookedAt = context.clock.now();
  }

  /** What is wrong with the record, in words; undefined if nothing is known to be. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** To be called with each round of pings. */
  tick(): void {
    const { membership, clock, settings, complaints } = this.#context;
    if (this.#isLooking || membership.epoch === 0 || this.#abort.signal.aborted) return;
    const intervalMs = this.#trouble === undefined ? settings.viewCheckMs : settings.viewCheckMs / hurry;
    if (clock.now() - this.#lookedAt < intervalMs) return;
    this.#lookedAt = clock.now();
    this.#isLooking = true;
    this.#look().then(
      () => {
        this.#isLooking = false;
      },
      (error: unknown) => {
        this.#isLooking = false;
        if (this.#abort.signal.aborted) return;
        if (!isOperatingError(error)) throw error;
        complaints.warn("view", "the view cannot be read from the store and will be tried again", { error });
      },
    );
  }

  stop(): void {
    this.#abort.abort(new Error("the member has ended"));
  }

  async #look(): Promise<void> {
    const { membership, log } = this.#context;
    const { view: before, settled: wasSettled } = membership;
    const hadTrouble = this.#trouble !== undefined;
    const stored = await this.#record.read();
    if (this.#abort.signal.aborted) return;
    // What was adopted meanwhile may be newer than what was read.
    if (membership.view !== before) return;
    const adopted = { ...before, settled: wasSettled };
    this.#trouble = troubleOf(stored?.view, adopted);
    if (this.#trouble === undefined) {
      if (hadTrouble) log.info("the view's record in the store is well again", { epoch: membership.epoch });
      if (stored !== undefined) await this.#tidy(stored);
      return;
    }
    this.#tell(stored?.view);
    // Only what is seen twice is acted upon: what other members know has come here by then.
    if (hadTrouble && isLost(stored?.view, adopted) && this.#mayMend()) await this.#mend(stored);
  }

  /** Takes out of the settled record what it need not name any more (V69). One member does so, the first. */
  async #tidy(stored: StoredView): Promise<void> {
    const { membership, random, late, clock } = this.#context;
    const { settled, forgotten, lost, members } = stored.view;
    if (!settled || members[0]?.id !== membership.self.id) return;
    if (forgotten === undefined && !lost.some((past) => hasForgotten(past) && past.silent !== true)) return;
    const still = membership.remembered(late.since(clock.now())).forgotten;
    if (still.length > 0) return;
    await this.#record.swap(stored, settledView(stored.view, { lost, forgotten: [] }, random.id()), this.#abort.signal);
  }

  #tell(stored: View | undefined): void {
    const { membership, log, clock, settings } = this.#context;
    if (clock.now() - this.#toldAt < settings.viewCheckMs) return;
    this.#toldAt = clock.now();
    const { epoch, view } = membership;
    log.error(`the view's record in the store is wrong: ${this.#trouble}`, {
      epoch,
      stored: stored?.epoch,
      record: formatView(view).toString(),
    });
  }

  /**
   * Whether no newer view can be served, and this member is the one to act: every member of the view is there, answers,
   * and goes by this very view, and no process is known to go by a newer one (V59).
   */
  #mayMend(): boolean {
    const { membership, network } = this.#context;
    const { epoch, view, self } = membership;
    if (membership.ahead.length > 0 || membership.progress === "adopting" || view.members[0]?.id !== self.id)
      return false;
    return membership.peers.every((peer) => {
      const state = membership.stateOf(peer);
      const isHere = network.linked(peer.id)?.incarnation === peer.incarnation && this.#eviction.isFresh(peer);
      return isHere && state?.epoch === epoch && state.progress !== "adopting";
    });
  }

  /** Puts the view back, under an epoch that no member can have gone on to unseen. */
  async #mend(stored: StoredView | undefined): Promise<void> {
    const { membership, random, log, late, clock } = this.#context;
    const past = membership.remembered(late.since(clock.now()));
    const next = restoredView(membership.view, membership.settled, past, random.id());
    assert(next.epoch > membership.epoch, "what is put back is newer than what may have been lost");
    if (!(await this.#record.swap(stored, next, this.#abort.signal)) || this.#abort.signal.aborted) return;
    this.#trouble = undefined;
    log.warn("the view was put back into the store: all of its members go by it", { epoch: next.epoch });
    if (next.epoch > membership.epoch) this.#observer.onView(next);
  }
}

/** Whether the record is gone, or an older one of this cluster. */
function isLost(stored: View | undefined, adopted: View): boolean {
  return !stored || (stored.parameters.clusterId === adopted.parameters.clusterId && isOlder(stored, adopted));
}

/** A view that was settled once stays so. */
function isOlder(stored: View, adopted: View): boolean {
  if (stored.epoch !== adopted.epoch) return stored.epoch < adopted.epoch;
  return adopted.settled && !stored.settled && processesOf(stored) === processesOf(adopted);
}

function troubleOf(stored: View | undefined, adopted: View): string | undefined {
  if (!stored) return `${viewName} is gone. Nodes that run go on, and none can join, leave or be dropped`;
  if (stored.parameters.clusterId !== adopted.parameters.clusterId)
    return `${viewName} is that of another cluster. Is this node over the right store, and no other cluster's node?`;
  if (isOlder(stored, adopted))
    return `${viewName} is older than what this node goes by: an earlier state of it was put back`;
  if (stored.epoch === adopted.epoch && processesOf(stored) !== processesOf(adopted))
    return `${viewName} has other members than what this node goes by: an earlier state of it was put back, and some nodes went on from there. Stop those, and put the newest state back`;
  return undefined;
}

function processesOf({ members }: View): string {
  return members.map(({ id, incarnation, folder, weight }) => [id, incarnation, folder, weight].join()).join(" ");
}
