/**
 * A view change as it runs through one member: the newer view is adopted in one step and journaled, everything held is delivered to the new primaries and handed off to the other owners, the view
 * is activated here once everyone has delivered (and no older view can be served any more), and settled in the store once everyone has handed off. See ARCHITECTURE.md;
 * the parts know what each step means for them, here is the order.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Membership } from "../../core/membership.ts";
import type { RequestLog } from "../../core/request-log.ts";
import { type View, type ViewMember, votersOf } from "../../core/view.ts";
import type { WriteBuffer } from "../../core/write-buffer.ts";
import type { AdoptRecord, Journal } from "../../journal/journal.ts";
import type { Network } from "../../network/network.ts";
import type { Cleaner } from "../flush/cleaner.ts";
import type { Flusher } from "../flush/flusher.ts";
import type { Cache } from "../keys/cache.ts";
import type { DurableWrites } from "../keys/durable-writes.ts";
import type { Primary } from "../keys/primary.ts";
import type { ReadPath } from "../keys/read-path.ts";
import type { MemberMetrics } from "../metrics.ts";
import type { Router } from "../route/router.ts";
import type { Eviction } from "./eviction.ts";
import type { Gossip } from "./gossip.ts";
import type { HandOff } from "./hand-off.ts";

export interface ViewChangeParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly cache: Cache;
  readonly requests: RequestLog;
  readonly journal: Journal;
  readonly reads: ReadPath;
  readonly primary: Primary;
  readonly durableWrites: DurableWrites;
  readonly flusher: Flusher;
  readonly cleaner: Cleaner;
  readonly handOff: HandOff;
  readonly eviction: Eviction;
  readonly gossip: Gossip;
  readonly router: Router;
  readonly network: Network;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MemberMetrics;
  /** Everyone has handed off: the view can be settled. */
  readonly settleSoon: () => void;
}

