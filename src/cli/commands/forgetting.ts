/**
 * What forgetting a node would mean: which view would follow, why it may not, which share of the keys is lost or stays
 * in doubt. All of it follows from the view alone, so the command works while no node runs.
 *
 * Without force only data is forgotten. It is the data of folders that are gone since a settled view. So their
 * processes cannot answer for any key any more.
 *
 * With force a member may be removed, or a node that was dropped just now may be declared off. For both an operator
 * must vouch that the process is off. Nodes count it as off when they judge how many of them may go on.
 */

import { assert } from "../../base/assert.ts";
import { Doubt } from "../../core/doubt.ts";
import type { PastMember, View } from "../../core/view.ts";
import { droppedView, forgottenView, keepsHalf, reweightedView } from "../../core/view-changes.ts";

/** The shares are estimated from so many keys, right to about a percent. */
const sampleKeys = 10_000;

export interface Forgetting {
  readonly kind: "possible";
  /** To be swapped in. */
  readonly next: View;
  /** Whether the node is removed from the view. */
  readonly removes: boolean;
  /** Share of the keys for which the latest writes are nowhere any more. */
  readonly lost: number;
  /** Share of the keys that are in doubt then, waiting for {@link awaited}. */
  readonly inDoubt: number;
  readonly awaited: readonly string[];
}

export type ForgetRefusal =
  /** No view that matters names it. */
  | { readonly kind: "unknown" }
  /** It was dropped from a view that is not settled yet. */
  | { readonly kind: "unsettled" }
  /**
   * It is a member. `tooFew`: the others may not drop it by themselves, since less than half of this view would be
   * left.
   */
  | { readonly kind: "member"; readonly tooFew?: TooFew };

export interface TooFew {
  readonly epoch: number;
  readonly members: readonly string[];
  readonly kept: readonly string[];
}

/** @param proposal The proposal of the view that follows. */
export function forgetting(view: View, id: string, force: boolean, proposal: string): Forgetting | ForgetRefusal {
  if (!force) {
    const next = withoutItsLostFolders(view, id, proposal);
    return next === undefined
      ? refusal(view, id, proposal)
      : { kind: "possible", next, removes: false, ...loss(view, next) };
  }
  const next = forgottenView(view, id, true, proposal);
  if (next === undefined) return { kind: "unknown" };
  assert(next !== "refused", "with force nothing is refused");
  return { kind: "possible", next, removes: hasMember(view, id), ...loss(view, next) };
}

/** The same members. The folders that `id` had in lost views are forgotten. Undefined if there are none. */
function withoutItsLostFolders(view: View, id: string, proposal: string): View | undefined {
  const folders = new Set(view.members.map(({ folder }) => folder));
  let isAny = false;
  const lost = view.lost.map((past) => ({
    ...past,
    members: past.members.map((member) => {
      const isGone = !folders.has(member.folder) && member.handedOff !== true && member.forgotten !== true;
      if (member.id !== id || !isGone) return member;
      isAny = true;
      return { ...member, forgotten: true };
    }),
  }));
  const [first] = view.members;
  // An empty view has no member that could settle the next view, and none that waits.
  if (!isAny) return undefined;
  if (first === undefined) return { ...view, epoch: view.epoch + 1, lost, proposal };
  return { ...reweightedView(view, first.id, first.weight, proposal), lost };
}

function refusal(view: View, id: string, proposal: string): ForgetRefusal {
  if (!hasMember(view, id)) {
    const isDropped = view.lineage.some(({ members }) => members.some((member) => member.id === id));
    return { kind: isDropped ? "unsettled" : "unknown" };
  }
  const next = droppedView(view, new Set([id]), proposal);
  return keepsHalf(next) ? { kind: "member" } : { kind: "member", tooFew: tooFew(next) };
}

/** The view of the lineage of which the smallest part would be left. It is the best reason. */
function tooFew({ lineage, members }: View): TooFew {
  const folders = new Set(members.map(({ folder }) => folder));
  const [worst] = lineage
    .map((past) => ({ past, kept: past.members.filter((member) => isKept(member, folders)) }))
    .sort((a, b) => a.kept.length / a.past.members.length - b.kept.length / b.past.members.length);
  assert(worst !== undefined, "a view that follows has a lineage");
  const { past, kept } = worst;
  return { epoch: past.epoch, members: past.members.map(({ id }) => id), kept: kept.map(({ id }) => id) };
}

function isKept({ folder, off }: PastMember, folders: ReadonlySet<string>): boolean {
  return folders.has(folder) || off === true;
}

function loss(view: View, next: View): Pick<Forgetting, "lost" | "inDoubt" | "awaited"> {
  const before = new Doubt(view);
  const after = new Doubt(next);
  let lost = 0;
  let inDoubt = 0;
  for (let index = 0; index < sampleKeys; index++) {
    const key = `sample/${index}`;
    if (after.has(key)) inDoubt++;
    else if (after.wasForgotten(key) && (before.has(key) || !before.wasForgotten(key))) lost++;
  }
  return { lost: lost / sampleKeys, inDoubt: inDoubt / sampleKeys, awaited: after.awaited };
}

function hasMember(view: View, id: string): boolean {
  return view.members.some((member) => member.id === id);
}
