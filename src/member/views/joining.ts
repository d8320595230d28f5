/**
 * Joining: how a process gets into the view (V22). A process whose id is listed takes its entry over at once and needs
 * only the store: else no process could start after a power loss of all. Any other waits until it reaches every member:
 * else a partial partition would throw it in and out for ever.
 */

import { assert } from "../../base/assert.ts";
import { type Instant, sleep } from "../../base/clock.ts";
import type { ErrorCode } from "../../base/errors.ts";
import { LinkedAbort } from "../../base/linked-abort.ts";
import { listsProcess, type View, type ViewMember, type ViewParameters, viewName, votersOf } from "../../core/view.ts";
import { firstView, joinedView, keepsHalf } from "../../core/view-changes.ts";
import type { PeerAddress } from "../../network/network.ts";
import type { ContextOf } from "../context.ts";
import type { MemberSettings } from "../settings.ts";
import type { StoredView, ViewRecord } from "./view-record.ts";

type JoiningContext = ContextOf<"membership" | "buffer" | "network" | "clock" | "random" | "log"> & {
  readonly settings: Pick<MemberSettings, "replicas" | "leaseMs" | "flushDeadlineMs" | "storeName">;
};

/** Pause between two looks at the view, in milliseconds; a random part of it is added. */
const pollMs = 50;
/**
 * A process that is new to the view waits so many milliseconds at most for the view to settle: until no member asks any
 * more what became of a write that this process may have.
 */
const settledWaitMs = 30_000;
/**
 * Where the store has no view, a process waits so many milliseconds at most for word of the nodes that its
 * configuration names: one of them may be in a view (V54).
 */
const foundingWaitMs = 2_000;
/** While it cannot join, the log says why this often, in milliseconds. */
const logMs = 5_000;
/**
 * Once a view has changed so often without settling (this often, and twice for each member) a restarted process waits,
 * too: one that crashes again and again would make the lineage grow without end (V23).
 */
const longLineage = 16;

const putBack = `If ${viewName} was removed from it, put that object back, from its newest version or a backup of that`;

const broughtBack =
  "its data folder is an earlier state of itself, from a snapshot or a copy, or its disk has lost what it had synced: the cluster counts on what it has said it holds since. Start the node on an empty data folder, or on the newest state of this one";

export class Joining {
  readonly #context: JoiningContext;
  readonly #record: ViewRecord;
  readonly #self: ViewMember;
  readonly #onSeen: (view: View) => void;
  readonly #since: Instant;
  #loggedAt: Instant;
  readonly #configured: { readonly named: readonly PeerAddress[] };
  /** When the log last said that the store does not go with what this process knows. */
  #toldAt: Instant | undefined;
  #seenEpoch = 0;
  /** Peers that have refused a link because they are in a view. */
  readonly #refusedBy = new Set<string>();
  readonly #stopped = new AbortController();
  /** The view with this process in it is on its way to the store. */
  #isProposing = false;

  /**
   * @param self - this process, as it will stand in the view
   * @param configured - the nodes that the configuration names
   * @param onSeen - is told the view that this process waits to join: its members are to be reached
   */
  constructor(
    context: JoiningContext,
    record: ViewRecord,
    self: ViewMember,
    configured: { readonly named: readonly PeerAddress[] },
    onSeen: (view: View) => void,
  ) {
    this.#context = context;
    this.#record = record;
    this.#self = self;
    this.#configured = configured;
    this.#onSeen = onSeen;
    this.#since = context.clock.now();
    this.#loggedAt = this.#since;
  }

  /** The epoch of the view last seen in the store. */
  get seenEpoch(): number {
    return this.#seenEpoch;
  }

  /**
   * Tries no more: {@link join} rejects with this reason, or ends as the attempt that is under way does.
   *
   * @returns whether an attempt is under way
   */
  stop(reason: Error): boolean {
    this.#stopped.abort(reason);
    return this.#isProposing;
  }

