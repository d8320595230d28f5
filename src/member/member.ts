/**
 * One running member of a cluster: its life, and what it does with what comes from peers. The decisions of the protocol
 * are in its parts (see `wiring.ts`). A member lives from its join to its end; see `participant.ts` for what comes
 * after.
 */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import { isOperatingError, OperatingError } from "../base/errors.ts";
import { LinkedAbort } from "../base/linked-abort.ts";
import { PartedList } from "../base/parted-list.ts";
import type { Lane } from "../base/slices.ts";
import type { Administration } from "../core/administration.ts";
import type { Entry } from "../core/entry.ts";
import type { KeyState } from "../core/key-state.ts";
import type { LateRecord } from "../core/late-effects.ts";
import type { SentAt } from "../core/lease.ts";
import type { Membership } from "../core/membership.ts";
import type {
  MemberState,
  PeerAnswer,
  PeerIdentity,
  PeerNotice,
  PeerRequest,
  RefusedAnswer,
  RequestOutcome,
} from "../core/message.ts";
import type { Operations } from "../core/operation.ts";
import type { Readiness } from "../core/status.ts";
import { versionOf } from "../core/version.ts";
import type { View, ViewMember, ViewParameters } from "../core/view.ts";
import type { AdoptRecord, JournalSource, Recovered } from "../journal/journal.ts";
import type { PeerAddress, PeerHandler } from "../network/network.ts";
import type { Status } from "./admin/status.ts";
import { answerOf } from "./answers.ts";
import { type MemberParts, type Wired, wire } from "./wiring.ts";

