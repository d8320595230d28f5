/**
 * What a member tells people: its figures, the keys that fail, whether it is ready, what it knows of the whole cluster
 * (`GET /cluster`), and whether a member may be stopped.
 */

import type { ErrorCode } from "../base/errors.ts";
import type { Version } from "./version.ts";

/** What each member tells of itself, in every ping. */
export interface MemberFigures {
  readonly dirtyBytes: number;
  readonly dirtyKeys: number;
  readonly cacheBytes: number;
  /**
   * The age of the oldest state that has not reached the store, of the keys that the member serves and does not hold
   * back, in milliseconds; 0 when there is none.
   */
  readonly oldestDirtyMs: number;
  /** How many keys had their last attempt to flush fail, and how many of those the store refuses. */
  readonly failingKeys: number;
  readonly refusedKeys: number;
  /** Bytes in the buffer of what it refuses, and how many more may be there (W28). */
  readonly refusedBytes: number;
  readonly refusedRoomBytes: number;
  /** How many keys are held back until an earlier request to the store can take effect no more (F24). */
  readonly heldKeys: number;
  /** Some of the keys that fail. */
  readonly failing: readonly FailingKey[];
  /** Whether writers wait because a value is older than `buffer.maxDirtyAgeMs`. */
  readonly slowing: boolean;
  /** Whether writers wait because its buffer is full. */
  readonly full: boolean;
  /** Whether what it holds is on its disk, too. */
  readonly journaled: boolean;
  /** Its `flush.lateEffectMs`; 0 when it was not heard. */
  readonly lateEffectMs: number;
}

/** A key whose last attempt to flush failed. */
export interface FailingKey {
  readonly key: string;
  /** The version of the state that the store lacks. `size` is that of its value, 0 for a delete. */
  readonly version: Version;
  readonly size: number;
  readonly isDelete: boolean;
  /** For how long the store has lacked something of the key, in milliseconds. */
  readonly ageMs: number;
  readonly code: ErrorCode;
  readonly reason: string;
  /** Who wrote it, if the member knows that: `token NAME`, or an address. */
  readonly holder?: string | undefined;
}

/** Whether this member takes part in a view and may serve, and why or why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
  /**
   * How long ago this member last served, in milliseconds. It is there when the member is not ready for a passing
   * reason: members change, or the lease has to be confirmed anew. Requests wait meanwhile.
   */
  readonly pausedMs?: number;
}

export interface ClusterStatus {
  /** The cluster's name in the configuration. */
  readonly cluster: string;
  /** The member that answers. */
  readonly self: string;
  /** The epoch of the view that it has adopted; 0 before the first. */
  readonly epoch: number;
  readonly settled: boolean;
  /**
   * For how long the answering member may still answer if nothing confirms its lease, in milliseconds; 0: it may not.
   */
  readonly leaseMs: number;
  /**
   * Nodes that are gone, and that may have the only copies of some keys' newest values. Those keys are not served until
   * one of the nodes is back.
   */
  readonly awaited: readonly string[];
  /**
   * Nodes of the answering node's configuration that are not in its view, apart from itself: not started yet, stopped,
   * or lost.
   */
  readonly absent: readonly string[];
  /** Of those, and of members: why one of the two ends refuses a link with the answering node, by node. */
  readonly refused: Readonly<Record<string, string>>;
  readonly store: string;
  /** What is wrong with the view's record in the store, in words; not there while nothing is. */
  readonly recordTrouble?: string;
  /** Why the answering node takes no part, in words; not there while it does, or is about to. */
  readonly trouble?: string;
  /** R: how many owners a key has, if there are so many members; 0 before the first view. */
  readonly replicas: number;
  /** The S3 requests of the answering node; not there before the first. */
  readonly s3?: S3Activity;
  readonly members: readonly MemberStatus[];
}

/** What a node has answered to S3 clients since it was started. */
export interface S3Activity {
  readonly requests: number;
  /** Of those: answered 403, because of a wrong key or signature, or for want of a right. */
  readonly denied: number;
  /** Of those: answered 5xx. */
  readonly failed: number;
  /** Requests of each operation, such as `PutObject`, the most frequent first. Those that name none are `other`. */
  readonly operations: Readonly<Record<string, number>>;
}

export interface MemberStatus extends MemberFigures {
  readonly id: string;
  readonly url: string;
  readonly zone: string | undefined;
  readonly weight: number;
  /** Share of all keys whose primary it is, 0 to 1. */
  readonly share: number;
  /**
   * The member's state, as the answering member sees it:
   *
   * - `serving`: linked, and its keys are served.
   * - `waiting`: linked, and a hand-off is under way, or no node owns keys.
   * - `unreachable`: there is no link to it.
   */
  readonly state: "serving" | "waiting" | "unreachable";
  /** For how long the store has failed each of its flushes, in milliseconds; 0 when the last one went well. */
  readonly storeFailingMs: number;
  /** May it be stopped? */
  readonly stop: StopAdvice;
}

/**
 * `wait`: it may be stopped soon; the advice says what to wait for, or to run first. `no`: something has to be mended,
 * or brought back, first.
 */
export type StopVerdict = "yes" | "wait" | "no";

export interface StopAdvice {
  /** Whether it may be stopped in order. */
  readonly verdict: StopVerdict;
  /** What stopping it in order means, or why it should not be. */
  readonly inOrder: string;
  /** What its sudden end means: kill -9, a power loss. */
  readonly killed: string;
}
