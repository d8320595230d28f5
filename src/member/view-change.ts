/**
 * A view change as it runs through one member: the newer view is adopted in one step, everything held is handed off, the view is activated
 * here once everyone has done so, and settled in the store. See the protocol's section on views; the parts know what each step means for
 * them, here is the order.
 */

import type { Clock } from "../base/clock.ts";
import { OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Membership } from "../core/membership.ts";
import type { RequestLog } from "../core/request-log.ts";
import type { View } from "../core/view.ts";
import type { WriteBuffer } from "../core/write-buffer.ts";
import type { Cache } from "./cache.ts";
import type { Cleaner } from "./cleaner.ts";
import type { Flusher } from "./flusher.ts";
import type { HandOff } from "./hand-off.ts";
import type { Primary } from "./primary.ts";
import type { ReadPath } from "./read-path.ts";
import type { Router } from "./router.ts";

export interface ViewChangeParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly cache: Cache;
  readonly requests: RequestLog;
  readonly reads: ReadPath;
  readonly primary: Primary;
  readonly flusher: Flusher;
  readonly cleaner: Cleaner;
  readonly handOff: HandOff;
  readonly router: Router;
  readonly clock: Clock;
  readonly log: Log;
  /** Peers wait for what has just changed here. */
  readonly tellEveryone: () => void;
  /** Everyone has handed off: the view can be settled. */
  readonly settleSoon: () => void;
}

export class ViewChange {
  readonly #parts: ViewChangeParts;

  constructor(parts: ViewChangeParts) {
    this.#parts = parts;
  }

  /** Takes on a newer view, whole: nothing else runs between its first and its last step. */
  adopt(view: View): void {
    const { membership, buffer, cache, reads, primary, flusher, cleaner, handOff, router, clock, log } = this.#parts;
    membership.adopt(view, clock.now());
    buffer.room.shareAmong(view.members.length);
    log.info("view adopted", { epoch: view.epoch, members: view.members.map((member) => member.id) });
    const ownedBefore = membership.ownedBefore();
    for (const record of buffer.records()) {
      if (!membership.serves(record.key, membership.ownersOf(record.key))) {
        flusher.forget(record);
        buffer.endTenure(record, new OperatingError("not_ready", "another node owns this key now"));
      }
      // What was handed over long ago must not count any more: newer states of it may be gone from memory everywhere.
      if (record.pending.length === 0 && !ownedBefore(record.key)) buffer.drop(record);
    }
    for (const key of cache.keys()) {
      if (!membership.serves(key, membership.ownersOf(key))) cache.delete(key);
    }
    reads.invalidateAll();
    cleaner.adoptView();
    primary.adoptView();
    this.#parts.tellEveryone();
    handOff.start();
    router.wake();
    if (membership.settled) this.settled();
  }

  /** Every owner has all that this member holds. */
  handedOff(): void {
    this.#parts.membership.markHandedOff();
    this.#parts.tellEveryone();
    this.progress();
  }

  /** Activates the view, and has it settled, as soon as everyone has handed off. */
  progress(): void {
    const { membership, buffer, flusher, router, clock } = this.#parts;
    if (membership.epoch === 0 || !membership.everyoneHandedOff()) return;
    if (membership.activate(clock.now(), flusher.quiet)) {
      for (const record of buffer.records()) {
        if (record.dirty && membership.serves(record.key, membership.ownersOf(record.key))) flusher.schedule(record);
      }
      router.wake();
    }
    if (!membership.settled) this.#parts.settleSoon();
  }

  /** The view is settled in the store, by this member or another. */
  settled(): void {
    const { membership, requests, cleaner, log } = this.#parts;
    this.progress();
    log.info("view settled", { epoch: membership.epoch });
    requests.keepRouters(new Set(membership.view.members.map((member) => member.incarnation)));
    cleaner.viewSettled();
  }
}
