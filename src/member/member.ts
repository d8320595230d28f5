/**
 * One running member of a cluster: puts the parts together over the ports it is given, and tells each what the others need to know. The
 * protocol's decisions are in the parts; here is only who calls whom.
 */

import { assert, unreachable } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { Complaints } from "../base/complaints.ts";
import { isOperatingError, OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { Membership } from "../core/membership.ts";
import type { MemberState, PeerAnswer, PeerIdentity, PeerNotice, PeerRequest, RefusedAnswer } from "../core/message.ts";
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
import type { ViewMember } from "../core/view.ts";
import { WriteBuffer } from "../core/write-buffer.ts";
import type { Network, PeerAddress, PeerHandler } from "../network/network.ts";
import type { BlobStore } from "../store/blob-store.ts";
import { createCache } from "./cache.ts";
import { Cleaner } from "./cleaner.ts";
import { Flusher } from "./flusher.ts";
import { Gossip } from "./gossip.ts";
import { HandOff } from "./hand-off.ts";
import { InTime } from "./in-time.ts";
import { Primary } from "./primary.ts";
import { ReadPath } from "./read-path.ts";
import { Replica } from "./replica.ts";
import { Report } from "./report.ts";
import { Router } from "./router.ts";
import type { MemberSettings } from "./settings.ts";
import { probeStore } from "./store-probe.ts";
import { ViewChange } from "./view-change.ts";
import { ViewKeeper } from "./view-keeper.ts";

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
  readonly log: Log;
  /** Another process has taken this member's id: this one must end. */
  readonly onReplaced: () => void;
}

/** How often a stopping member looks whether its last entry is flushed, in milliseconds. */
const stopPollMs = 20;
/** What goes wrong again and again is logged this often, in milliseconds. */
const complaintIntervalMs = 10_000;

