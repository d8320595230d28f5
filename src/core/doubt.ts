/**
 * Keys in doubt: all owners that the key has under some view that still matters are gone, each with its data folder.
 *
 * What was acknowledged under that view may exist only on those disks. So no member answers for the key, not even with
 * what the store has. The doubt ends when one of the folders is back and has handed off what it holds, or when an
 * operator has had all of them forgotten (`weir forget`). An owner that was there when a later view was settled has
 * handed off what it had: its loss puts nothing in doubt (V50).
 */

import type { Ring } from "./ring.ts";
import { type PastView, ringOf, type View } from "./view.ts";

interface Loss {
  readonly past: PastView;
  readonly ring: Ring;
  readonly gone: ReadonlySet<string>;
  readonly forgotten: ReadonlySet<string>;
}

export class Doubt {
  /** The views of which some key has lost all of its owners. */
  readonly #losses: readonly Loss[];
  /** Whether there may be keys in doubt. */
  readonly any: boolean;

  /** Folders are compared, not ids (V4). */
  constructor(view: View) {
    const folders = new Set(view.members.map((member) => member.folder));
    const losses: Loss[] = [];
    for (const past of [...view.lost, ...view.lineage]) {
      const missing = past.members.filter((member) => !folders.has(member.folder) && member.handedOff !== true);
      if (missing.length === 0) continue;
      const gone = new Set(missing.map((member) => member.id));
      const ring = ringOf(past.members, view.parameters);
      if (!ring.lists.some((list) => isGone(list, gone))) continue;
      const forgotten = new Set(missing.filter((member) => member.forgotten === true).map((member) => member.id));
      losses.push({ past, ring, gone, forgotten });
    }
    this.#losses = losses;
    this.any = this.views.length > 0;
  }

  has(key: string): boolean {
    if (!this.any) return false;
    return this.#losses.some(({ ring, gone, forgotten }) => isLost(ring.ownersOf(key), gone, forgotten));
  }

  /**
   * Whether the key has lost all owners of some view, and an operator has had them forgotten. A view with too few
   * owners wrote through to the store: the store may then be newer than what other holders have (V53).
   */
  wasForgotten(key: string): boolean {
    return this.#losses.some(({ ring, gone, forgotten }) => isForgotten(ring.ownersOf(key), gone, forgotten));
  }

  /** Whether there may be such keys. */
  get hasForgotten(): boolean {
    return this.#losses.some(({ ring, gone, forgotten }) =>
      ring.lists.some((list) => isForgotten(list, gone, forgotten)),
    );
  }

  /**
   * The views that must still be named when the view has settled. They are the first one of which some key is in doubt,
   * and the later ones that have lost owners, forgotten or not.
   *
   * The later ones matter for this reason: a forgotten view may have written through to the store. The member that ends
   * the doubt may hold something older than that (V51, V52).
   */
  get views(): readonly PastView[] {
    const first = this.#losses.findIndex(({ ring, gone, forgotten }) =>
      ring.lists.some((list) => isLost(list, gone, forgotten)),
    );
    return first === -1 ? [] : this.#losses.slice(first).map(({ past }) => past);
  }

  /** The ids whose data would end the doubt of some keys: those are gone, and not forgotten. */
  get awaited(): readonly string[] {
    const ids = new Set<string>();
    for (const { ring, gone, forgotten } of this.#losses) {
      for (const list of ring.lists) {
        if (isLost(list, gone, forgotten)) for (const id of list) if (!forgotten.has(id)) ids.add(id);
      }
    }
    return [...ids].toSorted();
  }
}

function isGone(owners: readonly string[], gone: ReadonlySet<string>): boolean {
  return owners.length > 0 && owners.every((id) => gone.has(id));
}

/** Whether all of the owners are gone, and some of them have not been forgotten. */
export function isLost(owners: readonly string[], gone: ReadonlySet<string>, forgotten: ReadonlySet<string>): boolean {
  return isGone(owners, gone) && !owners.every((id) => forgotten.has(id));
}

function isForgotten(owners: readonly string[], gone: ReadonlySet<string>, forgotten: ReadonlySet<string>): boolean {
  return isGone(owners, gone) && !isLost(owners, gone, forgotten);
}
