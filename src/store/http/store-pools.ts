/**
 * Connections to a store, in three pools that do not wait for each other. Clients may send ten thousand reads at once.
 * Three things must not wait behind them:
 * - a flush
 * - a write that goes to the store before it is answered
 * - the view's record, on which the lease of a whole node depends (F19)
 */

import { Pool } from "undici";
import type { RequestOptions } from "../blob-store.ts";
import { type ExchangeRequest, isRead } from "./exchange.ts";

/**
 * Idle connections are closed after this, in milliseconds. S3 closes them after about 20 s; a load balancer may do so
 * too.
 */
const keepAliveMs = 10_000;

/** Milliseconds to connect. Three lost SYNs take as long. */
const connectTimeoutMs = 7_000;

/**
 * Connections for urgent requests. A node asks for fewer at a time: to settle, to drop, to leave, for a newer view, for
 * the lease. There are spare ones, since any may hang.
 */
const urgentConnections = 8;

export class StorePools {
  readonly reads: Pool;
  readonly writes: Pool;
  readonly urgent: Pool;

  /** @param connections The most for reads, and the most for writes. Further requests wait for one. */
  constructor(origin: string, connections: number) {
    this.reads = openPool(origin, connections);
    this.writes = openPool(origin, connections);
    this.urgent = openPool(origin, urgentConnections);
  }

  poolFor(method: ExchangeRequest["method"], { isUrgent }: Pick<RequestOptions, "isUrgent">): Pool {
    if (isUrgent) return this.urgent;
    return isRead(method) ? this.reads : this.writes;
  }

  /** Requests under way fail. */
  async close(): Promise<void> {
    await Promise.all([this.reads, this.writes, this.urgent].map((pool) => pool.destroy()));
  }
}

function openPool(origin: string, connections: number): Pool {
  return new Pool(origin, {
    connections,
    keepAliveTimeout: keepAliveMs,
    connectTimeout: connectTimeoutMs,
    // Every request has a deadline of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  });
}
