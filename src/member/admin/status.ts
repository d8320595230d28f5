/**
 * What a member tells people about itself and its peers: the figures in every ping, and the answer of `GET /cluster`.
 */

import { isTombstone } from "../../core/entry.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { ClusterStatus, FailingKey, MemberFigures, MemberStatus } from "../../core/status.ts";
import { stopAdvice } from "../../core/stop-advice.ts";
import { versionOf } from "../../core/version.ts";
import type { ViewMember } from "../../core/view.ts";
import type { PeerAddress } from "../../network/network.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { Flusher } from "../flush/flusher.ts";
import type { MemberSettings } from "../settings.ts";

type StatusContext = ContextOf<"buffer" | "cache" | "clock" | "membership" | "network"> & {
  readonly settings: Pick<MemberSettings, "cluster" | "journaled" | "lateEffectMs">;
  readonly store: Pick<BlobStore, "description">;
};

/** What a member can say of this moment for monitoring, beside its figures. */
export interface MemberGauges extends MemberFigures {
  /** Bytes of writes that wait for room. */
  readonly waitingBytes: number;
  /** Of the bytes that the store refuses, those of each holder that is known. */
  readonly refusedBytesOf: ReadonlyMap<string, number>;
  /** Flushes under way, and how many there may be at the store's present pace. */
  readonly flushesUnderWay: number;
  readonly flushConcurrency: number;
  /** For how long the store has failed every flush, in milliseconds. */
  readonly storeFailingMs: number;
  /** Keys whose object an earlier request without an answer may still change. */
  readonly lateKeys: number;
}

/** The figures of a member that has nothing, or that was not heard. */
export const noFigures: MemberFigures = {
  dirtyBytes: 0,
  dirtyKeys: 0,
  cacheBytes: 0,
  oldestDirtyMs: 0,
  failingKeys: 0,
  refusedKeys: 0,
  refusedBytes: 0,
  refusedRoomBytes: 0,
  heldKeys: 0,
  lateEffectMs: 0,
  failing: [],
  slowing: false,
  full: false,
  journaled: false,
};

const never = Number.POSITIVE_INFINITY;

/** Keys that are named in the figures, and characters of a reason. */
const namedKeys = 5;
const reasonLength = 200;

export class Status {
  readonly #context: StatusContext;
  readonly #flusher: Pick<Flusher, "backlog" | "concurrency" | "flights" | "health" | "lateKeys" | "silentMs">;
  readonly #configured: { readonly named: readonly PeerAddress[] };
  readonly #viewCheck: { readonly trouble: string | undefined };

  /** @param configured - the nodes that the configuration names */
  constructor(
    context: StatusContext,
    flusher: Pick<Flusher, "backlog" | "concurrency" | "flights" | "health" | "lateKeys" | "silentMs">,
    configured: { readonly named: readonly PeerAddress[] },
    viewCheck: { readonly trouble: string | undefined },
  ) {
    this.#context = context;
    this.#flusher = flusher;
    this.#configured = configured;
    this.#viewCheck = viewCheck;
  }

  figures(): MemberFigures {
    const { buffer, cache, clock, settings } = this.#context;
    const { backlog } = this.#flusher;
    const since = Math.min(backlog.oldestSince("waiting") ?? never, backlog.oldestSince("refused") ?? never);
    return {
      dirtyBytes: buffer.admission.usedBytes,
      dirtyKeys: buffer.size,
      cacheBytes: cache.calculatedSize,
      oldestDirtyMs: since === never ? 0 : Math.round(clock.now() - since),
      failingKeys: backlog.failingCount,
      refusedKeys: backlog.refusedCount,
      refusedBytes: backlog.refusedValues.bytes,
      refusedRoomBytes: buffer.admission.refusedRoomBytes,
      heldKeys: backlog.heldCount,
      lateEffectMs: settings.lateEffectMs,
      failing: this.failing(namedKeys),
      slowing: buffer.admission.isShut,
      full: buffer.admission.isFull,
      journaled: settings.journaled,
    };
  }

