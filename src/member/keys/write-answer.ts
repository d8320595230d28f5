/** How the primary answers a write. */

import type { Committed } from "../../core/key-state.ts";
import type { PreconditionFailedAnswer, WrittenAnswer } from "../../core/message.ts";

export type WriteAnswer = WrittenAnswer | PreconditionFailedAnswer;

export const preconditionFailed: PreconditionFailedAnswer = Object.freeze({ kind: "precondition_failed" });

export function written({ epoch, seq, tag }: Committed): WrittenAnswer {
  return { kind: "written", version: { epoch, seq }, tag, durability: "replicated" };
}
