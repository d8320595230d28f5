/**
 * How views follow each other: each kind of change derives the next view from the last. Here is what makes a change
 * safe as far as the record alone can tell. Who may make which change, and when, is decided elsewhere.
 *
 * A member that is removed without being known to have stopped is a *drop*. A folder is known to have stopped in two
 * cases:
 *
 * - It is back with another incarnation: one process at a time has it.
 * - It had weight 0 in a settled view: it owned nothing, and is no voter, so its word confirms no lease (V21).
 */

import { assert } from "../base/assert.ts";
import { type PastMember, type PastView, type View, type ViewMember, type ViewParameters, votersOf } from "./view.ts";

/** The view of a new cluster, whose only member is `member`. */
export function firstView(member: ViewMember, parameters: ViewParameters, proposal: string): View {
  return {
    format: 2,
    epoch: 1,
    members: [member],
    dropped: false,
    settled: false,
    lineage: [],
    lost: [],
    proposal,
    parameters,
  };
}

/**
 * The next view with `member` in it: added, or in place of an earlier process of the same id. Replacing another folder
 * drops that one. A member that comes into a view that everybody has left brings its own parameters, or at least the
 * store's name, if earlier views matter (V3, V21, V63).
 */
export function joinedView(
  view: View,
  member: ViewMember,
  proposal: string,
  parameters: Partial<ViewParameters> = {},
): View {
  const earlier = view.members.find((each) => each.id === member.id);
  assert(earlier?.incarnation !== member.incarnation, "a process joins a view once");
  const others = view.members.filter((each) => each.id !== member.id);
  const next = successor(view, [...others, member], proposal);
  if (view.members.length > 0) return next;
  const isOver = view.lineage.length === 0 && view.lost.length === 0 && view.forgotten === undefined;
  const { store } = parameters;
  const own = isOver ? parameters : store === undefined ? {} : { store };
  return { ...next, parameters: { ...next.parameters, ...own } };
}

/** The next view without the members `ids`. */
export function droppedView(view: View, ids: ReadonlySet<string>, proposal: string): View {
  return successor(
    view,
    view.members.filter((each) => !ids.has(each.id)),
    proposal,
  );
}

/** The next view with another weight for the member `id`. */
export function reweightedView(view: View, id: string, weight: number, proposal: string): View {
  return successor(
    view,
    view.members.map((each) => (each.id === id ? { ...each, weight } : each)),
    proposal,
  );
}

/**
 * The next view without the member `id`, which leaves this settled view in order. It owns nothing in the view, or it is
 * the last owner. The last owner has everything in the store, gave up its lease before, and will be asked for no
 * outcome any more. It leaves behind members that own nothing, or none. That view is settled, so the next owner serves
 * at once (V28, V30).
 */
export function leftView(view: View, id: string, proposal: string): View {
  assert(view.settled, "what a member holds is needed until the view is settled");
  const left = droppedView(view, new Set([id]), proposal);
  return votersOf(left).length > 0 ? left : { ...left, dropped: false, settled: true, lineage: [] };
}

/**
 * How many epochs a view that is put back leaves out. A view that was lost together with the record may have followed,
 * and a process may go by it: its epochs must never be those of later views (V59).
 */
const epochsLeftOut = 1_000;

/**
 * The view that is put back in place of a record that was lost: the same members, to whom `view` is known to be the
 * newest. `isSettled` says whether it is known to be settled; `past` is as for {@link settledView}.
 */
export function restoredView(view: View, isSettled: boolean, past: RememberedViews, proposal: string): View {
  const last = isSettled && !view.settled ? settledView(view, past, proposal) : view;
  const next = successor(last, last.members, proposal);
  assert(!next.dropped, "what is put back drops no member");
  return { ...next, epoch: next.epoch + epochsLeftOut };
}

/** The earlier views that still matter when a view is settled. */
export interface RememberedViews {
  /** See `Doubt.views` (V51). */
  readonly lost: readonly PastView[];
  /** See `ForgottenOwners.viewsSince` (V69). */
  readonly forgotten: readonly PastView[];
}

/** The same view, settled. */
export function settledView(view: View, { lost, forgotten }: RememberedViews, proposal: string): View {
  const present = foldersOf(view);
  const sending = new Set(forgotten.map(({ epoch }) => epoch));
  const marked = lost.map((past) => ({
    ...past,
    ...(hasForgotten(past) && !sending.has(past.epoch) ? { silent: true } : {}),
    members: past.members.map((each) => (present.has(each.folder) ? { ...each, handedOff: true } : each)),
  }));
  const { forgotten: _before, ...rest } = view;
  const settled = { ...rest, settled: true, lineage: [], lost: marked, proposal };
  return forgotten.length > 0 ? { ...settled, forgotten: [...forgotten] } : settled;
}

/** Whether an operator has had members of the view forgotten. */
export function hasForgotten({ members }: PastView): boolean {
  return members.some((member) => member.forgotten === true);
}

/**
 * The next view without `id`, whose data an operator forgets: what only that folder held is lost. Undefined when no
 * view that matters names it.
 *
 * With `force` the operator vouches that its process is off. So it counts as kept where half of a view has to be kept.
 * Without `force`, a member is removed only if half is kept anyway; otherwise the answer is "refused" (V17).
 */
export function forgottenView(view: View, id: string, force: boolean, proposal: string): View | "refused" | undefined {
  const next = droppedView(view, new Set([id]), proposal);
  if (!force && next.members.length < view.members.length && !keepsHalf(next)) return "refused";
  const kept = foldersOf(next);
  let known = next.members.length < view.members.length;
  const mark = (past: PastView): PastView => {
    if (!past.members.some((member) => member.id === id && !kept.has(member.folder))) return past;
    known = true;
    const { silent: _before, ...rest } = past;
    const members = past.members.map((member): PastMember => {
      if (member.id !== id || kept.has(member.folder)) return member;
      return { ...member, forgotten: true, ...(force ? { off: true } : {}) };
    });
    return { ...rest, members };
  };
  const marked = { ...next, lineage: next.lineage.map(mark), lost: next.lost.map(mark) };
  return known ? marked : undefined;
}

/**
 * Whether the view may follow although it drops members: of each view of its lineage, at least half of the voters'
 * folders are kept. More than half of a view's voters have to confirm a lease on it. So one of the kept ones would have
 * to be among them, and those confirm it no more (V4, V17).
 */
export function keepsHalf(next: View): boolean {
  const kept = foldersOf(next);
  return next.lineage.every((past) => {
    const voters = votersOf(past);
    return 2 * voters.filter((member) => kept.has(member.folder) || member.off === true).length >= voters.length;
  });
}

/**
 * Whether no member may serve keys gained in this view before T has passed: one was dropped since the last settled
 * view (V44).
 */
export function hasDrop({ dropped, lineage }: Pick<View, "dropped" | "lineage">): boolean {
  return dropped || lineage.slice(1).some((past) => past.dropped);
}

function successor(view: View, members: readonly ViewMember[], proposal: string): View {
  const folders = new Set(members.map((member) => member.folder));
  const past: PastView = { epoch: view.epoch, members: view.members, dropped: view.dropped };
  return {
    ...view,
    epoch: view.epoch + 1,
    members: members.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    dropped: view.members.some((each) => !folders.has(each.folder) && !(view.settled && each.weight === 0)),
    settled: false,
    lineage: [...(view.settled ? [] : view.lineage), past],
    proposal,
  };
}

function foldersOf({ members }: Pick<View, "members">): ReadonlySet<string> {
  return new Set(members.map((member) => member.folder));
}
