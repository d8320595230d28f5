/**
 * Whether there is room for one more write of somebody of whose values the store refuses some (W28). What the store
 * refuses stays in the buffer. So it may fill only a part of it, and then its writers are refused, not everybody.
 *
 * What the store refuses of one holder may take as much as is free of `buffer.refusedBytes`. All dirty bytes count
 * against that. So nothing has to be known of values that the store was not tried with yet, or that were inherited.
 * The rest of the buffer is for those of whose values the store refuses none.
 */

import { OperatingError } from "../../base/errors.ts";
import { formatBytes } from "../../base/quantity-text.ts";
import type { Backlog } from "../../core/backlog.ts";
import { footprint } from "../../core/entry.ts";
import type { WriteRequest } from "../../core/message.ts";
import type { ContextOf } from "../context.ts";

type RefusedShareContext = ContextOf<"buffer" | "membership" | "metrics">;

export class RefusedShare {
  readonly #context: RefusedShareContext;
  readonly #backlog: Pick<Backlog, "refusedValues">;

  constructor(context: RefusedShareContext, backlog: Pick<Backlog, "refusedValues">) {
    this.#context = context;
    this.#backlog = backlog;
  }

  /** @throws OperatingError `refused_full` */
  require({ key, holder, upload }: WriteRequest, bytes: number): void {
    const { refusedValues } = this.#backlog;
    // An upload that the store refuses is given up at once.
    if (refusedValues.size === 0 || holder === undefined || upload) return;
    const refusedBytes = refusedValues.bytesOf(holder);
    if (refusedBytes === 0 || refusedBytes + bytes <= this.#room(key)) return;
    const replaced = this.#context.buffer.get(key)?.newest;
    if (replaced && bytes <= footprint(replaced)) return;
    this.#context.metrics.refusals.refused++;
    const example = JSON.stringify(refusedValues.exampleOf(holder));
    throw new OperatingError(
      "refused_full",
      `the store refuses ${formatBytes(refusedBytes)} that you wrote before, such as ${example}, and there is no room for more of it`,
    );
  }

  /** The least that is free at the key's owners, as far as is known. */
  #room(key: string): number {
    const { buffer, membership } = this.#context;
    const owners = membership.ownersOf(key);
    let room = buffer.admission.refusedRoomBytes;
    for (const member of membership.view.members) {
      if (!owners.includes(member.id)) continue;
      room = Math.min(room, membership.stateOf(member)?.figures.refusedRoomBytes ?? room);
    }
    return room;
  }
}