export class Member implements Operations, PeerHandler {
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
  readonly #viewKeeper: ViewKeeper;
  readonly #report: Report;
  readonly #viewChange: ViewChange;
  readonly #inTime: InTime;
  readonly #gossip: Gossip;
  readonly #abort = new AbortController();
  #stopping = false;
  /** Nothing more is taken: what would be, might not reach the store. */
  #drained = false;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    const { identity, settings, clock, random, network, store, log } = parts;
    const membership = new Membership({ id: identity.id, incarnation: identity.incarnation });
    const buffer = new WriteBuffer(new Room(settings.room, clock));
    const cache = createCache(settings.cacheBytes);
    const requests = this.#requests;
    const complaints = new Complaints(log, clock, complaintIntervalMs);
    const inTime = new InTime(clock, settings.operationMs);
    this.#inTime = inTime;
    const onNewerEpoch = (epoch: number): void => this.#viewKeeper.learn(epoch);
    this.#membership = membership;
    this.#buffer = buffer;
    this.#reads = new ReadPath({ membership, buffer, cache, store, clock, settings });
    this.#replica = new Replica({ membership, buffer, requests, clock });
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
        onFlushed: (record) => this.#cleaner.flushed(record),
        onWrittenThrough: (record) => this.#primary.commitReady(record),
        onFoundNewer: (record, entry) => this.#primary.takeOver(record, entry),
      },
    });
    this.#primary = new Primary({
      membership,
      buffer,
      requests,
      cache,
      reads: this.#reads,
      network,
      clock,
      complaints,
      stuckMs: settings.operationMs,
      observer: {
        onCommit: (record) => this.#flusher.schedule(record),
        onWriteThrough: (record) => this.#flusher.writeThrough(record),
        onNewerEpoch,
      },
    });
    const handOff = new HandOff({
      membership,
      buffer,
      requests,
      network,
      clock,
      complaints,
      onDone: () => this.#viewChange.handedOff(),
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
    this.#viewChange = new ViewChange({
      membership,
      buffer,
      cache,
      requests,
      reads: this.#reads,
      primary: this.#primary,
      flusher: this.#flusher,
      cleaner: this.#cleaner,
      handOff,
      router: this.#router,
      clock,
      log,
      tellEveryone: () => this.#gossip.tellEveryone(),
      settleSoon: () => this.#viewKeeper.settleSoon(),
    });
    this.#handOff = handOff;
    this.#gossip = new Gossip({
      nodes: parts.nodes,
      membership,
      requests,
      router: this.#router,
      flusher: this.#flusher,
      report: this.#report,
      network,
      clock,
      log,
      pingMs: settings.pingMs,
      onHeard: (from, state) => this.#hear(from, state),
    });
    this.#viewKeeper = new ViewKeeper({
      self: identity,
      parameters: { replicas: settings.replicas, flushDeadlineMs: settings.flushDeadlineMs, ringVersion: 1 },
      membership,
      network,
      store,
      clock,
      random,
      log,
      complaints,
      observer: {
        onSeen: (view) => this.#setPeers(view.members),
        onView: (view) => {
          this.#setPeers(view.members);
          this.#viewChange.adopt(view);
        },
        onSettled: () => {
          membership.markSettled();
          this.#gossip.tellEveryone();
          this.#viewChange.settled();
        },
        onReplaced: () => {
          log.error("another process has joined the cluster under this node's id; this one stops", { id: identity.id });
          parts.onReplaced();
        },
      },
    });
  }

  /**
   * Tries the store out and joins the cluster; resolves when this process is in the view. Links are made from the first moment on.
   * @throws OperatingError `store_refused` when the store cannot be used, `shutting_down` when it was stopped meanwhile.
   */
  async start(): Promise<void> {
    const { network, nodes } = this.#parts;
    network.start(this);
    this.#setPeers([]);
    this.#gossip.start();
    await probeStore(this.#parts, nodes.length, this.#abort.signal);
    await this.#viewKeeper.join();
  }

  /**
   * Stops serving; waits, for a bounded time, until what this member is primary of is in the store. What it holds for others is on
   * its primary, too.
   */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { clock, log, settings } = this.#parts;
    this.#router.stop();
    this.#flusher.hurry();
    const deadline = clock.now() + settings.stopMs;
    // While a view is not settled, what is held for others may be here only.
    const isDone = (): boolean =>
      this.#ownDirtyKeys() === 0 && (this.#membership.settled || this.#membership.epoch === 0);
    while (clock.now() < deadline && !isDone()) {
      await new Promise<void>((resolve) => void clock.after(stopPollMs, resolve));
    }
    this.#drained = true;
    const left = this.#ownDirtyKeys();
    if (left > 0)
      log.warn("stopping before every value is in the store; they are on their replicas", { dirtyKeys: left });
    this.#gossip.stop();
    this.#abort.abort(new OperatingError("shutting_down", "the member is stopping"));
    this.#viewKeeper.stop();
    this.#handOff.stop();
    this.#flusher.stop();
    this.#cleaner.stop();
    this.#primary.stop();
    this.#inTime.stop();
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

  readiness(): { readonly ready: boolean; readonly reason: string } {
    const membership = this.#membership;
    if (this.#stopping) return { ready: false, reason: "the node is stopping" };
    if (membership.epoch === 0) return { ready: false, reason: "the node has not joined the cluster yet" };
    if (!membership.activated)
      return { ready: false, reason: `the hand-off of epoch ${membership.epoch} is under way` };
    return { ready: true, reason: `serving in epoch ${membership.epoch}` };
  }

  status(): ClusterStatus {
    return this.#report.status();
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
    if (request.kind === "ping") {
      this.#hear(from, request.state);
      return { kind: "pong", state: this.#gossip.state() };
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
      case "hand_off":
        return this.#replica.handOff(request);
      case "hand_off_outcomes":
        return this.#replica.handOffOutcomes(request);
      case "clean":
        return this.#replica.clean(from, request);
      default:
        return unreachable(request);
    }
  }

  #refused(error: unknown): RefusedAnswer {
    if (!isOperatingError(error)) throw error;
    return { kind: "refused", code: error.code, epoch: this.#membership.epoch, detail: error.message };
  }

  #hear(from: PeerIdentity, state: MemberState): void {
    const wasSettled = this.#membership.settled;
    this.#membership.hear(from, state);
    this.#requests.advance(from.incarnation, state.watermark);
    this.#viewKeeper.learn(state.epoch);
    if (this.#membership.settled && !wasSettled) this.#viewChange.settled();
    else this.#viewChange.progress();
  }

  #setPeers(members: readonly ViewMember[]): void {
    const { identity, nodes, network } = this.#parts;
    const peers = new Map(nodes.map((node) => [node.id, node]));
    for (const { id, url } of members) peers.set(id, { id, url });
    peers.delete(identity.id);
    network.setPeers([...peers.values()]);
  }

  #ownDirtyKeys(): number {
    const membership = this.#membership;
    let count = 0;
    for (const record of this.#buffer.records()) {
      const served = membership.serves(record.key, membership.ownersOf(record.key));
      assert(served || record.pending.length === 0, "only a primary has pending writes");
      if (served && (record.dirty || record.pending.length > 0)) count++;
    }
    return count;
  }
}

/** Milliseconds that the asker still waits. Only reads and writes can take long. */
function deadlineOf(request: PeerRequest): number {
  return request.kind === "read" || request.kind === "write" ? request.deadlineMs : Number.POSITIVE_INFINITY;
}
