/**
 * The parts of a member and who calls whom: each part is given what it needs and knows nothing of the others; where something that happens in one matters to
 * another, here is the line that says so.
 */

import { Complaints, complaintIntervalMs } from "../base/complaints.ts";
import { Admission } from "../core/admission.ts";
import { Backlog } from "../core/backlog.ts";
import type { SentAt } from "../core/lease.ts";
import { Membership } from "../core/membership.ts";
import type { MemberState, PeerIdentity } from "../core/message.ts";
import { RequestLog } from "../core/request-log.ts";
import type { View } from "../core/view.ts";
import { WriteBuffer } from "../core/write-buffer.ts";
import { Discard } from "./admin/discard.ts";
import { FlushOnDemand } from "./admin/flush-on-demand.ts";
import { Status } from "./admin/status.ts";
import type { MemberContext } from "./context.ts";
import { AgeLimit } from "./flush/age-limit.ts";
import { Cleaner } from "./flush/cleaner.ts";
import { Flusher } from "./flush/flusher.ts";
import { createCache } from "./keys/cache.ts";
import { DurableWrites } from "./keys/durable-writes.ts";
import { HeldKeys } from "./keys/held-keys.ts";
import { Primary } from "./keys/primary.ts";
import { ReadPath } from "./keys/read-path.ts";
import { Replica } from "./keys/replica.ts";
import { Downloads } from "./large/downloads.ts";
import { Leftovers } from "./large/leftovers.ts";
import { Uploads } from "./large/uploads.ts";
import type { MemberParts } from "./member-parts.ts";
import { Lister } from "./route/lister.ts";
import { OperationDeadlines } from "./route/operation-deadlines.ts";
import { Router } from "./route/router.ts";
import { Eviction } from "./views/eviction.ts";
import { Gossip } from "./views/gossip.ts";
import { HandOff } from "./views/hand-off.ts";
import { Joining } from "./views/joining.ts";
import { Leaving, type LeavingObserver } from "./views/leaving.ts";
import { Proposer } from "./views/proposer.ts";
import { StoreFailover } from "./views/store-failover.ts";
import { ViewLife } from "./views/view-life.ts";
import { ViewRecord } from "./views/view-record.ts";
import { ViewWatch } from "./views/view-watch.ts";

/** The parts of a member. */
export type Wired = ReturnType<typeof wire>;

/** What the member itself does when something happens in one of its parts. */
export interface WiringHooks extends Pick<LeavingObserver, "onLast" | "onGoing" | "onStaying"> {
  /** The store has a newer view that lists this process. */
  readonly onView: (view: View) => void;
  /** A peer answered a ping that was sent then. */
  readonly onPong: (from: PeerIdentity, state: MemberState, sentAt: SentAt) => void;
  /** The store has confirmed the lease. */
  readonly onLease: () => void;
  /** A newer view does not list this process; `replaced` when it lists another one of the same id. */
  readonly onOut: (replaced: boolean) => void;
  /** This is the view that is to be joined. */
  readonly onSeen: (view: View) => void;
}

/** A peer that has a link and needs longer than this many times D for a write or a part of a hand-off counts as silent. */
const stuckSuspicions = 5;

