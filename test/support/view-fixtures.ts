/** Members, views and keys for tests of whatever goes by a view: short to write down, and all that is not named is plain. */

import { assert } from "../../src/base/assert.ts";
import { Membership } from "../../src/core/membership.ts";
import type { MemberState } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring.ts";
import type { View, ViewMember, ViewParameters } from "../../src/core/view.ts";

/** F, in milliseconds. */
export const flushDeadlineMs = 10_000;

export const parameters: ViewParameters = { clusterId: "c1", replicas: 2, flushDeadlineMs, ringVersion: 1 };

/** The member `id`, in its first process, on its first disk. */
export function memberOf(id: string, change: Partial<ViewMember> = {}): ViewMember {
  return { id, folder: `${id}-disk`, incarnation: `${id}-1`, url: `http://${id}:7070`, weight: 1, ...change };
}

/** A view of `epoch` that is not settled. */
export function viewOf(epoch: number, members: readonly ViewMember[], lineage: View["lineage"] = []): View {
  return {
    format: 1,
    epoch,
    members: [...members],
    dropped: false,
    settled: false,
    lineage,
    proposal: `proposal ${epoch}`,
    parameters,
  };
}

/** As a later view's lineage names it. */
export function pastOf({ epoch, members, dropped }: View): View["lineage"][number] {
  return { epoch, members, dropped };
}

/** The view that follows `view` with these members. */
export function nextView(view: View, members: readonly ViewMember[]): View {
  return viewOf(view.epoch + 1, members, [...(view.settled ? [] : view.lineage), pastOf(view)]);
}

export function ringOf(view: View): Ring {
  return new Ring(view.members, view.parameters.replicas);
}

/** What a peer says that has handed off all it held under `epoch`. */
export function handedOff(epoch: number, change: Partial<MemberState> = {}): MemberState {
  const figures = { dirtyBytes: 0, dirtyKeys: 0, cacheBytes: 0, oldestDirtyMs: 0, failingKeys: 0 };
  return { epoch, settled: false, handedOff: true, quiet: true, watermark: 0, figures, ...change };
}

/** The member `self`, which has adopted `view` at 0 and handed off. */
export function memberIn(view: View, self: ViewMember): Membership {
  const membership = new Membership(self);
  membership.adopt(view, 0);
  membership.markHandedOff();
  return membership;
}

/** A key whose primary is the first of `primaries` under the first of `rings`, and so on. */
export function keyWith(rings: readonly Pick<Ring, "ownersOf">[], primaries: readonly string[]): string {
  assert(rings.length === primaries.length, "each ring has its primary");
  return keyWhere((key) => rings.every((ring, index) => ring.ownersOf(key)[0] === primaries[index]));
}

/** The first of some ten thousand keys of which `wanted` is true. */
export function keyWhere(wanted: (key: string) => boolean): string {
  for (let number = 0; number < 10_000; number++) if (wanted(`key-${number}`)) return `key-${number}`;
  throw new Error("no such key: the rings never give it these owners");
}
