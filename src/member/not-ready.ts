/** Why a member does not answer for a key, in words for whoever waits. */

import { OperatingError } from "../base/errors.ts";
import type { Membership } from "../core/membership.ts";

/** OperatingError `not_ready`: the router tries again until its deadline; what it hears last is what the client is told. */
export function notReady(membership: Membership, key: string): OperatingError {
  return new OperatingError("not_ready", reasonFor(membership, key));
}

function reasonFor(membership: Membership, key: string): string {
  if (membership.inDoubt(key)) {
    const nodes = membership.awaited.join(", ");
    return `the newest value of this key may only be on nodes that are gone; start one of ${nodes} with its data folder, or give them up with weir forget`;
  }
  if (!membership.serves(key, membership.ownersOf(key))) return "the hand-off of this key is under way";
  return "this node has no lease at the moment: it does not reach enough of the others, nor the store";
}