  /** This peer is in a view, and does not take this process for a member of its cluster. */
  onRefused(peer: string): void {
    this.#refusedBy.add(peer);
  }

  /** The peer has a link now: it speaks for itself. */
  onLinked(peer: string): void {
    this.#refusedBy.delete(peer);
  }

  /** The view that lists this process, however long it takes; rejects with the signal's reason when that is aborted. */
  async join(ended: AbortSignal): Promise<View> {
    const { clock, random, membership } = this.#context;
    using end = new LinkedAbort(ended, this.#stopped.signal);
    const { signal } = end;
    assert(membership.epoch === 0, "a process joins before it has adopted a view");
    for (;;) {
      const stored = await this.#record.readPatiently(signal, ...this.#borne);
      signal.throwIfAborted();
      this.#seenEpoch = stored?.view.epoch ?? 0;
      const doubt = this.#doubtOf(stored?.view);
      if (doubt !== undefined) {
        this.#warn(doubt, stored?.view);
      } else {
        // A swap of ours took effect after it had been taken for lost.
        if (stored && listsProcess(stored.view, this.#self)) return stored.view;
        const next = stored ? this.#next(stored.view) : this.#first();
        if (next && (await this.#swap(stored, next, ended))) return next;
      }
      await sleep(clock, pollMs * (1 + random.next()), signal);
    }
  }

  /**
   * What a read may fail with besides (V60). A process that waits for an operator may see the record while that is put
   * back: a copied file is there in part at first. A process that has just begun ends with the error, which says why.
   */
  get #borne(): ErrorCode[] {
    return this.#toldAt === undefined ? [] : ["store_refused"];
  }

  /** What a cluster that this process founds goes by; the cluster's id is drawn then. */
  get #parameters(): Pick<ViewParameters, "replicas" | "leaseMs" | "flushDeadlineMs" | "ringVersion" | "store"> {
    const { replicas, leaseMs, flushDeadlineMs, storeName } = this.#context.settings;
    return { replicas, leaseMs, flushDeadlineMs, ringVersion: 1, ...(storeName !== undefined && { store: storeName }) };
  }

  /**
   * The view of a new cluster; undefined while a node that the configuration names may be in a view already: it has
   * been given little time to say so.
   */
  #first(): View | undefined {
    const { random, clock } = this.#context;
    if (clock.now() - this.#since < foundingWaitMs && !this.#hasHeardAll()) return undefined;
    return firstView(this.#self, { ...this.#parameters, clusterId: random.id().slice(0, 16) }, random.id());
  }

  /** Whether every other node of the configuration is linked, and has said in which view it is. */
  #hasHeardAll(): boolean {
    const { network, membership } = this.#context;
    return this.#configured.named.every(({ id }) => {
      const peer = network.linked(id);
      return id === this.#self.id || (peer !== undefined && membership.stateOf(peer) !== undefined);
    });
  }

  /** The stored view with this process in it; undefined while it cannot join. */
  #next(stored: View): View | undefined {
    const { clock, random } = this.#context;
    const joined = joinedView(stored, this.#self, random.id(), this.#parameters);
    const waitedMs = clock.now() - this.#since;
    const obstacle = this.#obstacle(stored, joined, waitedMs);
    this.#onSeen(stored);
    if (obstacle === undefined) return joined;
    this.#logWaiting(obstacle, waitedMs);
    return undefined;
  }

  /** Only the end of the member ends an attempt, not {@link stop}: the swap may be in the store already. */
  async #swap(stored: StoredView | undefined, next: View, ended: AbortSignal): Promise<boolean> {
    assert(!this.#isProposing, "one proposal at a time");
    assert(listsProcess(next, this.#self), "a process joins a view that lists it");
    this.#isProposing = true;
    try {
      return await this.#record.swap(stored, next, ended);
    } finally {
      this.#isProposing = false;
    }
  }

  /**
   * Why the store's view is not the one that this process is to join, and what an operator does about it; undefined if
   * it is. Perhaps the configuration names another store than before, a file system is not mounted, or the view's
   * record was removed.
   */
  #doubtOf(view: View | undefined): string | undefined {
    const { membership, buffer } = this.#context;
    const { cluster } = membership;
    // What the folder holds would not count under this view, and be forgotten. An empty folder, too, says which store
    // was this node's: an orderly stop leaves nothing else behind (V25).
    if (cluster !== undefined && cluster !== view?.parameters.clusterId) {
      const held =
        buffer.size > 0
          ? "acknowledged values of another cluster than the store, where they would be forgotten"
          : undefined;
      if (view)
        return `its data folder has ${held ?? "been in another cluster than the store's"}. Is this the right store? If it is, start the node on an empty data folder`;
      return `its data folder has ${held ?? "been in a cluster, and the store has none"}. Is this the right store? ${putBack}. For a new cluster, start every node on an empty data folder`;
    }
    if (view && this.#foreign(view).length > 0)
      return "the store's cluster is not the one that other nodes of this configuration are in. Is this their store?";
    if (view && this.#isOfAnotherStore(view))
      return `the store has the view of a cluster over ${view.parameters.store}, and is ${this.#context.settings.storeName}: a copy of that one? Put the cluster's store back into the configuration. To move the cluster, stop all nodes in order, copy the objects without .weir/, and start every node on an empty data folder`;
    // Its views after that one are in the journal, and the next one would have the number of one of them (V60).
    if (view && (membership.adoptedEpochs.at(-1) ?? 0) > view.epoch && cluster !== undefined)
      return `${viewName} in the store is older than what this node's data folder has been in: an earlier state of it was put back. Put the newest state back. If the other nodes run and go by the newest, they do so by themselves`;
    if (membership.isBroughtBack || (view && cluster !== undefined && this.#isBroughtBack(view))) return broughtBack;
    if (!view && this.#ahead.length > 0)
      return `the store has no cluster, and other nodes are in one. Is this their store? ${putBack}. For a new cluster, stop those nodes first`;
    return undefined;
  }

  /**
   * Whether the folder lacks a view that it has adopted for certain: each member of a settled view has. The first view
   * may be none, and the last owner leaves a settled view behind that nobody has adopted (V61).
   */
  #isBroughtBack(view: View): boolean {
    const settled = view.settled ? view : view.lineage[0];
    if (settled === undefined || settled.epoch === 1 || votersOf(settled).length === 0) return false;
    const { membership } = this.#context;
    const isListed = settled.members.some(({ folder }) => folder === this.#self.folder);
    return isListed && (membership.adoptedEpochs.at(-1) ?? 0) < settled.epoch;
  }

  /** The peers with a link that are in another cluster than that of this view (V63). */
  #foreign({ parameters: { clusterId } }: View): readonly string[] {
    const { membership, network } = this.#context;
    return this.#configured.named.flatMap(({ id }) => {
      const peer = network.linked(id);
      const cluster = peer && membership.stateOf(peer)?.cluster;
      return cluster === undefined || cluster === "" || cluster === clusterId ? [] : id;
    });
  }

  /** Whether members go by another name of the store than this process: theirs may be a copy of it (V63). */
  #isOfAnotherStore({ members, parameters }: View): boolean {
    const { storeName } = this.#context.settings;
    const isNamed = parameters.store !== undefined && storeName !== undefined;
    return members.length > 0 && isNamed && parameters.store !== storeName;
  }

  /** The peers that are in a view: they have a link and say so, or they have refused one for that reason (V54). */
  get #ahead(): readonly string[] {
    const { membership, network } = this.#context;
    const linked = membership.ahead.filter((id) => {
      const peer = network.linked(id);
      return peer !== undefined && membership.stateOf(peer) !== undefined;
    });
    return [...linked, ...this.#refusedBy];
  }

  #warn(doubt: string, view: View | undefined): void {
    const { clock, log, membership } = this.#context;
    if (this.#toldAt !== undefined && clock.now() - this.#toldAt < logMs) return;
    this.#toldAt = clock.now();
    log.warn(`this node waits: ${doubt}`, {
      dataFolder: membership.cluster ?? "no cluster yet",
      store: view?.parameters.clusterId ?? "no cluster yet",
      others: this.#ahead,
    });
  }

  /** Why this process cannot join yet; undefined if it can. */
  #obstacle(view: View, joined: View, waitedMs: number): string | undefined {
    const self = this.#self;
    const { network, membership } = this.#context;
    const newer = view.members.filter((member) => {
      const peer = network.linked(member.id);
      return peer !== undefined && (membership.stateOf(peer)?.epoch ?? 0) > view.epoch;
    });
    // As a rule they have just gone on. Else an earlier state of the record was put back (V60).
    if (newer.length > 0)
      return `${newer.map(({ id }) => id).join(", ")} went on to a newer view than the store has: is ${viewName} an earlier state that was put back?`;
    if (joined.dropped && !keepsHalf(joined)) {
      return `"${self.id}" has another data folder than before, and more than half of the data folders of an earlier view would be gone: start the other nodes with theirs, or give up what is gone with weir forget`;
    }
    // Survivors are counted, and what is held is judged, by the folder: two members must not have the same (V24).
    const twin = view.members.find((member) => member.folder === self.folder && member.id !== self.id);
    if (twin && !this.#areSilent(view, [twin]))
      return `this is the data folder of ${twin.id}, or a copy of it, and ${twin.id} is not known to be down: start this node on a folder of its own`;
    const listed = view.members.find((member) => member.id === self.id);
    if (listed) {
      // Perhaps this is another cluster's store, with a node of the same id. Without a cluster of its own this process
      // asks its nodes first (V63).
      const isElsewhere = listed.url !== self.url && membership.cluster === undefined;
      if (isElsewhere && waitedMs < foundingWaitMs && !this.#hasHeardAll())
        return `${viewName} has this node at ${listed.url}: the other nodes are asked for their cluster first`;
      const isLong = !view.settled && view.lineage.length > longLineage + 2 * view.members.length;
      return isLong && waitedMs < settledWaitMs ? "the view has changed very often without settling" : undefined;
    }
    // No member owns anything, so this process will be the only voter: it can drop members that are silent, and no
    // member can drop it.
    if (votersOf(view).length === 0) return this.#unsettled(view, waitedMs);
    const missing = view.members.filter((member) => network.linked(member.id)?.incarnation !== member.incarnation);
    if (missing.length > 0 && !this.#areSilent(view, missing))
      return `no link to ${missing.map((member) => `${member.id} (${member.url})`).join(", ")}`;
    return this.#unsettled(view, waitedMs);
  }

  #unsettled(view: View, waitedMs: number): string | undefined {
    // Where no member has owned anything there was nothing to write.
    const isOwned = [view, ...view.lineage].some((each) => votersOf(each).length > 0);
    const waits = view.members.length > 0 && isOwned && !view.settled && waitedMs < settledWaitMs;
    return waits ? `the view of epoch ${view.epoch} is not settled yet` : undefined;
  }

  /**
   * Whether a member that this process reaches says that it does not reach those either. Then they are down, and the
   * fault is not this process's own link.
   */
  #areSilent(view: View, missing: readonly ViewMember[]): boolean {
    const { membership } = this.#context;
    return view.members.some((member) => {
      if (missing.includes(member)) return false;
      const state = membership.stateOf(member);
      return state?.epoch === view.epoch && missing.every(({ id }) => state.suspects.includes(id));
    });
  }

  #logWaiting(obstacle: string, waitedMs: number): void {
    const { clock, log } = this.#context;
    if (clock.now() - this.#loggedAt < logMs) return;
    this.#loggedAt = clock.now();
    // Members settle a view, or notice a loss, sooner than this: what lasts longer may need an operator.
    const level = waitedMs > settledWaitMs ? "warn" : "info";
    log[level]("waiting to join the cluster", { reason: obstacle });
  }
}
