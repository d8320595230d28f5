/**
 * The part in the cluster that goes by one journal: one member after another. When the others have gone on without a
 * member (it was cut off, or paused for too long), that member ends. The next one, a new incarnation, joins with what
 * the last one held: it may have the only copy of some values (V26).
 */

import { assert } from "../base/assert.ts";
import { type Clock, type Instant, sleep } from "../base/clock.ts";
import { isOperatingError, OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Administration, NodeControl } from "../core/administration.ts";
import type { PeerIdentity } from "../core/message.ts";
import type { Operations } from "../core/operation.ts";
import type { ClusterStatus, Readiness } from "../core/status.ts";
import type { ViewMember } from "../core/view.ts";
import type { Journal, Recovered } from "../journal/journal.ts";
import type { Network, PeerAddress } from "../network/network.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { MemberGauges } from "./admin/status.ts";
import type { HeededConditions } from "./flush/flight.ts";
import { Member } from "./member.ts";
import { MemberMetrics } from "./metrics.ts";
import { noMember } from "./operations.ts";
import type { MemberSettings } from "./settings.ts";
import { probeStore } from "./views/store-probe.ts";

export interface ParticipantParts {
  /** As it will stand in the view: the folder is the journal's, and an incarnation is drawn for each member. */
  readonly host: Pick<ViewMember, "id" | "url" | "weight" | "zone">;
  /** The members that the configuration names; more may be learned from the view. */
  readonly nodes: readonly PeerAddress[];
  readonly settings: MemberSettings;
  readonly clock: Clock;
  readonly random: Random;
  /** Makes one member's port to its peers, which is disposed of when that ends. */
  readonly connect: (identity: PeerIdentity) => Network;
  readonly store: BlobStore;
  readonly journal: Journal;
  readonly log: Log;
  /** Where this host's earlier participants have counted; new figures unless given. */
  readonly metrics?: MemberMetrics;
  /** Another process has taken this host's id: this one must end. */
  readonly onReplaced: () => void;
  /**
   * More than half of the members ask this host to leave: their configurations do not name it any more.
   * {@link Participant.leave} is to follow.
   */
  readonly onLeaveAsked: () => void;
  /** It has left the cluster because it was asked to: the process has nothing more to do. */
  readonly onLeft: () => void;
}

/** One member and its network. */
interface Life {
  readonly member: Member;
  readonly network: Network;
}

/**
 * A host that is dropped again within `restlessMs` waits before it joins: twice as long each time, from `firstPauseMs`
 * to `lastPauseMs`. All in milliseconds.
 */
const restlessMs = 600_000;
const firstPauseMs = 1_000;
const lastPauseMs = 60_000;
const goneOn = "the others have gone on without this node, which joins them again";
/** Between two attempts to join that failed, in milliseconds. */
const startPauseMs = 1_000;

export class Participant implements Omit<NodeControl, "trouble"> {
  /** What all its members have counted. */
  readonly metrics: MemberMetrics;
  readonly #parts: ParticipantParts;
  readonly #abort = new AbortController();
  /** What the store heeds; it was tried out before the first member joined. */
  #heeds: HeededConditions = { onRemovals: false, onCompletions: false };
  #nodes: readonly PeerAddress[];
  #life: Life | undefined;
  /** When it was dropped, within the last `restlessMs`. */
  #drops: Instant[] = [];
  #withdrawn = false;
  /** Its data folder is an earlier state of itself: it takes no part any more. */
  #isWithheld = false;
  #stopping = false;
  #leaving: Promise<void> | undefined;
  /** Resolves when the first member has joined, or cannot. */
  #starting: Promise<void> = Promise.resolve();
  /** Set from the end of a member that was dropped until the next one has joined. */
  #joining: Promise<void> | undefined;

  constructor(parts: ParticipantParts) {
    this.#parts = parts;
    this.#nodes = parts.nodes;
    this.metrics = parts.metrics ?? new MemberMetrics();
  }

  /**
   * Tries the store out and joins the cluster; resolves when this process is in the view.
   * @throws OperatingError `store_refused` when the store cannot be used, `shutting_down` when it was stopped
   * meanwhile.
   */
  async start(): Promise<void> {
    const started = this.#startUp();
    this.#starting = started.catch(() => undefined);
    await started;
  }

