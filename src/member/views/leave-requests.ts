/**
 * What peers ask for whose configuration does not name this member any more: that it leaves. One file on one host may
 * be wrong, and would end all other nodes. So this member leaves only when more than half of the view's members ask
 * (V55). Its own file, and an operator's command, count by themselves and take other ways.
 */

import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { PeerIdentity } from "../../core/message.ts";
import type { ContextOf } from "../context.ts";

type LeaveRequestsContext = ContextOf<"membership" | "clock" | "log">;

/**
 * For how long a request counts, in milliseconds. A peer repeats it with each ping, and stops when its configuration
 * names this member again.
 */
const requestMs = 5_000;

/**
 * For how long the same members ask before the log says that this one stays, in milliseconds. The files of an orderly
 * removal change one after the other.
 */
const patienceMs = 2_000;

export class LeaveRequests {
  readonly #context: LeaveRequestsContext;
  readonly #onAgreed: () => void;
  /** When each peer asked last, by its id. */
  readonly #askedAt = new Map<string, Instant>();
  /** Those that ask, since when the same ones do, and whether the log has said so. */
  #asking: { readonly ids: string; readonly since: Instant; isTold: boolean } | undefined;

  /** @param onAgreed More than half ask: this member is to leave. It is called again for each later request. */
  constructor(context: LeaveRequestsContext, onAgreed: () => void) {
    this.#context = context;
    this.#onAgreed = onAgreed;
  }

  /**
   * A member of this view asks. Returns if this member leaves.
   *
   * @throws OperatingError `not_ready` when it stays; the peer asks again.
   */
  take(from: PeerIdentity): void {
    const { membership, clock, log } = this.#context;
    const { members } = membership.view;
    assert(membership.lists(from), "only members of the view are heard");
    const now = clock.now();
    this.#askedAt.set(from.id, now);
    for (const [id, at] of this.#askedAt) {
      if (now - at >= requestMs || !members.some((member) => member.id === id)) this.#askedAt.delete(id);
    }
    const asking = [...this.#askedAt.keys()].sort();
    const agreed = asking.length * 2 > members.length;
    const ids = asking.join();
    if (this.#asking?.ids !== ids) this.#asking = { ids, since: now, isTold: false };
    if (agreed) {
      if (!this.#asking.isTold) log.warn("most nodes' configurations do not name this node: it leaves", { asking });
      this.#asking.isTold = true;
      this.#onAgreed();
      return;
    }
    if (!this.#asking.isTold && now - this.#asking.since >= patienceMs) {
      log.warn("nodes whose configuration does not name this node ask it to leave; it stays, as most do not", {
        asking,
        members: members.length,
      });
      this.#asking.isTold = true;
    }
    throw new OperatingError(
      "not_ready",
      `it stays, as ${asking.length} of ${members.length} members ask: correct the files, or use weir leave`,
    );
  }
}
