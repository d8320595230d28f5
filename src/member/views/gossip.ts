/**
 * Gossip: each member tells every other how it stands, in a ping at a fixed interval, in the answer to one, and at once when something has
 * changed that others wait for. Answers to pings are what leases and the failure detector live by, so a member whose journal does not work gives none.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { SentAt } from "../../core/lease.ts";
import type { Membership } from "../../core/membership.ts";
import type { MemberState, PeerIdentity, PongAnswer } from "../../core/message.ts";
import type { RequestLog } from "../../core/request-log.ts";
import type { Journal } from "../../journal/journal.ts";
import type { Network, PeerAddress } from "../../network/network.ts";
import type { Status } from "../admin/status.ts";
import type { Flusher } from "../flush/flusher.ts";
import type { Router } from "../route/router.ts";
import type { Eviction } from "./eviction.ts";
import type { Joining } from "./joining.ts";

export interface GossipObserver {
  /** A round of pings begins. */
  onRound(): void;
  /** The peer answered a ping that was sent then. */
  onPong(from: PeerIdentity, state: MemberState, sentAt: SentAt): void;
}

export interface GossipParts {
  readonly membership: Membership;
  readonly joining: Joining;
  readonly requests: RequestLog;
  readonly router: Router;
  readonly flusher: Flusher;
  readonly eviction: Eviction;
  readonly status: Status;
  readonly journal: Journal;
  readonly network: Network;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds between two pings to a peer. */
  readonly pingMs: number;
  /** Milliseconds that a record may wait for the journal before this member counts as silent. */
  readonly journalLagMs: number;
  readonly observer: GossipObserver;
}

/** How long a ping may take, in milliseconds. */
const pingDeadlineMs = 2_000;

export class Gossip {
  readonly #parts: GossipParts;
  /** Those that the configuration names; the members of the view are pinged, too. */
  #nodes: readonly PeerAddress[];
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: GossipParts, nodes: readonly PeerAddress[]) {
    this.#parts = parts;
    this.#nodes = nodes;
  }

  setNodes(nodes: readonly PeerAddress[]): void {
    this.#nodes = nodes;
  }

  /** Pings every peer, now and from now on. */
  start(): void {
    if (this.#stopped) return;
    const { clock, membership, requests, router, pingMs, observer } = this.#parts;
    requests.advance(membership.self.incarnation, router.watermark);
    this.#timer = clock.after(pingMs, () => this.start());
    observer.onRound();
    this.pingEveryone();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  pingEveryone(): void {
    const { membership } = this.#parts;
    const ids = new Set([...this.#nodes, ...membership.peers].map(({ id }) => id));
    ids.delete(membership.self.id);
    for (const id of ids) this.ping(id);
  }

  ping(id: string): void {
    const { network, membership, observer, log } = this.#parts;
    const peer = network.linked(id);
    if (!peer || this.#stopped) return;
    const sentAt = membership.lease.stamp();
    network.request(id, { kind: "ping", state: this.state() }, pingDeadlineMs).then(
      (answer) => {
        if (answer.kind === "pong" && !this.#stopped) observer.onPong(peer, answer.state, sentAt);
      },
      (error: unknown) => {
        if (!isOperatingError(error)) throw error;
        log.debug("ping not answered", { peer: id, error });
      },
    );
  }

  /** @throws OperatingError `not_ready` while the journal does not work: then this member does not, either. */
  pong(): PongAnswer {
    const { journal, journalLagMs } = this.#parts;
    if (journal.lagMs > journalLagMs) throw new OperatingError("not_ready", "the journal is not being written");
    return { kind: "pong", state: this.state() };
  }

  /** Something has changed: nobody should have to wait for the next ping to learn of it. */
  tellEveryone(): void {
    const { membership, network } = this.#parts;
    const state = this.state();
    for (const peer of membership.peers) network.notify(peer.id, { kind: "state", state });
  }

  state(): MemberState {
    const { membership, joining, flusher, eviction, requests, router, status, clock } = this.#parts;
    const now = clock.now();
    return {
      epoch: membership.epoch,
      seenEpoch: Math.max(membership.epoch, joining.seenEpoch),
      settled: membership.settled,
      progress: membership.progress,
      quiet: flusher.quiet,
      suspects: eviction.suspects.map(({ id }) => id),
      storeFailingMs: flusher.health.failingMs(now),
      storeWorks: flusher.health.works(now),
      watermark: router.watermark,
      finished: membership.settled ? [] : requests.finished,
      figures: status.figures(),
    };
  }
}
