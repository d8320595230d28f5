/** How the primary answers a write. */

import { OperatingError } from "../../base/errors.ts";
import type { Admission } from "../../core/admission.ts";
import type { Committed } from "../../core/key-state.ts";
import type { PreconditionFailedAnswer, WrittenAnswer } from "../../core/message.ts";

export type WriteAnswer = WrittenAnswer | PreconditionFailedAnswer;

export const preconditionFailed: PreconditionFailedAnswer = Object.freeze({ kind: "precondition_failed" });

export function written({ epoch, seq, tag }: Committed): WrittenAnswer {
  return { kind: "written", version: { epoch, seq }, tag, durability: "replicated" };
}

/** Of a write that there is no room for; it was not done. */
export function bufferFull({ isShut }: Admission): OperatingError {
  return new OperatingError(
    "buffer_full",
    isShut
      ? "the store has lacked an acknowledged value for longer than buffer.maxDirtyAgeMs"
      : "the write buffer is full of values that the store has not taken yet",
  );
}

/** Of a write whose upload will never be completed: the store has lost it, or refuses it. */
export function uploadLost(refusal: OperatingError | undefined): OperatingError {
  return refusal
    ? new OperatingError("store_refused", `${refusal.message}; nothing was stored`, { cause: refusal })
    : new OperatingError("store_unavailable", "the store has lost the upload; nothing was stored");
}
