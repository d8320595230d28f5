/** `Weir-Durability`: when a write is answered. */

import { OperatingError } from "../../base/errors.ts";
import type { Durability } from "../../core/operation.ts";

/** @throws OperatingError `header_invalid`. */
export function wantedDurability(header: string | string[] | undefined): Durability {
  if (header === undefined || header === "replicated") return "replicated";
  if (header === "stored") return "stored";
  throw new OperatingError("header_invalid", "Weir-Durability must be replicated or stored");
}
