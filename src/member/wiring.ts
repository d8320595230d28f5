/**
 * The parts of a member, and who calls whom. Each part is given what it needs, and knows nothing of the others. Where
 * an event in one part matters to another, here is the line that says so.
 */

import { Backlog } from "../core/backlog.ts";
import { FolderHistory } from "../core/folder-history.ts";
import { StoreHealth } from "../core/store-health.ts";
import type { Version } from "../core/version.ts";
import type { View, ViewMember } from "../core/view.ts";
import type { Recovered } from "../journal/journal.ts";
import type { PeerAddress } from "../network/network.ts";
import { Discard } from "./admin/discard.ts";
import { FlushOnDemand } from "./admin/flush-on-demand.ts";
import { Status } from "./admin/status.ts";
import { type GivenContext, makeContext } from "./context.ts";
import { AgeLimit } from "./flush/age-limit.ts";
import { Cleaner } from "./flush/cleaner.ts";
import type { HeededConditions } from "./flush/flight.ts";
import { FlushQueue } from "./flush/flush-queue.ts";
import { Flusher } from "./flush/flusher.ts";
import { LateNotices } from "./flush/late-notices.ts";
import { Assigner } from "./keys/assigner.ts";
import { Committer } from "./keys/committer.ts";
import { DurableWrites, StoredWaits } from "./keys/durable-writes.ts";
import { HeldKeys } from "./keys/held-keys.ts";
import { Inheritance } from "./keys/inheritance.ts";
import { Primary } from "./keys/primary.ts";
import { ReadPath } from "./keys/read-path.ts";
import { RefusedShare } from "./keys/refused-share.ts";
import { Repeats } from "./keys/repeats.ts";
import { Replica } from "./keys/replica.ts";
import { Replicator } from "./keys/replicator.ts";
import { Downloads } from "./large/downloads.ts";
import { Leftovers } from "./large/leftovers.ts";
import { PartedUploads } from "./large/parted-uploads.ts";
import { UploadRoom } from "./large/upload-room.ts";
import { Uploads } from "./large/uploads.ts";
import { MemberOperations } from "./operations.ts";
import { Lister } from "./route/lister.ts";
import { OperationDeadlines } from "./route/operation-deadlines.ts";
import { Router } from "./route/router.ts";
import { ConfiguredNodes } from "./views/configured-nodes.ts";
import { Eviction } from "./views/eviction.ts";
import { Gossip, type GossipObserver } from "./views/gossip.ts";
import { HandOff } from "./views/hand-off.ts";
import { Joining } from "./views/joining.ts";
import { LeaveRequests } from "./views/leave-requests.ts";
import { Leaving, type LeavingObserver } from "./views/leaving.ts";
import { Proposer } from "./views/proposer.ts";
import { StoreFailover } from "./views/store-failover.ts";
import { ViewCheck } from "./views/view-check.ts";
import { ViewLife } from "./views/view-life.ts";
import { ViewRecord } from "./views/view-record.ts";
import { ViewWatch, type ViewWatchObserver } from "./views/view-watch.ts";

/** What a member is given. */
export interface MemberParts extends GivenContext {
  /** This process as it will stand in the view. */
  readonly identity: ViewMember;
  /** The members that the configuration names; more may be learned from the view. */
  readonly nodes: readonly PeerAddress[];
  /** What earlier members on this data folder held; all of it is in the journal, if there is one. */
  readonly recovered: Recovered;
  readonly heeds: HeededConditions;
  readonly observer: MemberObserver;
}

/** Is told what becomes of a member. */
export interface MemberObserver {
  /** Another process has taken this member's id: this one must end. */
  onReplaced(): void;
  /** The others have gone on without this member, which is to end: see `Member.end`. */
  onEvicted(): void;
  /**
   * Its data folder is an earlier state of itself: it is to end, and the next one to wait.
   */
  onBroughtBack(): void;
  /** More than half of the members ask it to leave: their configurations do not name it any more. */
  onLeaveAsked(): void;
}

/** What the member itself does when something happens in one of its parts. */
interface MemberHooks
  extends ViewWatchObserver,
    Pick<GossipObserver, "onPong">,
    Pick<LeavingObserver, "onLast" | "onGoing" | "onStaying"> {
  /** This is the view that is to be joined. */
  onSeen(view: View): void;
}

/** The parts of a member. */
export type Wired = ReturnType<typeof wire>;

/** A peer with a link that needs longer than this many D for a write, or a part of a hand-off, counts as silent. */
const stuckSuspicions = 5;

