/** The limits of the server for clients, each with its default and the reason for it. */

import { minPartBytes } from "../../core/part-sizes.ts";
import type { CorsSettings } from "./cors.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

export interface HttpSettings {
  /**
   * The address to listen on. Loopback by default: a node is open to other hosts only if the configuration says so.
   * Undefined means all addresses. The runtime then does without IPv6 where the system has none, as it would not for
   * "::".
   */
  readonly host: string | undefined;
  /** 0 takes a free port. */
  readonly port: number;
  /** The most bytes of a value that is read as a whole before it is stored. */
  readonly maxValueBytes: number;
  /**
   * The most bytes of a value that is streamed to the store. Values are streamed only if this is above `maxValueBytes`.
   */
  readonly maxStreamBytes: number;
  /**
   * The most bytes of a request's line and headers together. The percent-encoding of a key may take 3 KiB of it,
   * metadata 2 KiB and content headers 2 KiB.
   */
  readonly maxHeaderBytes: number;
  /**
   * The most bytes of user metadata (names and values), weir's own included. The content headers have the same limit of
   * their own. S3 takes 2 KiB of each.
   */
  readonly maxMetadataBytes: number;
  /** The most keys and common prefixes in one answer of a listing. S3 gives as many. */
  readonly maxListKeys: number;
  /**
   * The most bytes of bodies that this node reads or stores at a time. A body's bytes count from when they come to its
   * answer. By default 32 of the largest values.
   */
  readonly inFlightBytes: number;
  /** The most values that are streamed to the store at a time, and from it. */
  readonly uploads: number;
  readonly downloads: number;
  /**
   * The most bytes of parts in memory at a time: all of those that clients send one by one, and one part of each value
   * that is streamed.
   */
  readonly uploadBytes: number;
  /** Bytes in a part of a value that is streamed, as a rule. */
  readonly partBytes: number;
  /** The most requests under way at a time. */
  readonly requests: number;
  /** Of these, pages of listings. */
  readonly listings: number;
  /** Over time, a client has to send a streamed body, or read a streamed answer, at this rate. */
  readonly leastBytesPerSecond: number;
  /** How many connections of clients are served. Requests on further connections are answered `overloaded`. */
  readonly connections: number;
  /**
   * Connections beyond `connections`. Peers' links need them, since they come in by the same port. So do operators'
   * requests, and the refusals.
   */
  readonly spareConnections: number;
  readonly headersTimeoutMs: number;
  /** For a whole body. 4 MiB in 60 s is 70 KB/s. */
  readonly bodyTimeoutMs: number;
  /** Between two chunks of a body that is streamed. The whole body may take any time. */
  readonly bodyIdleMs: number;
  /**
   * How long an idle connection is kept, or up to a quarter longer. It is longer than the 60 s of usual load balancers,
   * so that they close it first.
   */
  readonly keepAliveMs: number;
  /**
   * A connection with a request under way is cut if nothing moves on it for this long. A client that does not read
   * holds memory. It is longer than any operation.
   */
  readonly stallMs: number;
  /** How long the rest of a refused body is read and thrown away, so that its sender gets to see the refusal. */
  readonly lingerMs: number;
  /** How long requests under way may take when the server stops. Then they are cut. */
  readonly finishMs: number;
  /** How long a client may take to read an answer. 4 MiB in 60 s is 70 KB/s. */
  readonly answerTimeoutMs: number;
  /**
   * The most bytes of all answers that clients have not read yet, beyond the system's buffers. Above it, the answers
   * that wait longest are cut.
   */
  readonly unreadBytes: number;
  /**
   * How many requests a client may send on a connection before it has the answer to the first. Then the connection is
   * cut.
   */
  readonly pipelinedRequests: number;
  /** Which other sites' pages may use the node. None by default. */
  readonly cors: CorsSettings;
  /** How long a 503 tells the client to wait. */
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
  uploads: 16,
  downloads: 64,
  uploadBytes: 128 * MiB,
  partBytes: minPartBytes,
  requests: 10_000,
  // Alone a caller has four fifths. So another one's page waits for so many looks at each node, at most.
  listings: 32,
  leastBytesPerSecond: 8 * KiB,
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
