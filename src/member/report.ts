/** What a member tells people about itself and its peers: the figures in every ping, and the answer of `GET /cluster`. */

import type { Clock } from "../base/clock.ts";
import type { Membership } from "../core/membership.ts";
import type { MemberFigures } from "../core/message.ts";
import type { ClusterStatus, MemberStatus } from "../core/operation.ts";
import type { ViewMember } from "../core/view.ts";
import type { WriteBuffer } from "../core/write-buffer.ts";
import type { Network } from "../network/network.ts";
import type { Cache } from "./cache.ts";
import type { Flusher } from "./flusher.ts";

export interface ReportParts {
  /** Names of the cluster and of its store, for people. */
  readonly cluster: string;
  readonly store: string;
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly cache: Cache;
  readonly flusher: Flusher;
  readonly network: Network;
  readonly clock: Clock;
}

/** What a member can say of this moment, beside its figures: for who watches it. */
export interface MemberGauges extends MemberFigures {
  /** Bytes of writes that wait for room. */
  readonly waitingBytes: number;
  /** Flushes under way, and how many there may be at the store's present pace. */
  readonly flushesUnderWay: number;
  readonly flushConcurrency: number;
  /** For how long the store has failed every flush, in milliseconds. */
  readonly storeFailingMs: number;
}

const nothingHeard: MemberFigures = { dirtyBytes: 0, dirtyKeys: 0, cacheBytes: 0, oldestDirtyMs: 0, failingKeys: 0 };

export class Report {
  readonly #parts: ReportParts;

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  figures(): MemberFigures {
    const { buffer, cache, flusher, clock } = this.#parts;
    const { backlog } = flusher;
    const since = backlog.oldestSince("all");
    return {
      dirtyBytes: buffer.room.usedBytes,
      dirtyKeys: buffer.size,
      cacheBytes: cache.calculatedSize,
      oldestDirtyMs: since === undefined ? 0 : Math.round(clock.now() - since),
      failingKeys: backlog.failingCount,
    };
  }

  gauges(): MemberGauges {
    const { buffer, flusher, clock } = this.#parts;
    return {
      ...this.figures(),
      waitingBytes: buffer.room.waitingBytes,
      flushesUnderWay: flusher.underWay,
      flushConcurrency: flusher.concurrency,
      storeFailingMs: flusher.health.failingMs(clock.now()),
    };
  }

  status(): ClusterStatus {
    const { cluster, store, membership } = this.#parts;
    return {
      cluster,
      self: membership.self.id,
      epoch: membership.epoch,
      settled: membership.settled,
      // A member that confirms itself has no end in sight.
      leaseMs: Math.round(Math.min(membership.lease.leftMs, 2 ** 31)),
      awaited: membership.awaited,
      store,
      members: membership.epoch === 0 ? [] : membership.view.members.map((member) => this.#statusOf(member)),
    };
  }

  #statusOf(member: ViewMember): MemberStatus {
    const { network, membership } = this.#parts;
    const { id, url, zone, weight } = member;
    const common = { id, url, zone, weight, share: membership.share(id) };
    if (id === membership.self.id) {
      return { ...common, state: membership.activated ? "serving" : "waiting", ...this.figures() };
    }
    const heard = membership.stateOf(member);
    const figures = heard?.figures ?? nothingHeard;
    if (!heard || network.linked(id)?.incarnation !== member.incarnation)
      return { ...common, state: "unreachable", ...figures };
    return { ...common, state: membership.settled ? "serving" : "waiting", ...figures };
  }
}
