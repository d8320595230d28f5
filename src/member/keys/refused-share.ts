/**
 * Whether there is room for one more write of a caller whose earlier values the store refuses (W28). What the store
 * refuses stays in the buffer. So it may fill only a part of it, and then its writers are refused, not everybody.
 *
 * What the store refuses of one holder may take as much as is free of `buffer.refusedBytes`. All dirty bytes count
 * against that. So nothing has to be known of values that the store was not tried with yet, or that were inherited.
 * The rest of the buffer is for callers whose values the store takes.
 *
 * A few refused values cannot fill the buffer, and a store that takes nothing at all refuses nobody in particular. Then
 * writers wait for room as ever.
 */

import { OperatingError } from "../../base/errors.ts";
import { formatBytes } from "../../base/quantity-text.ts";
import type { Backlog } from "../../core/backlog.ts";
import { footprint } from "../../core/entry.ts";
import type { WriteRequest } from "../../core/message.ts";
import { storeAwayMs } from "../../core/stop-advice.ts";
import type { StoreHealth } from "../../core/store-health.ts";
import type { ContextOf } from "../context.ts";

type RefusedShareContext = ContextOf<"buffer" | "membership" | "clock" | "metrics">;

export class RefusedShare {
  readonly #context: RefusedShareContext;
  readonly #backlog: Pick<Backlog, "refusedValues">;
  readonly #health: Pick<StoreHealth, "failingMs">;

  /** @param health - how the store treats this member's flushes */
  constructor(
    context: RefusedShareContext,
    backlog: Pick<Backlog, "refusedValues">,
    health: Pick<StoreHealth, "failingMs">,
  ) {
    this.#context = context;
    this.#backlog = backlog;
    this.#health = health;
  }

  /**
   * To be called right before the write is assigned: what the store refuses may change while it waits.
   *
   * @param bytes - what the write will count in the buffer
   * @param takenBytes - how many of them it has taken already
   * @throws OperatingError `refused_full`; `buffer_full` if what the store refuses of the holder is little
   */
  require({ key, holder, upload }: WriteRequest, bytes: number, takenBytes: number): void {
    const { refusedValues } = this.#backlog;
    const { buffer, clock, metrics } = this.#context;
    const { fewRefusedBytes } = buffer.admission;
    // An upload that the store refuses is given up at once.
    if (refusedValues.bytes <= fewRefusedBytes || holder === undefined || upload) return;
    const refusedBytes = refusedValues.bytesOf(holder);
    if (refusedBytes === 0 || refusedBytes + bytes <= this.#room(key, takenBytes)) return;
    // Refused keys alone never look so for as long: the store is tried with something else (V31).
    if (this.#health.failingMs(clock.now()) > storeAwayMs) return;
    const replaced = buffer.get(key)?.newest;
    if (replaced && bytes <= footprint(replaced)) return;
    metrics.refusals.refused++;
    if (refusedBytes <= fewRefusedBytes) {
      throw new OperatingError(
        "buffer_full",
        "the store refuses some values that you wrote before, and the rest of the write buffer is kept for other callers",
      );
    }
    const example = JSON.stringify(refusedValues.exampleOf(holder));
    throw new OperatingError(
      "refused_full",
      `the store refuses ${formatBytes(refusedBytes)} that you wrote before, such as ${example}, and there is no room for more of it`,
    );
  }

  /** The least that is free at the key's owners, as far as is known. Here `takenBytes` count as free. */
  #room(key: string, takenBytes: number): number {
    const { buffer, membership } = this.#context;
    const owners = membership.ownersOf(key);
    let room = buffer.admission.refusedRoomBytes + takenBytes;
    for (const member of membership.view.members) {
      if (!owners.includes(member.id)) continue;
      room = Math.min(room, membership.stateOf(member)?.figures.refusedRoomBytes ?? room);
    }
    return room;
  }
}