  /**
   * Leaves in order, within `stopMs` at most, and ends. What it could not hand off in that time is in the journal, if
   * there is one.
   */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { clock, settings, log } = this.#parts;
    const deadline = new AbortController();
    const timer = clock.after(settings.stopMs, () =>
      deadline.abort(new OperatingError("deadline_exceeded", "leaving takes longer than flush.stopMs")),
    );
    // Clients are served until the member is out: what they ask for is forwarded, as at any other time.
    try {
      const isAboutToJoin = !this.#joining && this.#life?.member.stopJoining(stopping());
      if (isAboutToJoin) await withinSignal(this.#starting, deadline.signal);
      // A member that has not joined yet has taken nothing; what it found in its journal is there for the next start.
      if (!this.#isWithheld && (this.#joining || this.joined)) await this.#leave(deadline.signal);
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      log.warn("stopping without having left the cluster: the others will go on without this node", { error });
    } finally {
      timer.cancel();
    }
    this.#life?.member.refuseOperations();
    this.#abort.abort(stopping());
    await this.#endLife();
    assert(this.#life === undefined, "a host that has stopped has no member");
  }

  /**
   * Ends as a process does that crashes: its journal has failed. It hands over nothing, and what the disk has is all
   * that counts (J8). Not while it stops.
   */
  async abandon(): Promise<void> {
    assert(!this.#stopping, "a participant ends once");
    this.#stopping = true;
    this.#life?.member.refuseOperations();
    this.#abort.abort(new OperatingError("shutting_down", "the journal has failed"));
    await this.#endLife();
  }

  /** Whether it takes part in a view. */
  get joined(): boolean {
    return this.#life?.member.joined ?? false;
  }

  /** Says from now on that it is not ready, and goes on serving. */
  withdraw(): void {
    this.#withdrawn = true;
  }

  /** Begins to leave, for as long as it takes; `onLeft` follows. */
  leave(): void {
    const { log, onLeft } = this.#parts;
    if (this.#stopping || this.#leaving) return;
    this.#leave(this.#abort.signal).then(
      () => {
        if (!this.#stopping) onLeft();
      },
      (error: unknown) => {
        if (!isOperatingError(error)) throw error;
        if (!this.#stopping) log.error("this node cannot leave", { error });
      },
    );
  }

  /** The configuration names these now. Nodes that it named before, and names no more, are asked to leave. */
  setNodes(nodes: readonly PeerAddress[]): void {
    this.#nodes = nodes;
    this.#life?.member.setNodes(nodes);
  }

  /**
   * What the present member can be asked for; while there is none, all of it is refused with `not_ready`. To be looked
   * up for each operation: the next member has its own.
   */
  get operations(): Operations & Administration {
    return this.#life?.member.operations ?? noMember;
  }

  readiness(): Readiness {
    if (this.#stopping || this.#withdrawn) return { ready: false, reason: "the node is stopping" };
    return this.#life?.member.readiness() ?? { ready: false, reason: "the node has not joined the cluster yet" };
  }

  status(): ClusterStatus {
    return this.#life?.member.status.ofCluster() ?? outsideStatus(this.#parts, this.#nodes);
  }

  /** Undefined while there is no member. */
  gauges(): MemberGauges | undefined {
    return this.#life?.member.status.gauges();
  }

  /** Whether this process may answer for the key at this moment: at most one may. */
  servesNow(key: string): boolean {
    return this.#life?.member.servesNow(key) ?? false;
  }

  async #startUp(): Promise<void> {
    const { conditionalRemoves, conditionalCompletions } = await probeStore(
      this.#parts,
      this.#nodes.length,
      this.#abort.signal,
    );
    this.#heeds = { onRemovals: conditionalRemoves, onCompletions: conditionalCompletions };
    await this.#begin(this.#parts.journal.recovered);
  }

  async #begin(recovered: Recovered): Promise<void> {
    const { host, settings, clock, random, connect, store, journal, log } = this.#parts;
    const { onReplaced, onLeaveAsked } = this.#parts;
    // The host may have been stopped while it tried the store out.
    this.#abort.signal.throwIfAborted();
    assert(this.#life === undefined, "one member after another");
    const identity: ViewMember = { ...host, folder: journal.folder, incarnation: random.id() };
    const network = connect({ id: identity.id, incarnation: identity.incarnation });
    const joinAgain = (why: string): void => {
      this.#joinAgain(why).catch((error: unknown) => {
        if (!this.#abort.signal.aborted) throw error;
      });
    };
    const member = new Member({
      identity,
      nodes: this.#nodes,
      settings,
      clock,
      random,
      network,
      store,
      journal,
      recovered,
      log,
      metrics: this.metrics,
      heeds: this.#heeds,
      observer: {
        onReplaced,
        onEvicted: () => joinAgain(goneOn),
        onBroughtBack: () => {
          this.#isWithheld = true;
          joinAgain(
            "this node's data folder is an earlier state of itself: it ends its part in the cluster, and waits",
          );
        },
        onLeaveAsked,
      },
    });
    this.#life = { member, network };
    await member.start();
  }

  /** The others have gone on without this member: it ends, and the next one joins. */
  #joinAgain(why: string): Promise<void> {
    this.#joining ??= this.#liveAgain(why).finally(() => {
      this.#joining = undefined;
    });
    return this.#joining;
  }

  async #liveAgain(why: string): Promise<void> {
    const { clock, journal, log } = this.#parts;
    const { signal } = this.#abort;
    log.warn(why);
    let held = await this.#endLife();
    const pauseMs = this.#pauseMs();
    if (pauseMs > 0) log.info("waiting before joining again: it was dropped before, not long ago", { pauseMs });
    await sleep(clock, pauseMs, signal);
    // A member whose journal is stuck would be dropped again at once.
    await withinSignal(journal.durable(), signal);
    for (;;) {
      try {
        await this.#begin(held);
        return;
      } catch (error) {
        if (!isOperatingError(error) || signal.aborted) throw error;
        log.error("joining again fails and will be tried again", { error });
      }
      held = await this.#endLife();
      await sleep(clock, startPauseMs, signal);
    }
  }

