/** Why a member does not do what it is asked, in words for the client that waits. */

import { OperatingError } from "../../base/errors.ts";
import type { Membership } from "../../core/membership.ts";

/**
 * OperatingError `not_ready`: the router tries again until its deadline; what it hears last is what the client is told.
 */
export function notReady(membership: Membership, key: string): OperatingError {
  return new OperatingError("not_ready", reasonFor(membership, key));
}

/** OperatingError `wrong_view`: asker and asked are not in the same epoch. The router looks up the primary again. */
export function wrongView(): OperatingError {
  return new OperatingError("wrong_view", "the members have changed");
}

/** @throws OperatingError `wrong_view` unless `epoch` is the adopted one. */
export function requireEpoch(membership: Membership, epoch: number): void {
  if (epoch !== membership.epoch) throw wrongView();
}

/** @throws OperatingError `not_ready` unless this member may answer for the key at this moment. */
export function requireTenure(membership: Membership, key: string): void {
  if (!membership.mayAnswer(key)) throw notReady(membership, key);
}

/** As {@link notReady}, when a member is asked for all keys of which it is the primary. */
export function notReadyForAll(membership: Membership): OperatingError {
  const { awaited, activated } = membership;
  if (awaited.length > 0)
    return new OperatingError("not_ready", `the newest values of some keys ${whereAwaited(awaited)}`);
  return new OperatingError("not_ready", activated ? noLease : "the hand-off of some keys is under way");
}

const noLease = "this node has no lease at the moment: it does not reach enough of the others, nor the store";

function whereAwaited(nodes: readonly string[]): string {
  return `may only be on nodes that are gone; start one of ${nodes.join(", ")} with its data folder, or give them up with weir forget`;
}

function reasonFor(membership: Membership, key: string): string {
  if (membership.inDoubt(key)) return `the newest value of this key ${whereAwaited(membership.awaited)}`;
  if (!membership.serves(key, membership.ownersOf(key))) return "the hand-off of this key is under way";
  return noLease;
}
