/**
 * One running member of a cluster: puts the parts together over the ports it is given, and tells each what the others need to know. The
 * protocol's decisions are in the parts; here is only who calls whom. A member lives from its join to its end; see `participant.ts` for what comes after.
 */

import { assert, unreachable } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { Complaints } from "../base/complaints.ts";
import { isOperatingError, OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Entry } from "../core/entry.ts";
import type { SentAt } from "../core/lease.ts";
import { Membership } from "../core/membership.ts";
import type {
  MemberState,
  PeerAnswer,
  PeerIdentity,
  PeerNotice,
  PeerRequest,
  RefusedAnswer,
  RequestOutcome,
} from "../core/message.ts";
import type {
  ClusterStatus,
  DeleteOperation,
  Operations,
  PutOperation,
  ReadOutcome,
  WriteOutcome,
} from "../core/operation.ts";
import { RequestLog } from "../core/request-log.ts";
import { Room } from "../core/room.ts";
import type { View, ViewMember } from "../core/view.ts";
import { WriteBuffer } from "../core/write-buffer.ts";
import type { AdoptRecord, Journal, JournalSource, Recovered } from "../journal/journal.ts";
import type { Network, PeerAddress, PeerHandler } from "../network/network.ts";
import type { BlobStore } from "../store/blob-store.ts";
import { createCache } from "./cache.ts";
import { Cleaner } from "./cleaner.ts";
import { Dropping } from "./dropping.ts";
import { Flusher } from "./flusher.ts";
import { Gossip } from "./gossip.ts";
import { HandOff } from "./hand-off.ts";
import { InTime } from "./in-time.ts";
import { Joining } from "./joining.ts";
import { Leaving } from "./leaving.ts";
import { Primary } from "./primary.ts";
import { ReadPath } from "./read-path.ts";
import { Replica } from "./replica.ts";
import { Report } from "./report.ts";
import { Router } from "./router.ts";
import type { MemberSettings } from "./settings.ts";
import { adoptionOf, ViewChange } from "./view-change.ts";
import { ViewKeeper } from "./view-keeper.ts";
import { ViewRecord } from "./view-record.ts";

export interface MemberObserver {
  /** Another process has taken this member's id: this one must end. */
  onReplaced(): void;
  /** The others have gone on without this member, which has ended: see {@link Member.end}. */
  onDropped(): void;
  /** A peer whose configuration names this member no more asks it to leave. */
  onLeaveAsked(): void;
}

export interface MemberParts {
  /** This process as it will stand in the view. */
  readonly identity: ViewMember;
  /** The members that the configuration names; more may be learned from the view. */
  readonly nodes: readonly PeerAddress[];
  readonly settings: MemberSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly store: BlobStore;
  readonly journal: Journal;
  /** What earlier members on this data folder held; all of it is in the journal, if there is one. */
  readonly recovered: Recovered;
  readonly log: Log;
  readonly observer: MemberObserver;
}

/** What goes wrong again and again is logged this often, in milliseconds. */
const complaintIntervalMs = 10_000;
/** Who has a link and needs longer than so many times D for a write or a part of a hand-off counts as silent. */
const stuckSuspicions = 5;

