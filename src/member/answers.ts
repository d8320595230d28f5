/** Which part of a member answers what another member asks. */

import { unreachable } from "../base/assert.ts";
import type { PeerAnswer, PeerIdentity, PeerRequest, PingRequest } from "../core/message.ts";
import { formatView } from "../core/view.ts";
import type { Wired } from "./wiring.ts";

/** @throws OperatingError (or rejects with one): the part's. */
export function answerOf(
  wired: Wired,
  from: PeerIdentity,
  request: Exclude<PeerRequest, PingRequest>,
): PeerAnswer | Promise<PeerAnswer> {
  switch (request.kind) {
    case "read":
      return wired.reads.read(request);
    case "write":
      return wired.durableWrites.write(request);
    case "list":
      return wired.heldKeys.answer(request);
    case "replicate":
      return wired.replica.replicate(from, request);
    case "hand_off_list":
      return wired.replica.handOffList(from, request);
    case "hand_off":
      return wired.replica.handOff(from, request);
    case "hand_off_outcomes":
      return wired.replica.handOffOutcomes(request);
    case "late":
      return wired.replica.late(request);
    case "hand_off_unknown":
      return wired.replica.handOffUnknown(request);
    case "answered":
      return wired.replica.answered(from, request);
    case "clean":
      return wired.replica.clean(from, request);
    case "leave":
      wired.leaveRequests.take(from);
      return { kind: "ack", epoch: wired.membership.epoch };
    case "flush":
      return wired.flushOnDemand.answer(request);
    case "failing":
      return wired.discard.answer(request);
    case "refused_keys":
      return wired.discard.answerUnder(request);
    case "view":
      return { kind: "adopted", view: formatView(wired.membership.view) };
    default:
      return unreachable(request);
  }
}