  /** How long to wait before joining again: nothing the first time. */
  #pauseMs(): number {
    const now = this.#parts.clock.now();
    this.#drops = [...this.#drops.filter((at) => now - at < restlessMs), now];
    const before = this.#drops.length - 1;
    return before === 0 ? 0 : Math.min(lastPauseMs, firstPauseMs * 2 ** (before - 1));
  }

  /** Ends the present member; what it held is for the next one. */
  async #endLife(): Promise<Recovered> {
    const life = this.#life;
    this.#life = undefined;
    if (!life) return this.#parts.journal.recovered;
    const held = life.member.end();
    await life.network[Symbol.asyncDispose]();
    return await held;
  }

  /** Leaves. Rejects with the signal's reason when that is aborted; leaving goes on then. */
  #leave(signal: AbortSignal): Promise<void> {
    this.#leaving ??= this.#leaveForGood();
    return withinSignal(this.#leaving, signal);
  }

  /** A member that is dropped before it has handed off everything joins once more to do so. */
  async #leaveForGood(): Promise<void> {
    for (;;) {
      // What it found in its journal may be needed by the others: it joins first.
      await this.#starting;
      if (this.#joining) await this.#joining;
      if (!this.#life) return;
      try {
        await this.#life.member.leave(this.#abort.signal);
        return;
      } catch (error) {
        if (!isOperatingError(error, "wrong_view")) throw error;
      }
      await this.#joinAgain(goneOn);
    }
  }
}

/** The status of a host that is no member. */
export function outsideStatus(
  { settings, host, store }: Pick<ParticipantParts, "settings" | "host" | "store">,
  nodes: readonly PeerAddress[],
): ClusterStatus {
  const absent = nodes.flatMap(({ id }) => (id === host.id ? [] : id));
  const view = { epoch: 0, settled: false, leaseMs: 0, awaited: [], replicas: 0, members: [] };
  return { cluster: settings.cluster, self: host.id, store: store.description, absent, refused: {}, ...view };
}

/** Settles as the work does, or rejects with the signal's reason if that is aborted before. */
async function withinSignal(work: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function stopping(): OperatingError {
  return new OperatingError("shutting_down", "the node is stopping");
}
