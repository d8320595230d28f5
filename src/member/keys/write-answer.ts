/** How the primary answers a write. */

import type { PreconditionFailed, Written } from "../../core/operation.ts";
import type { Committed } from "../../core/pending-write.ts";

export const preconditionFailed: PreconditionFailed = Object.freeze({ kind: "precondition_failed" });

export function written({ epoch, seq, tag }: Committed): Written {
  return { kind: "written", version: { epoch, seq }, tag, durability: "replicated" };
}
