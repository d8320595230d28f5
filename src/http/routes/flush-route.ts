/**
 * `POST /cluster/flush`. The answer is a line of JSON for each look at the flush's progress. The last line has its
 * `outcome`. So one request serves `curl` and a progress bar, and nothing is left behind when the client goes away.
 */

import { once } from "node:events";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Administration } from "../../core/administration.ts";
import { type Exchange, refuseBody, writeHead } from "../server/exchange.ts";

export async function flush(exchange: Exchange, administration: Administration): Promise<void> {
  const { response } = exchange;
  refuseBody(exchange);
  const gone = new AbortController();
  response.once("close", () => gone.abort(new OperatingError("shutting_down", "the client has gone away")));
  try {
    for await (const progress of administration.flush(gone.signal)) {
      if (response.destroyed) return;
      if (!response.headersSent) {
        writeHead(exchange, 200, ["Content-Type", "application/x-ndjson", "Cache-Control", "no-store"]);
      }
      if (!response.write(`${JSON.stringify(progress)}\n`)) await once(response, "drain", { signal: gone.signal });
    }
    response.end();
  } catch (error) {
    if (response.destroyed) return;
    if (!response.headersSent || !isOperatingError(error)) throw error;
    response.end(`${JSON.stringify({ outcome: "failed", code: error.code, detail: error.message })}\n`);
  }
}
