/**
 * What an operator can make a cluster do through any node: the interface between the protocol and what speaks to
 * operators (HTTP today).
 */

import type { WriteOutcome } from "./operation.ts";
import type { ClusterStatus, FailingKey, Readiness } from "./status.ts";
import type { Version } from "./version.ts";

/** How far a flush is that an operator has asked for. */
export interface FlushProgress {
  /**
   * Keys that still lack in the store something that they lacked when the flush was asked for, and the bytes of their
   * values.
   */
  readonly keys: number;
  readonly bytes: number;
  /** Those of them that the store refuses. */
  readonly refusedKeys: number;
  /** Some of the keys whose last attempt failed, with the reason. */
  readonly failing: readonly FailingKey[];
  /** Members that can't say yet how far they are, and why. */
  readonly waitingFor: readonly string[];
  /** At the end. `stored`: the store lacks nothing of it. `refused`: it lacks only what it refuses. */
  readonly outcome?: "stored" | "refused";
}

/** What an operator can ask of the node itself, also while it is no member of a cluster. */
export interface NodeControl {
  /**
   * What keeps the node from taking part, in words for everybody; undefined while nothing does. A restart does not
   * help.
   */
  trouble(): string | undefined;
  readiness(): Readiness;
  status(): ClusterStatus;
  /** Begins to take this node out of the cluster; may be called again. */
  leave(): void;
}

export interface RefusedKeys {
  /** In the order of the keys. */
  readonly keys: readonly FailingKey[];
  /** Whether there are more of them. */
  readonly more: boolean;
}

export interface Administration {
  /**
   * Makes all members flush at once. Tells how far they are, until the store has everything that was acknowledged
   * before.
   * @throws OperatingError; the signal's reason when it is aborted
   */
  flush(signal: AbortSignal): AsyncGenerator<FlushProgress, void>;
  /**
   * What of the key the store refuses.
   * @throws OperatingError (rejects with one) `not_refused`; what a read may.
   */
  refused(key: string): Promise<FailingKey>;
  /**
   * Keys that begin with the prefix, with what of them the store refuses.
   * @throws OperatingError (rejects with one): what a read may.
   */
  refusedUnder(prefix: string): Promise<RefusedKeys>;
  /**
   * Discards this version of the key, which the store refuses: the key's state is then what the store has.
   * `precondition_failed` when the key has another version.
   * @throws OperatingError (rejects with one) `not_refused`; what a write may.
   */
  discard(key: string, version: Version): Promise<WriteOutcome>;
}
