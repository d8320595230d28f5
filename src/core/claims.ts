/** Claims: of which keys a data folder may hold what nobody else has. */

import { isLost } from "./doubt.ts";
import type { Ring } from "./ring.ts";
import { type PastView, ringOf, type View, type ViewMember } from "./view.ts";

/**
 * Tells whether what this data folder holds of a key still counts. It counts in two cases:
 *
 * - The folder owned the key under a view that it had itself adopted, and the lineage still names that view.
 * - The folder owned the key under a lost view that it had itself adopted. None of the key's owners was there when a
 *   later view was settled, and they have not all been forgotten.
 *
 * What it holds of any other key was handed over long ago, or the key was served without it. That must not count any
 * more, even if the folder owns the key again now (V36).
 *
 * @param view - the adopted one
 * @param adopted - the epochs that the folder has adopted
 */
export function claimsOf(
  { lineage, lost, parameters }: View,
  folder: string,
  adopted: ReadonlySet<number>,
): (key: string) => boolean {
  // The entries are found by the folder alone: its node may have another id by now (V4).
  const own = (past: PastView): { readonly ring: Ring; readonly id: string; readonly past: PastView }[] => {
    const isOwn = (each: ViewMember): boolean => adopted.has(past.epoch) && each.folder === folder;
    const ids = past.members.filter(isOwn).map(({ id }) => id);
    if (ids.length === 0) return [];
    const ring = ringOf(past.members, parameters);
    // There are two ids while the folder's earlier entry is still listed.
    return ids.map((id) => ({ ring, id, past }));
  };
  const rings = lineage.flatMap(own);
  const losses = lost.flatMap(own).map(({ ring, id, past }) => ({
    ring,
    id,
    gone: new Set(past.members.filter((member) => member.handedOff !== true).map((member) => member.id)),
    forgotten: new Set(past.members.filter((member) => member.forgotten === true).map((member) => member.id)),
  }));
  return (key) =>
    rings.some(({ ring, id }) => ring.ownersOf(key).includes(id)) ||
    losses.some(({ ring, id, gone, forgotten }) => {
      const owners = ring.ownersOf(key);
      return owners.includes(id) && isLost(owners, gone, forgotten);
    });
}
