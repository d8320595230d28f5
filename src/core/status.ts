/**
 * What a member tells people: its figures, the keys that fail, whether it is ready, and what it knows of the whole cluster
 * (`GET /cluster`).
 */

import type { ErrorCode } from "../base/errors.ts";
import type { StopAdvice } from "./stop-advice.ts";
import type { Version } from "./version.ts";

/** What each member tells of itself, in every ping. */
export interface MemberFigures {
  readonly dirtyBytes: number;
  readonly dirtyKeys: number;
  readonly cacheBytes: number;
  /** Age of the oldest state, of the keys that it serves, that has not reached the store, in milliseconds; 0 when there is none. */
  readonly oldestDirtyMs: number;
  /** Keys whose last attempt to flush failed, and those of them that the store refuses. */
  readonly failingKeys: number;
  readonly refusedKeys: number;
  /** Some of them. */
  readonly failing: readonly FailingKey[];
  /** Whether writers wait because a value is older than `buffer.maxDirtyAgeMs`. */
  readonly slowing: boolean;
  /** Writers wait because its buffer is full. */
  readonly full: boolean;
  /** Whether what it holds is on its disk, too. */
  readonly journaled: boolean;
}

/** A key whose last attempt to flush failed. */
export interface FailingKey {
  readonly key: string;
  /** Of the state that the store lacks; `size` is that of its value, 0 where it is a delete. */
  readonly version: Version;
  readonly size: number;
  readonly isDelete: boolean;
  /** For how long the store has lacked something of the key, in milliseconds. */
  readonly ageMs: number;
  readonly code: ErrorCode;
  readonly reason: string;
}

/** Whether this member takes part in a view and may serve, and why or why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
  /** Not ready because members change or the lease is to be confirmed anew, so that requests wait: for so many milliseconds since it served. */
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
  /** For how long the answering member may still answer unless its lease is confirmed again, in milliseconds; 0: it may not. */
  readonly leaseMs: number;
  /** Nodes that are gone, and that may have the only copies of some keys' newest values: those keys are not served until one of them is back. */
  readonly awaited: readonly string[];
  /** Nodes of the answering node's configuration that are in its view neither as members nor as itself: not started yet, stopped, or lost. */
  readonly absent: readonly string[];
  readonly store: string;
  /** R: how many owners a key has, where there are so many; 0 before the first view. */
  readonly replicas: number;
  readonly members: readonly MemberStatus[];
}

export interface MemberStatus extends MemberFigures {
  readonly id: string;
  readonly url: string;
  readonly zone: string | undefined;
  readonly weight: number;
  /** Share of all keys whose primary it is, 0 to 1. */
  readonly share: number;
  /** `serving`: linked, and its keys are served. `waiting`: linked, a hand-off is under way, or no node owns keys. `unreachable`: no link from the answering member. */
  readonly state: "serving" | "waiting" | "unreachable";
  /** For how long the store has failed each flush of it, in milliseconds; 0 when the last one went well. */
  readonly storeFailingMs: number;
  /** May it be stopped? */
  readonly stop: StopAdvice;
}
