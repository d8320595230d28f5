/** What node:http has in memory of a body that is not being read. */

import type { IncomingMessage } from "node:http";

/** It reads until it has 64 KiB, in pieces of up to 64 KiB. */
const maxUnreadBytes = 128 * 1024;

/** How many bytes of the request's body may be in memory, until somebody reads it. */
export function unreadBodyBytes({ headers, readableEnded }: IncomingMessage): number {
  if (readableEnded) return 0;
  if (headers["transfer-encoding"] !== undefined) return maxUnreadBytes;
  return Math.min(Number(headers["content-length"] ?? 0), maxUnreadBytes);
}
