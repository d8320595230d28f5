/**
 * Members, views and keys for tests of whatever goes by a view: short to write down, and all that is not named is
 * plain.
 */

import { assert } from "../../src/base/assert.ts";
import { Membership } from "../../src/core/membership.ts";
import type { JournalPosition, MemberState, Progress } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring.ts";
import type { View, ViewMember, ViewParameters } from "../../src/core/view.ts";
import { noFigures } from "../../src/member/admin/status.ts";
import { ManualClock } from "./manual-clock.ts";

/** F and T, in milliseconds. */
export const flushDeadlineMs = 10_000;
export const leaseMs = 1_000;

export const parameters: ViewParameters = { clusterId: "c1", replicas: 2, leaseMs, flushDeadlineMs, ringVersion: 1 };

/** The member `id`, in its first process, on its first disk. */
export function memberOf(id: string, change: Partial<ViewMember> = {}): ViewMember {
  return { id, folder: `${id}-disk`, incarnation: `${id}-1`, url: `http://${id}:7070`, weight: 1, ...change };
}

/** A view of `epoch` that is not settled. */
export function viewOf(epoch: number, members: readonly ViewMember[], lineage: View["lineage"] = []): View {
  return {
    format: 2,
    epoch,
    members: [...members],
    dropped: false,
    settled: false,
    lineage,
    lost: [],
    proposal: `proposal ${epoch}`,
    parameters,
  };
}

/** As a later view's lineage names it. */
export function pastOf({ epoch, members, dropped }: View): View["lineage"][number] {
  return { epoch, members, dropped };
}

/** As a record's `lost` names it after those folders were there when a later view was settled. */
export function lostOf(view: View, ...present: ViewMember[]): View["lost"][number] {
  const folders = new Set(present.map((member) => member.folder));
  const members = view.members.map((each) => (folders.has(each.folder) ? { ...each, handedOff: true } : each));
  return { ...pastOf(view), members };
}

/** The view that follows `view` with these members. */
export function nextView(view: View, members: readonly ViewMember[]): View {
  return viewOf(view.epoch + 1, members, [...(view.settled ? [] : view.lineage), pastOf(view)]);
}

export function ringOf(view: View): Ring {
  return new Ring(view.members, view.parameters.replicas);
}

const start: JournalPosition = { segment: 1, offset: 0 };

/** What a peer says that has come so far under `epoch`. */
export function stateOf(epoch: number, progress: Progress, change: Partial<MemberState> = {}): MemberState {
  const wellKnown = {
    cluster: parameters.clusterId,
    suspects: [],
    folder: { name: "disk", began: start, journaled: start },
    broughtBack: [],
    storeFailingMs: 0,
    storeWorks: true,
    watermark: 0,
    finished: [],
    figures: noFigures,
  };
  return { epoch, seenEpoch: epoch, settled: false, progress, quiet: true, ...wellKnown, ...change };
}

/** What a peer says that has handed off all it held under `epoch`. */
export function handedOff(epoch: number, change: Partial<MemberState> = {}): MemberState {
  return stateOf(epoch, "handed_off", change);
}

/**
 * The member `self`, which has adopted `view` at this moment, and the epochs `adopted` before, and has come so far with
 * it.
 */
export function memberIn(
  view: View,
  self: ViewMember,
  {
    clock = new ManualClock(),
    adopted = [],
    progress = "handed_off",
  }: { readonly clock?: ManualClock; readonly adopted?: readonly number[]; readonly progress?: Progress } = {},
): Membership {
  const membership = new Membership(self, clock, adopted);
  membership.adopt(view);
  membership.swept();
  if (progress !== "adopting") membership.advance(progress);
  return membership;
}

/** The member `self`, the primary of its keys under the settled `view`, with a lease. */
export function servingMember(view: View, self: ViewMember, clock: ManualClock): Membership {
  const membership = memberIn({ ...view, settled: true }, self, { clock });
  membership.activate(true);
  membership.lease.confirmByStore(membership.lease.stamp());
  return membership;
}

/** A key whose primary is the first of `primaries` under the first of `rings`, and so on. */
export function keyWith(rings: readonly Pick<Ring, "ownersOf">[], primaries: readonly string[]): string {
  assert(rings.length === primaries.length, "each ring has its primary");
  return keyWhere((key) => rings.every((ring, index) => ring.ownersOf(key)[0] === primaries[index]));
}

/**
 * A key that has such owners among such hosts, each with the same weight, its primary first: `{ abc: /^ba$/ }`, where a
 * host's name is a letter.
 * @param replicas - how many owners a key has
 */
export function keyOwned(owners: Readonly<Record<string, RegExp>>, replicas = parameters.replicas): string {
  return keysOwned(owners, 1, replicas)[0] as string;
}

/** As many such keys; see {@link keyOwned}. */
export function keysOwned(
  owners: Readonly<Record<string, RegExp>>,
  count: number,
  replicas = parameters.replicas,
): string[] {
  const rings = Object.entries(owners).map(([hosts, wanted]) => {
    const members = hosts.split("").map((id) => ({ id, weight: 1 }));
    return { ring: new Ring(members, replicas), wanted };
  });
  return keysWhere((key) => rings.every(({ ring, wanted }) => wanted.test(ring.ownersOf(key).join(""))), count);
}

/** The first of some ten thousand keys of which `wanted` is true. */
export function keyWhere(wanted: (key: string) => boolean): string {
  return keysWhere(wanted, 1)[0] as string;
}

function keysWhere(wanted: (key: string) => boolean, count: number): string[] {
  const keys: string[] = [];
  for (let number = 0; keys.length < count; number++) {
    if (number === 10_000) throw new Error("no such keys: the rings never give them these owners");
    if (wanted(`key-${number}`)) keys.push(`key-${number}`);
  }
  return keys;
}