  /** Keys whose last attempt to flush failed, so many at most: those that the store refuses first. */
  failing(limit: number): FailingKey[] {
    const keys: FailingKey[] = [];
    for (const record of this.#flusher.backlog.failing()) {
      if (keys.length === limit) break;
      const failing = this.failingKey(record);
      if (failing) keys.push(failing);
    }
    return keys;
  }

  /** Undefined unless the last attempt to flush it failed. */
  failingKey(record: KeyState): FailingKey | undefined {
    const { key, entry, failure, dirtySince } = record;
    // A write may wait for the store before anybody sees it: then its state is the one that fails.
    const state = entry ?? record.pending[0]?.entry;
    if (!failure || !state) return undefined;
    return {
      key,
      version: versionOf(state),
      size: state.size,
      isDelete: isTombstone(state),
      ageMs: Math.round(this.#context.clock.now() - dirtySince),
      code: failure.code,
      reason: failure.message.slice(0, reasonLength),
      ...(state.holder !== undefined && { holder: state.holder }),
    };
  }

  gauges(): MemberGauges {
    const { buffer, clock } = this.#context;
    const flusher = this.#flusher;
    return {
      ...this.figures(),
      waitingBytes: buffer.admission.waitingBytes,
      refusedBytesOf: new Map(flusher.backlog.refusedValues.holders()),
      flushesUnderWay: flusher.flights.size,
      flushConcurrency: flusher.concurrency,
      storeFailingMs: flusher.health.failingMs(clock.now()),
      lateKeys: flusher.lateKeys,
    };
  }

  ofCluster(): ClusterStatus {
    const { membership, network, settings, store } = this.#context;
    const { epoch, settled, awaited, self } = membership;
    const replicas = epoch === 0 ? 0 : membership.view.parameters.replicas;
    const present = epoch === 0 ? [self.id] : membership.view.members.map(({ id }) => id);
    const members = epoch === 0 ? [] : membership.view.members.map((member) => this.#statusOf(member));
    const configured = this.#configured.named.map(({ id }) => id);
    const state = { self: self.id, settled, awaited, replicas, members };
    const { trouble: recordTrouble } = this.#viewCheck;
    const refused = [...new Set([...configured, ...present])].flatMap((id) => {
      const reason = network.refused(id);
      return reason === undefined ? [] : [[id, reason] as const];
    });
    return {
      ...(recordTrouble !== undefined && { recordTrouble }),
      cluster: settings.cluster,
      self: self.id,
      epoch,
      settled,
      // A member that confirms itself has no end in sight.
      leaseMs: Math.round(Math.min(membership.lease.leftMs, 2 ** 31)),
      awaited,
      absent: configured.filter((id) => !present.includes(id)),
      refused: Object.fromEntries(refused),
      store: store.description,
      replicas,
      members: members.map((member) => ({ ...member, stop: stopAdvice(state, this.#known(member)) })),
    };
  }

  /** Only of itself a member knows that the store is silent. */
  #known<T extends { readonly id: string }>(member: T): T & { readonly storeSilentMs?: number } {
    const { membership, clock } = this.#context;
    if (member.id !== membership.self.id) return member;
    return { ...member, storeSilentMs: this.#flusher.silentMs(clock.now()) };
  }

  #statusOf(member: ViewMember): Omit<MemberStatus, "stop"> {
    const { network, membership, clock } = this.#context;
    const { id, url, zone, weight } = member;
    const common = { id, url, zone, weight, share: membership.share(id) };
    const stateOf = (isReady: boolean): "serving" | "waiting" =>
      isReady && membership.isOwned ? "serving" : "waiting";
    if (id === membership.self.id) {
      const storeFailingMs = this.#flusher.health.failingMs(clock.now());
      return { ...common, state: stateOf(membership.activated), storeFailingMs, ...this.figures() };
    }
    const heard = membership.stateOf(member);
    const figures = heard?.figures ?? noFigures;
    const storeFailingMs = heard?.storeFailingMs ?? 0;
    if (!heard || network.linked(id)?.incarnation !== member.incarnation)
      return { ...common, state: "unreachable", storeFailingMs, ...figures };
    return { ...common, state: stateOf(membership.settled), storeFailingMs, ...figures };
  }
}