/** Puts the parts together. Nothing runs before the member starts. */
export function wire(parts: MemberParts, hooks: WiringHooks) {
  const { identity, settings, clock, random, network, store, journal, recovered, log, metrics } = parts;
  const { id, incarnation, folder } = identity;
  const membership = new Membership({ id, incarnation, folder }, clock, recovered.adopted, recovered.cluster);
  const buffer = new WriteBuffer(new Admission(settings.admission, clock), journal);
  const backlog = new Backlog();
  const cache = createCache(settings.cacheBytes);
  const requests = new RequestLog();
  const complaints = new Complaints(log, clock, complaintIntervalMs);
  const deadlines = new OperationDeadlines(clock, settings.operationMs);
  const context: MemberContext = {
    clock,
    random,
    log,
    complaints,
    metrics,
    settings,
    store,
    network,
    journal,
    membership,
    buffer,
    requests,
    cache,
  };
  const stuckMs = stuckSuspicions * settings.suspectMs;
  const record = new ViewRecord(context);
  const viewWatch = new ViewWatch(context, record, hooks);
  const onNewerEpoch = (epoch: number): void => viewWatch.learn(epoch);
  const proposer = new Proposer(context, record, { ...hooks, onNewerEpoch });
  const eviction = new Eviction(context, proposer);
  const onStuck = (peer: string): void => eviction.stuck(peer);
  const reads = new ReadPath({
    membership,
    buffer,
    cache,
    store,
    clock,
    settings,
    metrics,
    hasten: (each) => primary.inheritance.hasten(each),
  });
  const replica = new Replica(context);
  const cleaner: Cleaner = new Cleaner({ membership, buffer, cache, network, clock });
  const ageLimit: AgeLimit = new AgeLimit({
    backlog,
    admission: buffer.admission,
    store,
    nodeId: id,
    flushedAt: () => flusher.health.workedAt,
    clock,
    complaints,
    maxAgeMs: settings.maxDirtyAgeMs,
  });
  const flusher: Flusher = new Flusher({
    membership,
    backlog,
    buffer,
    store,
    clock,
    random,
    complaints,
    metrics,
    settings: { ...settings.flush, maxValueBytes: settings.maxValueBytes },
    isAwaited: (key) => durableWrites.isAwaited(key),
    isLate: () => ageLimit.isLate(),
    observer: {
      onStored: (key, version) => durableWrites.stored(key, version),
      onFlushed: (each) => {
        cleaner.flushed(each);
        ageLimit.check();
      },
      onWrittenThrough: (each) => primary.commitReady(each),
      onFoundNewer: (each, entry) => primary.takeOver(each, entry),
      onUploadLost: (each, refusal) => primary.loseUpload(each, refusal),
    },
  });
  const primary: Primary = new Primary({
    membership,
    buffer,
    requests,
    cache,
    reads,
    network,
    journal,
    clock,
    complaints,
    metrics,
    replicateMs: stuckMs,
    stuckMs: settings.operationMs,
    mayDiscard: (key, version) => discard.judge(key, version),
    observer: {
      onCommit: (each) => flusher.schedule(each),
      onWriteThrough: (each) => flusher.hasten(each),
      onAwaited: (each) => flusher.urge(each),
      onNewerEpoch,
      onStuck,
      onInherited: (each) => backlog.add(each),
      onAsked: () => viewLife.step(),
    },
  });
  const durableWrites: DurableWrites = new DurableWrites({
    membership,
    primary,
    buffer,
    clock,
    urge: (each) => flusher.urge(each),
  });
  const handOff = new HandOff(context, primary.inheritance, eviction, stuckMs);
  const router = new Router(context, durableWrites, reads, deadlines, onNewerEpoch);
  const heldKeys = new HeldKeys({
    membership,
    buffer,
    cache,
    clock,
    hasten: (each) => primary.inheritance.hasten(each),
  });
  const lister = new Lister(context, router, heldKeys, deadlines);
  const downloads = new Downloads(context);
  const uploads = new Uploads(context, router);
  const leftovers = new Leftovers(context);
  const status = new Status(context, flusher);
  const discard = new Discard(context, router, flusher, status);
  const flushOnDemand = new FlushOnDemand(context, flusher, status);
  const storeFailover = new StoreFailover(context, proposer, flusher.health, backlog, identity.weight);
  const joining = new Joining(context, record, identity, hooks.onSeen);
  const leaving = new Leaving(context, record, proposer, flusher, identity.weight, { ...hooks, onNewerEpoch });
  const onRound = (): void => {
    eviction.tick();
    ageLimit.check();
    if (!leaving.begun) storeFailover.tick();
    viewWatch.keepLease();
  };
  const { onPong } = hooks;
  const sources = { joining, router, flusher, eviction, status };
  const gossip = new Gossip(context, sources, { onRound, onPong }, parts.nodes);
  const viewLife: ViewLife = new ViewLife(context, proposer, {
    reads,
    primary,
    durableWrites,
    flusher,
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
    reads,
    primary,
    durableWrites,
    replica,
    flusher,
    cleaner,
    handOff,
    router,
    heldKeys,
    lister,
    joining,
    leaving,
    eviction,
    storeFailover,
    viewWatch,
    status,
    flushOnDemand,
    discard,
    viewLife,
    deadlines,
    gossip,
    downloads,
    uploads,
    leftovers,
  };
}
