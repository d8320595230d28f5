/**
 * Gossip: each member tells every other how it stands, in a ping at a fixed interval, in the answer to one, and at once when something has
 * changed that others wait for.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { isOperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Membership } from "../core/membership.ts";
import type { MemberState, PeerIdentity } from "../core/message.ts";
import type { RequestLog } from "../core/request-log.ts";
import type { Network, PeerAddress } from "../network/network.ts";
import type { Flusher } from "./flusher.ts";
import type { Report } from "./report.ts";
import type { Router } from "./router.ts";

export interface GossipParts {
  /** The peers that the configuration names; those of the view are pinged, too. */
  readonly nodes: readonly PeerAddress[];
  readonly membership: Membership;
  readonly requests: RequestLog;
  readonly router: Router;
  readonly flusher: Flusher;
  readonly report: Report;
  readonly network: Network;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds between two pings to a peer. */
  readonly pingMs: number;
  readonly onHeard: (from: PeerIdentity, state: MemberState) => void;
}

/** How long a ping may take, in milliseconds. */
const pingDeadlineMs = 2_000;

export class Gossip {
  readonly #parts: GossipParts;
  #timer: Timer | undefined;

  constructor(parts: GossipParts) {
    this.#parts = parts;
  }

  /** Pings every peer, now and from now on. */
  start(): void {
    const { clock, membership, requests, router, nodes, pingMs } = this.#parts;
    requests.advance(membership.self.incarnation, router.watermark);
    const ids = new Set([...nodes, ...membership.peers].map(({ id }) => id));
    ids.delete(membership.self.id);
    for (const id of ids) this.ping(id);
    this.#timer = clock.after(pingMs, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  ping(id: string): void {
    const { network, onHeard, log } = this.#parts;
    const peer = network.linked(id);
    if (!peer) return;
    network.request(id, { kind: "ping", state: this.state() }, pingDeadlineMs).then(
      (answer) => {
        if (answer.kind === "pong") onHeard(peer, answer.state);
      },
      (error: unknown) => {
        if (!isOperatingError(error)) throw error;
        log.debug("ping not answered", { peer: id, error });
      },
    );
  }

  /** Something has changed: nobody shall wait for the next ping to learn of it. */
  tellEveryone(): void {
    const { membership, network } = this.#parts;
    const state = this.state();
    for (const peer of membership.peers) network.notify(peer.id, { kind: "state", state });
  }

  state(): MemberState {
    const { membership, flusher, router, report } = this.#parts;
    return {
      epoch: membership.epoch,
      settled: membership.settled,
      handedOff: membership.handedOff,
      quiet: flusher.quiet,
      watermark: router.watermark,
      figures: report.figures(),
    };
  }
}
