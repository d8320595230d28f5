/** What the primary wants to know of a write before it is an entry. */

import { footprint, type RequestId } from "../../core/entry.ts";
import type { WriteRequest } from "../../core/message.ts";

/** The same for every copy of a request. */
export function nameOf({ router, counter }: RequestId): string {
  return `${router}.${counter}`;
}

/** What it will count towards the buffer. */
export function footprintOf(request: WriteRequest): number {
  const { key, value, headers, upload } = request;
  const shape = { key, size: value?.length ?? 0, headers };
  return footprint(upload ? { ...shape, upload } : shape);
}
