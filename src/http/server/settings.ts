/** The limits of the server for clients: every one of them with its default and the reason for it. */

import type { CorsSettings } from "./cors.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

export interface HttpSettings {
  /** The address to listen on. Loopback by default: a node is open to others only where that was written out. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Of a value that is read as a whole before it is stored. */
  readonly maxValueBytes: number;
  /** Of one that is stored as it comes; none are unless this is more. */
  readonly maxStreamBytes: number;
  /** Of a request's line and headers together. A key may take 3 KiB of it in percent-encoding, metadata 2 KiB and content headers 2 KiB. */
  readonly maxHeaderBytes: number;
  /** Of user metadata (names and values), weir's own included; of the content headers likewise. S3 takes 2 KiB of each. */
  readonly maxMetadataBytes: number;
  /** Keys and common prefixes in one answer of a listing: as many as S3 gives. */
  readonly maxListKeys: number;
  /**
   * Bodies being read or stored on this node, together. A body counts with its announced length from its first byte to its answer, so
   * that what has been begun can be finished. 32 of the largest values by default.
   */
  readonly inFlightBytes: number;
  /** Connections of clients that are served; requests on others are answered `overloaded`. */
  readonly connections: number;
  /** Connections beyond those: for peers' links, which come in by the same port, and for the refusals. */
  readonly spareConnections: number;
  readonly headersTimeoutMs: number;
  /** For a whole body: 4 MiB in 60 s is 70 KB/s. */
  readonly bodyTimeoutMs: number;
  /** Between two chunks of a body that is streamed: its whole may take as long as it takes. */
  readonly bodyIdleMs: number;
  /** How long an idle connection is kept. Longer than the 60 s of usual load balancers, so that it's they who close it. */
  readonly keepAliveMs: number;
  /** A connection with a request under way on which nothing moves is cut: a client that doesn't read holds memory. Longer than any operation. */
  readonly stallMs: number;
  /** How long the rest of a refused body is read and thrown away, so that its sender gets to see the refusal. */
  readonly lingerMs: number;
  /** How long requests under way may take to finish when the server stops. A request that takes longer is cut. */
  readonly finishMs: number;
  /** How long a client may take to read an answer. 4 MiB in 60 s are 70 KB/s. */
  readonly answerTimeoutMs: number;
  /** Of answers that clients have not read yet, together, beyond what the system's buffers take: then those that wait longest are cut. */
  readonly unreadBytes: number;
  /** Requests that a client may send on a connection before it has the answer to the first: then the connection is cut. */
  readonly pipelinedRequests: number;
  /** Which other sites' pages may use the node. None by default. */
  readonly cors: CorsSettings;
  /** What a 503 tells the client to wait. */
  readonly retryAfterSeconds: number;
}

export const defaultHttpSettings: HttpSettings = Object.freeze({
  host: "127.0.0.1",
  port: 7070,
  maxValueBytes: 4 * MiB,
  maxStreamBytes: 0,
  maxHeaderBytes: 16 * KiB,
  maxMetadataBytes: 2 * KiB,
  maxListKeys: 1_000,
  inFlightBytes: 128 * MiB,
  connections: 10_000,
  spareConnections: 256,
  headersTimeoutMs: 15_000,
  bodyTimeoutMs: 60_000,
  bodyIdleMs: 30_000,
  keepAliveMs: 65_000,
  stallMs: 90_000,
  lingerMs: 1_000,
  finishMs: 10_000,
  answerTimeoutMs: 60_000,
  unreadBytes: 128 * MiB,
  pipelinedRequests: 100,
  cors: { origins: [], maxAgeSeconds: 600 },
  retryAfterSeconds: 1,
});