export class Member implements Operations, PeerHandler, JournalSource {
  readonly #parts: MemberParts;
  readonly #membership: Membership;
  readonly #buffer: WriteBuffer;
  readonly #requests = new RequestLog();
  readonly #reads: ReadPath;
  readonly #primary: Primary;
  readonly #replica: Replica;
  readonly #flusher: Flusher;
  readonly #cleaner: Cleaner;
  readonly #handOff: HandOff;
  readonly #router: Router;
  readonly #joining: Joining;
  readonly #leaving: Leaving;
  readonly #dropping: Dropping;
  readonly #viewKeeper: ViewKeeper;
  readonly #report: Report;
  readonly #viewChange: ViewChange;
  readonly #inTime: InTime;
  readonly #gossip: Gossip;
  readonly #abort = new AbortController();
  #nodes: readonly PeerAddress[];
  #isLeaving = false;
  /** Nothing more is taken: what would be, might not reach the store. */
  #drained = false;
  #ended = false;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.#nodes = parts.nodes;
    const { identity, settings, clock, random, network, store, journal, recovered, log } = parts;
    const { id, incarnation, folder } = identity;
    const membership = new Membership({ id, incarnation, folder }, clock, recovered.adopted);
    const buffer = new WriteBuffer(new Room(settings.room, clock), journal);
    const cache = createCache(settings.cacheBytes);
    const requests = this.#requests;
    const complaints = new Complaints(log, clock, complaintIntervalMs);
    const inTime = new InTime(clock, settings.operationMs);
    const record = new ViewRecord({ store, clock, random, complaints });
    const stuckMs = stuckSuspicions * settings.suspectMs;
    const onNewerEpoch = (epoch: number): void => this.#viewKeeper.learn(epoch);
    const onView = (view: View): void => this.#adopt(view);
    const onStuck = (peer: string): void => this.#dropping.stuck(peer);
    this.#inTime = inTime;
    this.#membership = membership;
    this.#buffer = buffer;
    this.#reads = new ReadPath({
      membership,
      buffer,
      cache,
      store,
      clock,
      settings,
      hasten: (each) => this.#primary.inheritance.hasten(each),
    });
    this.#replica = new Replica({ membership, buffer, requests, journal, clock });
    this.#cleaner = new Cleaner({ membership, buffer, cache, network, clock });
    this.#flusher = new Flusher({
      membership,
      buffer,
      store,
      clock,
      random,
      complaints,
      settings: { ...settings.flush, maxValueBytes: settings.maxValueBytes },
      observer: {
        onFlushed: (each) => this.#cleaner.flushed(each),
        onWrittenThrough: (each) => this.#primary.commitReady(each),
        onFoundNewer: (each, entry) => this.#primary.takeOver(each, entry),
      },
    });
    this.#primary = new Primary({
      membership,
      buffer,
      requests,
      cache,
      reads: this.#reads,
      network,
      journal,
      clock,
      complaints,
      replicateMs: stuckMs,
      stuckMs: settings.operationMs,
      observer: {
        onCommit: (each) => this.#flusher.schedule(each),
        onWriteThrough: (each) => this.#flusher.writeThrough(each),
        onNewerEpoch,
        onStuck,
      },
    });
    this.#handOff = new HandOff({
      membership,
      buffer,
      requests,
      network,
      clock,
      complaints,
      deadlineMs: stuckMs,
      observer: {
        onDelivered: () => this.#viewChange.delivered(),
        onOwnerHas: (key, version, peer) => this.#primary.inheritance.acknowledged(key, version, peer),
        onHandedOff: () => this.#viewChange.handedOff(),
        onStuck,
      },
    });
    this.#router = new Router({
      membership,
      primary: this.#primary,
      reads: this.#reads,
      network,
      clock,
      settings,
      inTime,
      fits: (key) => store.fits(key),
      onNewerEpoch,
    });
    this.#report = new Report({
      cluster: settings.cluster,
      store: store.description,
      membership,
      buffer,
      cache,
      flusher: this.#flusher,
      network,
      clock,
    });
    const { suspectMs, pingMs } = settings;
    this.#dropping = new Dropping({
      membership,
      record,
      clock,
      random,
      log,
      complaints,
      suspectMs,
      pingMs,
      observer: { onView, onNewerEpoch },
    });
    this.#gossip = new Gossip(
      {
        membership,
        requests,
        router: this.#router,
        flusher: this.#flusher,
        dropping: this.#dropping,
        report: this.#report,
        journal,
        network,
        clock,
        log,
        pingMs,
        journalLagMs: suspectMs,
        observer: {
          onRound: () => {
            this.#dropping.tick();
            this.#viewKeeper.keepLease();
          },
          onPong: (from, state, sentAt) => this.#onPong(from, state, sentAt),
        },
      },
      parts.nodes,
    );
    this.#viewChange = new ViewChange({
      membership,
      buffer,
      cache,
      requests,
      journal,
      reads: this.#reads,
      primary: this.#primary,
      flusher: this.#flusher,
      cleaner: this.#cleaner,
      handOff: this.#handOff,
      dropping: this.#dropping,
      gossip: this.#gossip,
      router: this.#router,
      network,
      clock,
      log,
      settleSoon: () => this.#viewKeeper.settleSoon(),
    });
    this.#joining = new Joining({
      self: identity,
      parameters: {
        replicas: settings.replicas,
        leaseMs: settings.leaseMs,
        flushDeadlineMs: settings.flushDeadlineMs,
        ringVersion: 1,
      },
      membership,
      record,
      network,
      clock,
      random,
      log,
      onSeen: (view) => this.#setPeers(view.members),
    });
    this.#leaving = new Leaving({
      membership,
      record,
      clock,
      random,
      log,
      weight: identity.weight,
      isEmpty: () => this.#buffer.size === 0,
      observer: { onView, onNewerEpoch, onLast: () => this.#drain() },
    });
    this.#viewKeeper = new ViewKeeper({
      membership,
      record,
      clock,
      random,
      complaints,
      observer: {
        onView,
        onSettled: () => {
          membership.markSettled();
          this.#gossip.tellEveryone();
          this.#viewChange.settled();
        },
        onLease: () => this.#onLease(),
        onOut: (replaced) => this.#onOut(replaced),
      },
    });
    this.#recover(recovered);
  }

  /**
   * Joins the cluster; resolves when this process is in the view. Links are made from the first moment on.
   * @throws OperatingError `store_refused` when the store cannot be used, `shutting_down` when it has ended meanwhile.
   */
  async start(): Promise<void> {
    const { network, journal } = this.#parts;
    journal.attach(this);
    network.start(this);
    this.#setPeers([]);
    this.#gossip.start();
    this.#adopt(await this.#joining.join(this.#abort.signal));
  }

  /**
   * Leaves in order: hands everything off, and takes itself out of the view; resolves then.
   * @throws the signal's reason when that is aborted, or this member's when it has ended meanwhile.
   */
  async leave(signal: AbortSignal): Promise<void> {
    this.#isLeaving = true;
    this.#flusher.hurry();
    await this.#leaving.leave(AbortSignal.any([signal, this.#abort.signal]));
  }

  /** Ends at once: answers nothing more, sends nothing more. Returns what it holds, for the next member on this data folder. */
  end(): Recovered {
    assert(!this.#ended, "a member ends once");
    this.#ended = true;
    this.#abort.abort(new OperatingError("shutting_down", "the member has ended"));
    const { lease } = this.#membership;
    lease.void();
    this.#gossip.stop();
    this.#viewKeeper.stop();
    this.#dropping.stop();
    this.#viewChange.stop();
    this.#handOff.stop();
    this.#flusher.stop();
    this.#cleaner.stop();
    this.#primary.stop();
    for (const each of this.#buffer.records())
      this.#buffer.endTenure(each, new OperatingError("not_ready", "this node has left the view"));
    this.#router.end();
    this.#inTime.stop();
    const entries = [...this.#buffer.records()].flatMap(({ entry }) => (entry ? [entry] : []));
    return { entries, outcomes: [...this.#requests.outcomes()], adopted: this.#membership.adoptedEpochs };
  }

  /** The configuration names these now. Who was in it and is not any more is asked to leave. */
  setNodes(nodes: readonly PeerAddress[]): void {
    const { network } = this.#parts;
    const named = new Set(nodes.map(({ id }) => id));
    for (const { id } of this.#nodes) {
      if (named.has(id) || !network.linked(id)) continue;
      network.request(id, { kind: "leave", epoch: this.#membership.epoch }, leaveRequestMs).catch((error: unknown) => {
        if (!isOperatingError(error)) throw error;
        this.#parts.log.warn("a node that is no longer in the configuration could not be asked to leave", {
          peer: id,
          error,
        });
      });
    }
    this.#nodes = nodes;
    this.#gossip.setNodes(nodes);
    this.#setPeers(this.#membership.epoch === 0 ? [] : this.#membership.view.members);
  }

  put(operation: PutOperation): Promise<WriteOutcome> {
    return this.#router.put(operation);
  }

  delete(operation: DeleteOperation): Promise<WriteOutcome> {
    return this.#router.delete(operation);
  }

  read(key: string, wantValue: boolean): Promise<ReadOutcome> {
    return this.#router.read(key, wantValue);
  }

  /** New operations of clients are refused from now on. */
  refuseOperations(): void {
    this.#router.stop();
  }

  readiness(): { readonly ready: boolean; readonly reason: string } {
    const membership = this.#membership;
    if (this.#isLeaving) return { ready: false, reason: "the node is leaving" };
    if (membership.epoch === 0) return { ready: false, reason: "the node has not joined the cluster yet" };
    if (!membership.activated)
      return { ready: false, reason: `the hand-off of epoch ${membership.epoch} is under way` };
    if (!membership.lease.held())
      return { ready: false, reason: "neither enough of the other nodes nor the store confirm the lease" };
    return { ready: true, reason: `serving in epoch ${membership.epoch}` };
  }

  status(): ClusterStatus {
    return this.#report.status();
  }

  /** Whether this member may answer for the key at this moment: at most one process may. */
  servesNow(key: string): boolean {
    return !this.#ended && this.#membership.mayAnswer(key);
  }

  adoption(): AdoptRecord | undefined {
    return this.#membership.epoch === 0 ? undefined : adoptionOf(this.#membership);
  }

  outcomes(): Iterable<RequestOutcome> {
    return this.#requests.outcomes();
  }

  newest(key: string): Entry | undefined {
    return this.#buffer.get(key)?.newest;
  }

  onRequest(from: PeerIdentity, request: PeerRequest): PeerAnswer | Promise<PeerAnswer> {
    try {
      const answer = this.#handle(from, request);
      if (!(answer instanceof Promise)) return answer;
      return this.#inTime.answer(answer, deadlineOf(request)).catch((error: unknown) => this.#refused(error));
    } catch (error) {
      return this.#refused(error);
    }
  }

  onNotice(from: PeerIdentity, notice: PeerNotice): void {
    this.#hear(from, notice.state);
  }

  onLinkUp(peer: PeerIdentity): void {
    this.#parts.log.info("link up", { peer: peer.id });
    this.#gossip.ping(peer.id);
    this.#primary.resend(peer.id);
    this.#router.wake();
  }

  onLinkDown(peer: PeerIdentity): void {
    this.#parts.log.info("link down", { peer: peer.id });
  }

  #handle(from: PeerIdentity, request: PeerRequest): PeerAnswer | Promise<PeerAnswer> {
    if (this.#ended) throw new OperatingError("not_ready", "this member has ended");
    if (request.kind === "ping") {
      this.#hear(from, request.state);
      return this.#gossip.pong();
    }
    if (request.epoch > this.#membership.epoch) this.#viewKeeper.learn(request.epoch);
    if (!this.#membership.lists(from))
      throw new OperatingError("wrong_view", `${from.id} is not a member of this view`);
    switch (request.kind) {
      case "read":
        return this.#reads.read(request);
      case "write":
        if (this.#drained) throw new OperatingError("not_ready", "this node is stopping");
        return this.#primary.write(request);
      case "replicate":
        return this.#replica.replicate(from, request);
      case "hand_off_list":
        return this.#replica.handOffList(from, request);
      case "hand_off":
        return this.#replica.handOff(from, request);
      case "hand_off_outcomes":
        return this.#replica.handOffOutcomes(request);
      case "clean":
        return this.#replica.clean(from, request);
      case "leave":
        this.#parts.observer.onLeaveAsked();
        return { kind: "ack", epoch: this.#membership.epoch };
      default:
        return unreachable(request);
    }
  }

  #refused(error: unknown): RefusedAnswer {
    if (!isOperatingError(error)) throw error;
    return { kind: "refused", code: error.code, epoch: this.#membership.epoch, detail: error.message };
  }

  #recover({ entries, outcomes }: Recovered): void {
    const now = this.#parts.clock.now();
    for (const entry of entries) {
      this.#buffer.recover(entry, now);
      this.#requests.record(entry.requestId, entry.key, { epoch: entry.epoch, seq: entry.seq });
    }
    for (const { requestId, key, version } of outcomes) this.#requests.record(requestId, key, version);
  }

  #adopt(view: View): void {
    // Several parts of this member look at the store: one may come with what another has brought already.
    if (this.#ended || view.epoch <= this.#membership.epoch) return;
    this.#setPeers(view.members);
    this.#viewChange.adopt(view);
  }

  #hear(from: PeerIdentity, state: MemberState): void {
    if (this.#ended) return;
    const membership = this.#membership;
    const wasSettled = membership.settled;
    membership.hear(from, state);
    this.#requests.advance(from.incarnation, state.watermark);
    this.#viewKeeper.learn(state.epoch);
    if (membership.settled && !wasSettled) this.#viewChange.settled();
    else this.#viewChange.progress();
    // It has adopted this view just now: the lease needs no further wait.
    if (state.epoch === membership.epoch && state.progress === "adopted" && !membership.lease.held())
      this.#gossip.ping(from.id);
  }

  #onPong(from: PeerIdentity, state: MemberState, sentAt: SentAt): void {
    if (this.#ended) return;
    this.#dropping.heard(from);
    const had = this.#membership.lease.held();
    this.#membership.confirm(from, state, sentAt);
    if (!had) this.#onLease();
    this.#hear(from, state);
  }

  /** The lease may be there again. */
  #onLease(): void {
    if (!this.#membership.lease.held()) return;
    this.#primary.mayAnswer();
    this.#router.wake();
  }

  #onOut(replaced: boolean): void {
    if (this.#ended) return;
    const { observer, log, identity } = this.#parts;
    if (replaced) {
      log.error("another process has joined the cluster under this node's id; this one stops", { id: identity.id });
      observer.onReplaced();
      return;
    }
    // Who is leaving sees it for itself.
    if (!this.#isLeaving) observer.onDropped();
  }

  /** There is nobody to hand off to: nothing new is taken, and what is held goes to the store. */
  #drain(): void {
    if (this.#drained) return;
    this.#drained = true;
    this.#router.stop();
    this.#flusher.hurry();
  }

  #setPeers(members: readonly ViewMember[]): void {
    const { identity, network } = this.#parts;
    const peers = new Map(this.#nodes.map((node) => [node.id, node]));
    for (const { id, url } of members) peers.set(id, { id, url });
    peers.delete(identity.id);
    network.setPeers([...peers.values()]);
  }
}

/** How long asking a peer to leave may take, in milliseconds. */
const leaveRequestMs = 5_000;

/** Milliseconds that the asker still waits. Only reads and writes can take long. */
function deadlineOf(request: PeerRequest): number {
  return request.kind === "read" || request.kind === "write" ? request.deadlineMs : Number.POSITIVE_INFINITY;
}
