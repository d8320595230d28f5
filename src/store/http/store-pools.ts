/**
 * Connections to a store, in three pools that do not wait for each other: behind ten thousand reads of clients neither a flush has to wait for a connection, nor a write that goes
 * to the store before it is answered, nor the view's record, on which the lease of a whole node depends.
 */

import { Pool } from "undici";
import type { RequestOptions } from "../blob-store.ts";
import type { ExchangeRequest } from "./exchange.ts";

/** Idle connections are closed after this, in milliseconds: before S3 (after about 20 s) or a load balancer does it. */
const keepAliveMs = 10_000;

/** Milliseconds to connect: as long as three lost SYNs take. */
const connectTimeoutMs = 7_000;

/** Connections that are kept for what is urgent: more than one node asks for at a time (to settle, to drop, to leave, for a newer view, for the lease), since any may hang. */
const urgentConnections = 8;

export class StorePools {
  readonly reads: Pool;
  readonly writes: Pool;
  readonly urgent: Pool;

  /** @param connections - the most there are for reads, and for writes; further requests wait for one */
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

/** Whether a request with this method changes nothing in the store. */
export function isRead(method: ExchangeRequest["method"]): boolean {
  return method === "GET" || method === "HEAD";
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
