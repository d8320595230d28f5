/**
 * Gossip: each member tells every other how it stands: in a ping at a fixed interval, in the answer to one, and at once
 * when something has changed that others wait for. Leases and the failure detector live by answers to pings, so a
 * member whose journal does not work gives none.
 */

import { assert } from "../../base/assert.ts";
import type { Timer } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { FolderHistory } from "../../core/folder-history.ts";
import type { SentAt } from "../../core/lease.ts";
import type { JournalPosition, MemberState, PeerIdentity, PongAnswer } from "../../core/message.ts";
import type { PeerAddress } from "../../network/network.ts";
import type { Status } from "../admin/status.ts";
import type { ContextOf } from "../context.ts";
import type { Flusher } from "../flush/flusher.ts";
import type { Router } from "../route/router.ts";
import type { MemberSettings } from "../settings.ts";
import type { Eviction } from "./eviction.ts";
import type { Joining } from "./joining.ts";

type GossipContext = ContextOf<"membership" | "requests" | "journal" | "network" | "clock" | "log"> & {
  readonly settings: Pick<MemberSettings, "pingMs" | "suspectMs">;
};

/** The parts that know how this member stands. */
export interface GossipSources {
  readonly joining: Pick<Joining, "seenEpoch">;
  readonly router: Pick<Router, "watermark">;
  readonly flusher: Pick<Flusher, "quiet" | "health">;
  readonly eviction: Pick<Eviction, "suspects">;
  readonly status: Pick<Status, "figures">;
  readonly folders: Pick<FolderHistory, "broughtBack">;
}

export interface GossipObserver {
  /** A round of pings begins. */
  onRound(): void;
  /** The peer answered a ping that was sent then. */
  onPong(from: PeerIdentity, state: MemberState, sentAt: SentAt): void;
}

/** A ping may take so long, in milliseconds. */
const pingDeadlineMs = 2_000;

export class Gossip {
  readonly #context: GossipContext;
  readonly #sources: GossipSources;
  readonly #observer: GossipObserver;
  /** Those that the configuration names; the members of the view are pinged, too. */
  #nodes: readonly PeerAddress[];
  /** How far the journal had come when this member began. */
  readonly #began: JournalPosition;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(context: GossipContext, sources: GossipSources, observer: GossipObserver, nodes: readonly PeerAddress[]) {
    this.#context = context;
    this.#sources = sources;
    this.#observer = observer;
    this.#nodes = nodes;
    this.#began = context.journal.position;
  }

  setNodes(nodes: readonly PeerAddress[]): void {
    this.#nodes = nodes;
  }

  /** Pings every peer, now and from now on. */
  start(): void {
    if (this.#stopped) return;
    assert(this.#timer === undefined, "rounds of pings begin once");
    this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  pingEveryone(): void {
    if (this.#stopped) return;
    const { membership } = this.#context;
    const ids = new Set([...this.#nodes, ...membership.peers].map(({ id }) => id));
    ids.delete(membership.self.id);
    const state = this.state();
    for (const id of ids) this.#ping(id, state);
  }

  ping(id: string): void {
    this.#ping(id, this.state());
  }

  #ping(id: string, state: MemberState): void {
    const { network, membership, log } = this.#context;
    const peer = network.linked(id);
    if (!peer || this.#stopped) return;
    assert(id !== membership.self.id, "a member does not ping itself");
    const sentAt = membership.lease.stamp();
    network.request(id, { kind: "ping", state }, pingDeadlineMs).then(
      (answer) => {
        if (answer.kind === "pong" && !this.#stopped) this.#observer.onPong(peer, answer.state, sentAt);
      },
      (error: unknown) => {
        if (!isOperatingError(error)) throw error;
        log.debug("ping not answered", () => ({ peer: id, error }));
      },
    );
  }

  /** The answer to a ping. @throws OperatingError `not_ready` while the journal does not work. */
  pong(): PongAnswer {
    const { journal, settings } = this.#context;
    // A record has waited for the journal for D: this member counts as silent (V20).
    if (journal.lagMs > settings.suspectMs) throw new OperatingError("not_ready", "the journal is not being written");
    return { kind: "pong", state: this.state() };
  }

  /** Something has changed that others need not wait for the next ping to learn. */
  tellEveryone(): void {
    const { membership, network } = this.#context;
    const state = this.state();
    for (const peer of membership.peers) network.notify(peer.id, { kind: "state", state });
  }

  state(): MemberState {
    const { membership, requests, journal, clock } = this.#context;
    const { joining, flusher, eviction, router, status, folders } = this.#sources;
    const now = clock.now();
    return {
      cluster: membership.cluster ?? "",
      epoch: membership.epoch,
      seenEpoch: Math.max(membership.epoch, joining.seenEpoch),
      settled: membership.settled,
      progress: membership.progress,
      quiet: flusher.quiet,
      suspects: eviction.suspects.map(({ id }) => id),
      folder: { name: membership.self.folder, began: this.#began, journaled: journal.position },
      broughtBack: folders.broughtBack,
      storeFailingMs: flusher.health.failingMs(now),
      storeWorks: flusher.health.works(now),
      watermark: router.watermark,
      finished: membership.settled ? [] : requests.finished,
      figures: status.figures(),
    };
  }

  #round(): void {
    const { clock, membership, requests, settings } = this.#context;
    assert(!this.#stopped, "rounds end when the member does");
    requests.advance(membership.self.incarnation, this.#sources.router.watermark);
    this.#timer = clock.after(settings.pingMs, () => this.#round());
    this.#observer.onRound();
    this.pingEveryone();
  }
}
