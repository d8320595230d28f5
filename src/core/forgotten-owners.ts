/**
 * Keys whose owners an operator has had forgotten, all of them under one view (`weir forget`). Each of these nodes may
 * have left a request to the store. Nobody knows of it, and it may take effect until L. So the record names these views
 * also when a later one has settled, until a member that settles has known of them for L (V69).
 */

import type { Instant } from "../base/clock.ts";
import type { Ring } from "./ring.ts";
import { type PastView, ringOf, type View } from "./view.ts";

interface Forgotten {
  readonly past: PastView;
  readonly ring: Ring;
  readonly ids: ReadonlySet<string>;
  /** From then on none of them sends anything any more. Undefined until this member knows that. */
  readonly silentFrom: Instant | undefined;
}

export class ForgottenOwners {
  #views: readonly Forgotten[] = [];

  /** A view was adopted. */
  adopt(view: View): void {
    const { parameters, forgotten = [], lost, lineage } = view;
    const known = new Map(this.#views.map((each) => [each.past.epoch, each]));
    const views: Forgotten[] = [];
    // One may be named twice. What the lineage has of it was marked last.
    const pasts = new Map([...forgotten, ...lost, ...lineage].map((past) => [past.epoch, past]));
    for (const past of pasts.values()) {
      const ids = new Set(past.members.filter((member) => member.forgotten === true).map(({ id }) => id));
      if (ids.size === 0 || past.silent === true) continue;
      const ring = ringOf(past.members, parameters);
      if (!ring.lists.some((list) => isForgotten(list, ids))) continue;
      views.push({ past, ring, ids, silentFrom: known.get(past.epoch)?.silentFrom });
    }
    this.#views = views;
  }

  /** The adopted view was activated: nobody serves an older one any more. */
  activate(now: Instant): void {
    this.#views = this.#views.map((each) => ({ ...each, silentFrom: each.silentFrom ?? now }));
  }

  /** Whether owners of the key were forgotten that may have sent something since then. */
  maySendSince(key: string, since: Instant): boolean {
    return this.#since(since).some(({ ring, ids }) => isForgotten(ring.ownersOf(key), ids));
  }

  /** The views whose forgotten owners may have sent something since then. */
  viewsSince(since: Instant): readonly PastView[] {
    return this.#since(since).map(({ past }) => past);
  }

  #since(since: Instant): readonly Forgotten[] {
    return this.#views.filter(({ silentFrom = Number.POSITIVE_INFINITY }) => silentFrom > since);
  }
}

function isForgotten(owners: readonly string[], ids: ReadonlySet<string>): boolean {
  return owners.length > 0 && owners.every((id) => ids.has(id));
}
