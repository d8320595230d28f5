/**
 * One host's part in the cluster: one member after another. When the others have gone on without it (it was cut off, or paused for too long), the member ends, and the
 * next one, a new incarnation, joins with what that held: it may be the only one that has some of it.
 */

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
  /** Another process has taken this host's id: this one must end. */
  readonly onReplaced: () => void;
  /** A peer whose configuration does not name this host any more asks it to leave: {@link Participant.leave}, in the end. */
  readonly onLeaveAsked: () => void;
  /** It has left the cluster because somebody asked for it: the process has nothing more to do. */
  readonly onLeft: () => void;
}

/** One member and its network. */
interface Life {
  readonly member: Member;
  readonly network: Network;
}

/** A host that is dropped again within this time waits before it joins: twice as long each time, from the first to the last of these (in milliseconds). */
const restlessMs = 600_000;
const firstPauseMs = 1_000;
const lastPauseMs = 60_000;
/** Between two attempts to join that failed, in milliseconds. */
const startPauseMs = 1_000;

export class Participant implements NodeControl {
  /** What all its members have counted. */
  readonly metrics = new MemberMetrics();
  readonly #parts: ParticipantParts;
  readonly #abort = new AbortController();
  #nodes: readonly PeerAddress[];
  #life: Life | undefined;
  /** When it was dropped, of late. */
  #drops: Instant[] = [];
  #withdrawn = false;
  #stopping = false;
  #leaving: Promise<void> | undefined;
  /** Resolves when the first member has joined, or cannot. */
  #starting: Promise<void> = Promise.resolve();
  /** While there is no member, or one that has not joined yet, in place of one that was dropped. */
  #joining: Promise<void> | undefined;

  constructor(parts: ParticipantParts) {
    this.#parts = parts;
    this.#nodes = parts.nodes;
  }

  /**
   * Tries the store out and joins the cluster; resolves when this process is in the view.
   * @throws OperatingError `store_refused` when the store cannot be used, `shutting_down` when it was stopped meanwhile.
   */
  async start(): Promise<void> {
    const started = this.#startUp();
    this.#starting = started.catch(() => undefined);
    await started;
  }

  /**
   * Leaves in order, within `stopMs` at most, and ends. What could not be handed off in that time is in the journal, if there is one.
   */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { clock, settings, log } = this.#parts;
    const deadline = new AbortController();
    const timer = clock.after(settings.stopMs, () =>
      deadline.abort(new OperatingError("deadline_exceeded", "leaving takes longer than flush.stopMs")),
    );
    // Clients are served until it is out: what they ask for is forwarded like at any other time.
    try {
      const isAboutToJoin = !this.#joining && this.#life?.member.stopJoining(stopping());
      if (isAboutToJoin) await withinSignal(this.#starting, deadline.signal);
      // One that has not joined yet has taken nothing; what it found in its journal is there for the next start.
      if (this.#joining || this.joined) await this.#leave(deadline.signal);
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      log.warn("stopping without having left the cluster: the others will go on without this node", { error });
    } finally {
      timer.cancel();
    }
    this.#life?.member.refuseOperations();
    this.#abort.abort(stopping());
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

  /** The configuration has changed: peers to reach; a node that it no longer names is asked to leave. */
  setNodes(nodes: readonly PeerAddress[]): void {
    this.#nodes = nodes;
    this.#life?.member.setNodes(nodes);
  }

  /** What the present member can be asked for; while there is none, it refuses with `not_ready`. To be asked for each time. */
  get operations(): Operations & Administration {
    return this.#life?.member.operations ?? noMember;
  }

  readiness(): Readiness {
    if (this.#stopping || this.#withdrawn) return { ready: false, reason: "the node is stopping" };
    return this.#life?.member.readiness() ?? { ready: false, reason: "the node has not joined the cluster yet" };
  }

  status(): ClusterStatus {
    const { settings, host, store } = this.#parts;
    if (this.#life) return this.#life.member.status();
    const { cluster } = settings;
    const absent = this.#nodes.flatMap(({ id }) => (id === host.id ? [] : id));
    const nothing = { epoch: 0, settled: false, leaseMs: 0, awaited: [], absent, replicas: 0, members: [] };
    return { cluster, self: host.id, store: store.description, ...nothing };
  }

  /** Undefined while there is no member. */
  gauges(): MemberGauges | undefined {
    return this.#life?.member.gauges();
  }

  /** Whether this process may answer for the key at this moment: at most one may. */
  servesNow(key: string): boolean {
    return this.#life?.member.servesNow(key) ?? false;
  }

  async #startUp(): Promise<void> {
    await probeStore(this.#parts, this.#nodes.length, this.#abort.signal);
    await this.#begin(this.#parts.journal.recovered);
  }

  async #begin(recovered: Recovered): Promise<void> {
    const { host, settings, clock, random, connect, store, journal, log } = this.#parts;
    const { onReplaced, onLeaveAsked } = this.#parts;
    // It was stopped while the store was tried out.
    this.#abort.signal.throwIfAborted();
    const identity: ViewMember = { ...host, folder: journal.folder, incarnation: random.id() };
    const network = connect({ id: identity.id, incarnation: identity.incarnation });
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
      observer: {
        onReplaced,
        onEvicted: () => {
          this.#joinAgain().catch((error: unknown) => {
            if (!this.#abort.signal.aborted) throw error;
          });
        },
        onLeaveAsked,
      },
    });
    this.#life = { member, network };
    await member.start();
  }

  /** The others have gone on without this member: it ends, and the next one joins. */
  #joinAgain(): Promise<void> {
    this.#joining ??= this.#liveAgain().finally(() => {
      this.#joining = undefined;
    });
    return this.#joining;
  }

  async #liveAgain(): Promise<void> {
    const { clock, journal, log } = this.#parts;
    const { signal } = this.#abort;
    log.warn("the others have gone on without this node, which joins them again");
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
    return held;
  }

  /** Leaves, and goes on with that when the signal is aborted: then it rejects with its reason. */
  #leave(signal: AbortSignal): Promise<void> {
    this.#leaving ??= this.#leaveForGood();
    return withinSignal(this.#leaving, signal);
  }

  /** A member that is dropped before it has handed off everything joins once more to do so. */
  async #leaveForGood(): Promise<void> {
    for (;;) {
      // What it found in its journal may be needed: it joins first.
      await this.#starting;
      if (this.#joining) await this.#joining;
      if (!this.#life) return;
      try {
        await this.#life.member.leave(this.#abort.signal);
        return;
      } catch (error) {
        if (!isOperatingError(error, "wrong_view")) throw error;
      }
      await this.#joinAgain();
    }
  }
}

/** What the work comes to, or a rejection with the signal's reason when that is aborted before. */
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