export class Member implements PeerHandler, JournalSource {
  /** What clients and operators can ask of it. */
  readonly operations: Operations & Administration;
  /** What it tells people. */
  readonly status: Status;
  readonly #parts: Omit<MemberParts, "recovered">;
  /** What was held before, until it has been taken over: the values in it may be most of the process's memory. */
  #before: Recovered | undefined;
  readonly #wired: Wired;
  readonly #membership: Membership;
  readonly #abort = new AbortController();
  /** Takes over what was held before; and at the end collects what is held. */
  readonly #lane: Lane;
  /** Settles when it has taken over all that was held before, or has ended meanwhile. */
  readonly #recovered = Promise.withResolvers<void>();
  /** Whether it has peers. */
  #isStarted = false;
  /** It takes nothing more: that might not reach the store. */
  #drained = false;
  #ended = false;
  /** When it was last seen to serve. */
  #servedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor({ recovered, ...parts }: MemberParts) {
    this.#parts = parts;
    this.#before = recovered;
    this.#wired = wire(parts, recovered, {
      onView: (view) => this.#adopt(view),
      onPong: (from, state, sentAt) => this.#onPong(from, state, sentAt),
      onLease: () => this.#onLease(),
      onOut: (replaced) => this.#onOut(replaced),
      onSeen: (view) => this.#setPeers(view.members),
      onLast: () => this.#drain(),
      onGoing: (withinMs) => this.#wired.router.stop(withinMs),
      onStaying: () => {
        if (!this.#drained) this.#wired.router.resume();
      },
    });
    this.operations = this.#wired.operations;
    this.status = this.#wired.status;
    this.#membership = this.#wired.membership;
    this.#lane = this.#wired.slices.lane();
  }

  /**
   * Joins the cluster; resolves when this process is in the view. Links are made from the first moment on.
   * @throws OperatingError `store_refused` when the store cannot be used, `shutting_down` when it has ended meanwhile.
   */
  async start(): Promise<void> {
    const { network, journal } = this.#parts;
    assert(!this.#ended && !this.joined && this.#before !== undefined, "a member starts once, without a view");
    this.#recover(this.#before);
    if (this.#lane.isBusy) await this.#recovered.promise;
    this.#before = undefined;
    journal.attach(this);
    network.start(this);
    this.#isStarted = true;
    this.#setPeers([]);
    this.#wired.gossip.start();
    const view = await this.#wired.joining.join(this.#abort.signal);
    compareSettings(this.#parts, view.parameters);
    this.#adopt(view);
    this.#wired.leftovers.start();
  }

  /** Stops trying to join. True if it may have joined all the same: then {@link start} ends soon. */
  stopJoining(reason: Error): boolean {
    return this.#wired.joining.stop(reason);
  }

  /**
   * Leaves in order: hands everything off, and takes itself out of the view; resolves then.
   * @throws the signal's reason when that is aborted, or this member's when it has ended meanwhile.
   */
  async leave(signal: AbortSignal): Promise<void> {
    this.#wired.flusher.queue.stopCoalescing();
    using end = new LinkedAbort(signal, this.#abort.signal);
    await this.#wired.leaving.leave(end.signal);
  }

  /**
   * Ends at once: answers nothing more, sends nothing more. Resolves with what it holds, for the next member on this
   * data folder.
   */
  end(): Promise<Recovered> {
    assert(!this.#ended, "a member ends once");
    this.#ended = true;
    const reason = new OperatingError("shutting_down", "the member has ended");
    this.#abort.abort(reason);
    this.#wired.flushOnDemand.stop(reason);
    const { lease } = this.#membership;
    lease.void();
    assert(!lease.held(), "a member that has ended may not answer");
    this.#wired.gossip.stop();
    this.#wired.viewWatch.stop();
    this.#wired.viewCheck.stop();
    this.#wired.eviction.stop();
    this.#wired.storeFailover.stop();
    this.#wired.leftovers.stop();
    this.#wired.viewLife.stop();
    this.#wired.handOff.stop();
    this.#wired.flusher.stop();
    this.#wired.cleaner.stop();
    this.#wired.primary.stop();
    this.#wired.durableWrites.adoptView();
    const held = this.#collect();
    this.#wired.router.end();
    this.#wired.deadlines.stop();
    return held;
  }

  /** What it holds when all that is pending has ended. Nothing is taken any more, so nothing comes in between. */
  #collect(): Promise<Recovered> {
    // It has taken nothing from others yet.
    if (this.#lane.isBusy) {
      assert(this.#before !== undefined, "what was held before is there until it has been taken over");
      this.#lane.stop();
      this.#recovered.reject(this.#abort.signal.reason as Error);
      return Promise.resolve(this.#before);
    }
    const { buffer, flusher, requests, late } = this.#wired;
    const { adoptedEpochs: adopted, cluster, isBroughtBack: broughtBack } = this.#membership;
    const error = new OperatingError("peer_unreachable", "this node has left the view, and others may have this write");
    const entries = new PartedList<Entry>();
    const outcomes = new PartedList<RequestOutcome>();
    const conditions = new PartedList<LateRecord>();
    const endTenure = (record: KeyState): void => {
      buffer.endTenure(record, error);
      if (record.entry) entries.push(record.entry);
    };
    const { promise, resolve } = Promise.withResolvers<Recovered>();
    this.#lane.over(buffer.records(), endTenure, () => {
      const collect = (outcome: RequestOutcome): void => outcomes.push(outcome);
      const collectLate = (each: LateRecord): void => conditions.push(each);
      this.#lane.over(requests.outcomes(), collect, () =>
        this.#lane.over(late.records(), collectLate, () =>
          resolve({ entries, outcomes, late: conditions, adopted, cluster, broughtBack }),
        ),
      );
    });
    // A flush that lands finds its key without tenure.
    if (this.#lane.isBusy) for (const { record } of flusher.flights) buffer.endTenure(record, error);
    return promise;
  }

  /** The configuration names these now. Nodes that it named before, and names no more, are asked to leave. */
  setNodes(nodes: readonly PeerAddress[]): void {
    this.#wired.configured.set(nodes);
    this.#wired.gossip.setNodes(nodes);
    this.#setPeers(this.#membership.epoch === 0 ? [] : this.#membership.view.members);
  }

  /** Whether it takes part in a view. */
  get joined(): boolean {
    return this.#membership.epoch > 0;
  }

  /** New operations of clients are refused from now on. */
  refuseOperations(): void {
    void this.#wired.router.stop();
  }

  readiness(): Readiness {
    const membership = this.#membership;
    if (this.#wired.leaving.begun) return { ready: false, reason: "the node is leaving" };
    if (membership.epoch === 0) return { ready: false, reason: "the node has not joined the cluster yet" };
    const pausedMs = this.#parts.clock.now() - this.#servedAt;
    if (!membership.isOwned) return { ready: false, reason: "no node owns any key at the moment", pausedMs };
    if (!membership.activated)
      return { ready: false, reason: `the hand-off of epoch ${membership.epoch} is under way`, pausedMs };
    if (!membership.lease.held())
      return { ready: false, reason: "neither enough of the other nodes nor the store confirm the lease", pausedMs };
    return { ready: true, reason: `serving in epoch ${membership.epoch}` };
  }

  /** Whether this member may answer for the key at this moment: at most one process may. */
  servesNow(key: string): boolean {
    return !this.#ended && this.#membership.mayAnswer(key);
  }

  adoption(): AdoptRecord | undefined {
    // Until this member adopts a view: what an earlier member on this folder had adopted.
    const { adoptedEpochs: adopted, cluster } = this.#membership;
    const epoch = adopted.at(-1);
    return epoch === undefined ? undefined : { kind: "adopt", epoch, adopted, cluster };
  }

  outcomes(): Iterable<RequestOutcome> {
    return this.#wired.requests.outcomes();
  }

  late(): Iterable<LateRecord> {
    return this.#wired.late.records();
  }

  newest(key: string): Entry | undefined {
    const { buffer, requests } = this.#wired;
    const newest = buffer.get(key)?.newest;
    return newest && requests.withKnownRequest(newest);
  }

  onRequest(from: PeerIdentity, request: PeerRequest): PeerAnswer | Promise<PeerAnswer> {
    const refused = (error: unknown): RefusedAnswer => refusedAnswer(error, this.#membership.epoch);
    try {
      const answer = this.#handle(from, request);
      if (!(answer instanceof Promise)) return answer;
      // Requests without a deadline wait for this member's journal: the asker decides for how long.
      if (!("deadlineMs" in request)) return answer.catch(refused);
      return this.#wired.deadlines.within(answer, request.deadlineMs).catch(refused);
    } catch (error) {
      return refused(error);
    }
  }

  onNotice(from: PeerIdentity, notice: PeerNotice): void {
    this.#hear(from, notice.state);
    const { epoch, progress } = notice.state;
    const { membership, gossip } = this.#wired;
    // It has adopted this view just now: the lease needs no wait for the next round.
    if (epoch === membership.epoch && progress === "adopted" && !membership.lease.held()) gossip.ping(from.id);
  }

  onLinkUp(peer: PeerIdentity): void {
    this.#parts.log.debug("link up", () => ({ peer: peer.id }));
    this.#wired.configured.onReached(peer.id);
    this.#wired.joining.onLinked(peer.id);
    this.#wired.folders.onLinkUp(peer);
    this.#wired.gossip.ping(peer.id);
    this.#wired.primary.resend(peer.id);
    this.#wired.router.wake();
  }

  onLinkDown(peer: PeerIdentity): void {
    this.#parts.log.debug("link down", () => ({ peer: peer.id }));
  }

  get clusterId(): string | undefined {
    return this.#membership.cluster;
  }

  /**
   * The process that the view lists under an id keeps its link while it answers (V57). A process that is started in its
   * place joins by the store, and is listed then.
   */
  refusal(caller: PeerIdentity): string | undefined {
    const listed = this.#membership.peers.find(({ id }) => id === caller.id);
    if (!listed || listed.incarnation === caller.incarnation || this.#wired.eviction.suspects.includes(listed))
      return undefined;
    if (this.#parts.network.linked(caller.id)?.incarnation !== listed.incarnation) return undefined;
    return `the node "${caller.id}" of this cluster is running (${listed.url}), and the caller is another process of that id: a second node with the same id, perhaps over another store`;
  }

  onRefused(id: string): void {
    this.#wired.joining.onRefused(id);
  }

  #handle(from: PeerIdentity, request: PeerRequest): PeerAnswer | Promise<PeerAnswer> {
    if (this.#ended) throw new OperatingError("not_ready", "this member has ended");
    if (request.kind === "ping") {
      this.#hear(from, request.state);
      return this.#wired.gossip.pong();
    }
    if (request.epoch > this.#membership.epoch) this.#wired.viewWatch.learn(request.epoch);
    if (!this.#membership.lists(from))
      // V5
      throw new OperatingError("wrong_view", `${from.id} is not a member of this view`);
    if (this.#wired.folders.isBroughtBack(from))
      throw new OperatingError("wrong_view", `the data folder of ${from.id} is an earlier state of itself`);
    return answerOf(this.#wired, from, request);
  }

  /** What the journal has is held and known before anything else happens (J4, J5). */
  #recover({ entries, outcomes, late }: Recovered): void {
    const now = this.#parts.clock.now();
    const { buffer, requests } = this.#wired;
    assert(!this.joined, "what was held before is there before the first view");
    const take = (entry: Entry): void => {
      buffer.recover(entry, now);
      requests.record(entry.requestId, entry.key, versionOf(entry));
    };
    this.#lane.over(entries, take, () => {
      const know = ({ requestId, key, version }: RequestOutcome): void => requests.record(requestId, key, version);
      const remember = (each: Omit<LateRecord, "kind">): void => this.#wired.late.recover(each, now);
      this.#lane.over(outcomes, know, () => this.#lane.over(late, remember, () => this.#recovered.resolve()));
    });
  }

  #adopt(view: View): void {
    // Several parts look at the store: one may bring a view that another has brought already.
    if (this.#ended || view.epoch <= this.#membership.epoch) return;
    this.#setPeers(view.members);
    this.#wired.viewLife.adopt(view);
    assert(this.#membership.epoch === view.epoch, "a view that is adopted is the member's");
  }

  #hear(from: PeerIdentity, state: MemberState): void {
    if (this.#ended || this.#isForeign(from, state) || this.#isBroughtBack(from, state)) return;
    const membership = this.#membership;
    if (membership.activated && membership.lease.held()) this.#servedAt = this.#parts.clock.now();
    membership.hear(from, state);
    const { watermark: counter, finished } = state;
    for (const each of [{ router: from.incarnation, counter }, ...finished])
      this.#wired.requests.advance(each.router, each.counter);
    this.#wired.viewWatch.learn(Math.max(state.epoch, state.seenEpoch));
    this.#wired.viewLife.step();
  }

  /** Whether the peer has come to be in another cluster since it got its link. It gets none after that (V56). */
  #isForeign({ id }: PeerIdentity, { cluster }: MemberState): boolean {
    if (!this.joined || cluster === "" || cluster === this.#membership.cluster) return false;
    this.#parts.network.disconnect(id, "it is in another cluster: one of the two nodes is over another store");
    return true;
  }

  /** Whether the peer's data folder, or this member's own, is an earlier state of itself: the other end knows (V62). */
  #isBroughtBack(from: PeerIdentity, state: MemberState): boolean {
    const { folders } = this.#wired;
    const { log, identity, observer } = this.#parts;
    const wasBroughtBack = folders.isBroughtBack(from);
    folders.hear(from, state.folder);
    if (folders.isBroughtBack(from)) {
      if (!wasBroughtBack)
        log.error("the data folder of a peer is an earlier state of itself: its node waits for another one", {
          peer: from.id,
          folder: state.folder.name,
        });
      return true;
    }
    if (!state.broughtBack.includes(identity.incarnation)) return false;
    this.#membership.markBroughtBack();
    if (this.joined) observer.onBroughtBack();
    return true;
  }

  #onPong(from: PeerIdentity, state: MemberState, sentAt: SentAt): void {
    if (this.#ended || this.#isForeign(from, state) || this.#isBroughtBack(from, state)) return;
    this.#wired.eviction.heard(from);
    const had = this.#membership.lease.held();
    this.#membership.confirm(from, state, sentAt);
    if (!had) this.#onLease();
    this.#hear(from, state);
    this.#wired.configured.onReached(from.id);
  }

  /** The lease may be there again. */
  #onLease(): void {
    if (!this.#membership.lease.held()) return;
    this.#wired.primary.mayAnswer();
    this.#wired.router.wake();
  }

  #onOut(replaced: boolean): void {
    if (this.#ended) return;
    const { observer, log, identity } = this.#parts;
    if (replaced) {
      log.error("another process has joined the cluster under this node's id; this one stops", { id: identity.id });
      observer.onReplaced();
      return;
    }
    // A member that is leaving looks at the view itself.
    if (!this.#wired.leaving.begun) observer.onEvicted();
  }

  /** There is no member to hand off to: this one takes nothing new, and what it holds goes to the store. */
  #drain(): void {
    if (this.#drained) return;
    this.#drained = true;
    this.#wired.primary.drain();
    void this.#wired.router.stop();
    this.#wired.flusher.queue.stopCoalescing();
  }

  #setPeers(members: readonly ViewMember[]): void {
    const { identity, network } = this.#parts;
    // What was held before is still being taken over.
    if (!this.#isStarted) return;
    const peers = new Map(this.#wired.configured.named.map((node) => [node.id, node]));
    for (const { id, url } of members) peers.set(id, { id, url });
    peers.delete(identity.id);
    network.setPeers([...peers.values()]);
  }
}

/**
 * The settings of the cluster's first node hold for all of its nodes. A node whose file says otherwise says so in its
 * log.
 */
function compareSettings(
  parts: Pick<MemberParts, "settings" | "log">,
  { replicas, leaseMs, flushDeadlineMs }: ViewParameters,
): void {
  const { settings, log } = parts;
  const own = { replicas: settings.replicas, leaseMs: settings.leaseMs, flushDeadlineMs: settings.flushDeadlineMs };
  const shared = { replicas, leaseMs, flushDeadlineMs };
  if (own.replicas === replicas && own.leaseMs === leaseMs && own.flushDeadlineMs === flushDeadlineMs) return;
  log.warn("the cluster goes by what its first node's file said, until all nodes have left it", { shared, own });
}

function refusedAnswer(error: unknown, epoch: number): RefusedAnswer {
  if (!isOperatingError(error)) throw error;
  return { kind: "refused", code: error.code, epoch, detail: error.message };
}