/** Puts the parts together. Nothing runs before the member starts. */
export function wire(parts: Omit<MemberParts, "recovered">, recovered: Recovered, hooks: MemberHooks) {
  const { identity, settings, nodes, heeds } = parts;
  const context = makeContext(parts, identity, recovered);
  const { membership, buffer, requests, late, slices } = context;
  const deadlines = new OperationDeadlines(context.clock, settings.operationMs);
  const backlog = new Backlog();
  const stuckMs = stuckSuspicions * settings.suspectMs;
  const record = new ViewRecord(context);
  const viewWatch = new ViewWatch(context, record, hooks);
  const onNewerEpoch = (epoch: number): void => viewWatch.learn(epoch);
  const proposer = new Proposer(context, record, { ...hooks, onNewerEpoch });
  const eviction = new Eviction(context, proposer);
  const viewCheck = new ViewCheck(context, record, eviction, hooks);
  const onStuck = (peer: string): void => eviction.stuck(peer);
  const replica = new Replica(context);
  const cleaner = new Cleaner(context);
  const health = new StoreHealth();
  const ageLimit = new AgeLimit(context, backlog, health);
  const waits = new StoredWaits();
  const queue = new FlushQueue(context, { backlog, ageLimit, cleaner, waits });
  const committer = new Committer(context, queue);
  const replicator = new Replicator(context, committer, { onNewerEpoch, onStuck }, stuckMs);
  const onAsked = (): void => viewLife.step();
  const inheritance = new Inheritance(context, { replicator, committer, flush: queue, onAsked });
  const reads = new ReadPath(context, inheritance);
  const repeats = new Repeats(context, reads);
  const assigner = new Assigner(context, { replicator, committer, inheritance, reads, repeats });
  const refusedShare = new RefusedShare(context, backlog, health);
  const mayDiscard = (key: string, version: Version): boolean => discard.judge(key, version);
  const primary = new Primary(context, {
    assigner,
    committer,
    replicator,
    inheritance,
    repeats,
    refusedShare,
    reads,
    flush: queue,
    mayDiscard,
  });
  const durableWrites = new DurableWrites(context, { primary, flush: queue, waits });
  const notices = new LateNotices(context, stuckMs);
  const flusher = new Flusher(context, { queue, health, committer, assigner, inheritance, waits, notices, heeds });
  const heldKeys = new HeldKeys(context, inheritance);
  const handOff = new HandOff(context, inheritance, eviction, stuckMs);
  const router = new Router(context, durableWrites, reads, deadlines, onNewerEpoch, eviction);
  const lister = new Lister(context, router, heldKeys, deadlines);
  const downloads = new Downloads(context);
  const uploadRoom = new UploadRoom(context);
  const uploads = new Uploads(context, uploadRoom, router);
  const partedUploads = new PartedUploads(context, uploadRoom, router);
  const leftovers = new Leftovers(context);
  const configured = new ConfiguredNodes(context, nodes);
  const leaveRequests = new LeaveRequests(context, () => parts.observer.onLeaveAsked());
  const status = new Status(context, flusher, configured, viewCheck);
  const discard = new Discard(context, router, flusher, status);
  const flushOnDemand = new FlushOnDemand(context, queue, status);
  const operations = new MemberOperations({
    router,
    uploads,
    partedUploads,
    downloads,
    lister,
    flushOnDemand,
    discard,
  });
  const storeFailover = new StoreFailover(context, proposer, health, backlog, identity.weight);
  const joining = new Joining(context, record, identity, configured, (view) => hooks.onSeen(view));
  const leaving = new Leaving(context, record, proposer, flusher, identity.weight, { ...hooks, onNewerEpoch });
  const onRound = (): void => {
    eviction.tick();
    ageLimit.check();
    if (!leaving.begun) storeFailover.tick();
    viewWatch.keepLease();
    viewCheck.tick();
  };
  const { onPong } = hooks;
  const folders = new FolderHistory();
  const sources = { joining, router, flusher, eviction, status, folders };
  const gossip = new Gossip(context, sources, { onRound, onPong }, nodes);
  const viewLife: ViewLife = new ViewLife(context, proposer, {
    reads,
    primary,
    durableWrites,
    flusher,
    queue,
    cleaner,
    handOff,
    eviction,
    gossip,
    router,
  });
  return {
    membership,
    buffer,
    requests,
    slices,
    late,
    reads,
    primary,
    durableWrites,
    replica,
    flusher,
    cleaner,
    handOff,
    router,
    heldKeys,
    operations,
    configured,
    joining,
    leaveRequests,
    leaving,
    eviction,
    storeFailover,
    viewWatch,
    viewCheck,
    status,
    flushOnDemand,
    discard,
    viewLife,
    deadlines,
    gossip,
    folders,
    leftovers,
  };
}
