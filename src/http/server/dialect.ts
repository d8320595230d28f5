/**
 * Another dialect than the node's own that clients may speak on its ports. The server asks the dialect which requests
 * are in it. It knows nothing else of what they mean.
 */

import type { IncomingMessage } from "node:http";
import type { ErrorCode } from "../../base/errors.ts";
import type { Bodies } from "./body.ts";
import type { Cors } from "./cors.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpMetrics } from "./metrics.ts";
import type { NodeShares } from "./node-shares.ts";

export interface Dialect {
  /**
   * Whether a request is in this dialect. It is asked for each request, before anything else looks at it, but not for
   * one that came by the port that speaks this dialect alone.
   */
  speaks(request: IncomingMessage): boolean;
  /** Answers a request. Throws or rejects only for a failed assertion. */
  handle(exchange: Exchange): void | Promise<void>;
  /** Answers with an error, without looking at what is asked for. */
  refuse(exchange: Exchange, code: ErrorCode, detail: string): void;
}

/** What a dialect shares with the node's own one: each limit is one for both. */
export interface DialectParts {
  readonly bodies: Bodies;
  readonly shares: NodeShares;
  readonly cors: Cors;
  readonly metrics: HttpMetrics;
}

export interface DialectOptions {
  readonly make: (parts: DialectParts) => Dialect;
  /** A port that speaks this dialect alone, if there is one. 0 takes a free port. */
  readonly port: number | undefined;
}