export class ViewChange {
  readonly #parts: ViewChangeParts;
  /** Whether the second stage of the hand-off of the adopted view has begun. */
  #handingOff = false;
  /** Whether that has ended. */
  #hasHandedOff = false;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: ViewChangeParts) {
    this.#parts = parts;
  }

  /** Takes on a newer view, whole: nothing else runs between its first and its last step. */
  adopt(view: View): void {
    const {
      membership,
      buffer,
      journal,
      reads,
      primary,
      durableWrites,
      cleaner,
      handOff,
      eviction,
      gossip,
      router,
      log,
    } = this.#parts;
    const before = membership.peers;
    membership.adopt(view);
    this.#parts.metrics.views.adopted++;
    this.#handingOff = false;
    this.#hasHandedOff = false;
    this.#timer?.cancel();
    buffer.admission.shareAmong(votersOf(view).length);
    log.info("view adopted", { epoch: view.epoch, members: view.members.map((member) => member.id) });
    this.#giveUpTenure();
    journal.append(adoptionOf(membership));
    reads.invalidateAll();
    cleaner.adoptView();
    handOff.stop();
    primary.adoptView();
    durableWrites.adoptView();
    eviction.adoptView();
    this.#disconnect(before);
    gossip.tellEveryone();
    router.wake();
    const durable = journal.durable();
    if (!durable) this.#adopted();
    else
      void durable.then(() => {
        if (membership.epoch === view.epoch && !this.#stopped) this.#adopted();
      });
  }

  /** The primary of every key has all that this member holds. */
  delivered(): void {
    this.#parts.membership.advance("delivered");
    this.#parts.gossip.tellEveryone();
    this.progress();
  }

  /** Every owner has all that this member holds. */
  handedOff(): void {
    this.#hasHandedOff = true;
    this.progress();
  }

  /** Takes the next steps, as far as everyone has come. */
  progress(): void {
    const { membership, primary, handOff, gossip, settleSoon } = this.#parts;
    if (membership.epoch === 0) return;
    if (!this.#handingOff && membership.progress === "delivered" && membership.everyoneHas("delivered")) {
      this.#handingOff = true;
      if (!membership.activated) primary.inheritance.begin();
      handOff.handOff();
    }
    if (!membership.activated) this.#activate();
    if (this.#hasHandedOff && membership.progress === "delivered" && !this.#asksStore()) {
      membership.advance("handed_off");
      gossip.tellEveryone();
    }
    if (!membership.settled && membership.maySettle()) settleSoon();
  }

  /**
   * Whether what was given up may still be newer in the store than what is held, or come there: until that is over the view is not settled, or nobody would know any more
   * that the store has to be asked.
   */
  #asksStore(): boolean {
    const { membership, primary, clock } = this.#parts;
    if (primary.inheritance.asksStore) return true;
    return membership.hasForgotten && (!membership.activated || membership.waitsToFlush(clock.now()));
  }

  /** The view is settled in the store, by this member or another. */
  settled(): void {
    const { membership, cleaner, log } = this.#parts;
    this.progress();
    log.info("view settled", { epoch: membership.epoch });
    cleaner.viewSettled();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** What this member no longer serves, or never will again, it forgets as far as it must. */
  #giveUpTenure(): void {
    const { membership, buffer, cache, requests, flusher, journal } = this.#parts;
    const counts = membership.countsFor();
    // Like the entries below, also at the next start: under a view that is adopted until then the key may count once more.
    const forgotten = requests.keepKeys(counts);
    if (forgotten.length > 0) journal.append({ kind: "forget", requests: forgotten });
    requests.keepRouters(new Set(membership.view.members.map((member) => member.incarnation)));
    for (const record of buffer.records()) {
      if (!membership.serves(record.key, membership.ownersOf(record.key))) {
        flusher.forget(record);
        buffer.endTenure(
          record,
          new OperatingError("peer_unreachable", "another node owns this key now, and may come to have this write"),
        );
      }
      // What was handed over long ago must not count any more: newer states of it may be gone from memory everywhere.
      if (record.pending.length === 0 && !counts(record.key)) buffer.drop(record);
    }
    for (const key of cache.keys()) {
      if (!membership.serves(key, membership.ownersOf(key))) cache.delete(key);
    }
  }

  /** Nobody waits for the answer of a process that is no longer in the view. */
  #disconnect(before: readonly ViewMember[]): void {
    const { membership, network } = this.#parts;
    for (const { id, incarnation } of before) {
      if (!membership.lists({ id, incarnation }) && network.linked(id)?.incarnation === incarnation)
        network.disconnect(id, "it is no longer in the view");
    }
  }

  /** The adoption is in the journal. */
  #adopted(): void {
    const { membership, primary, gossip, handOff, router } = this.#parts;
    membership.advance("adopted");
    // The lease may be there already: what is still served need not wait for what is gained.
    primary.mayAnswer();
    router.wake();
    gossip.tellEveryone();
    gossip.pingEveryone();
    handOff.deliver();
    this.progress();
    if (membership.settled) this.settled();
  }

  #activate(): void {
    const { membership, buffer, flusher, primary, router, clock, log } = this.#parts;
    if (!membership.mayActivate()) {
      // T has to pass: nobody else will say when it has.
      const safeFrom = membership.safeFrom();
      if (safeFrom === undefined || safeFrom <= clock.now()) return;
      this.#timer?.cancel();
      this.#timer = clock.after(safeFrom - clock.now(), () => this.progress());
      return;
    }
    membership.activate(flusher.quiet);
    if (membership.hasForgotten) {
      this.#timer?.cancel();
      this.#timer = clock.after(membership.view.parameters.flushDeadlineMs, () => this.progress());
    }
    log.info("view activated", { epoch: membership.epoch });
    for (const record of buffer.records()) {
      if (!membership.serves(record.key, membership.ownersOf(record.key))) continue;
      if (record.pending.some((write) => write.needsStore)) flusher.hasten(record);
      else if (record.dirty) flusher.schedule(record);
    }
    primary.mayAnswer();
    router.wake();
  }
}

/** The adoption as the journal keeps it. */
export function adoptionOf(membership: Membership): AdoptRecord {
  const { epoch, cluster } = membership;
  return { kind: "adopt", epoch, adopted: membership.adoptedEpochs, cluster };
}
