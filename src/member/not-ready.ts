/** Why a member does not answer for a key, in words for whoever waits. */

import { OperatingError } from "../base/errors.ts";
import type { Membership } from "../core/membership.ts";

/** OperatingError `not_ready`: the router tries again until its deadline; what it hears last is what the client is told. */
export function notReady(membership: Membership, key: string): OperatingError {
  return new OperatingError("not_ready", reasonFor(membership, key));
}

/** The same, of whoever is asked for all keys that are its own. */
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
