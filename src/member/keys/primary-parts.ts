/** What the primary is given, and whom it tells of what happens: apart from it, since that is what the wiring knows. */

import type { Clock } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import type { Membership } from "../../core/membership.ts";
import type { RequestLog } from "../../core/request-log.ts";
import type { Version } from "../../core/version.ts";
import type { KeyRecord, WriteBuffer } from "../../core/write-buffer.ts";
import type { Journal } from "../../journal/journal.ts";
import type { Network } from "../../network/network.ts";
import type { MemberMetrics } from "../metrics.ts";
import type { Cache } from "./cache.ts";
import type { ReadPath } from "./read-path.ts";

/** What happens outside of the write path when something happens in it. */
export interface PrimaryObserver {
  /** The key has a newer visible state. */
  onCommit(record: KeyRecord): void;
  /** The key's newest write waits for the store. */
  onWriteThrough(record: KeyRecord): void;
  /** Somebody waits until the store has the key's visible state. */
  onAwaited(record: KeyRecord): void;
  /** A peer has adopted this newer epoch. */
  onNewerEpoch(epoch: number): void;
  /** The peer has a link and does not take writes in time. */
  onStuck(peer: string): void;
  /** The record's state, taken over with the key, becomes visible later. */
  onInherited(record: KeyRecord): void;
  /** The store has told what it has of all that an operator gave up. */
  onAsked(): void;
}

export interface PrimaryParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly requests: RequestLog;
  readonly cache: Cache;
  readonly reads: ReadPath;
  readonly network: Network;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly complaints: Complaints;
  readonly metrics: MemberMetrics;
  /** Whether this version of a key that is served here may be discarded: see `admin/discard.ts`. */
  readonly mayDiscard: (key: string, version: Version) => boolean;
  /** How long a replica may take for a write before it counts as silent, in milliseconds. */
  readonly replicateMs: number;
  /** A key whose oldest pending write is older than this takes no further ones: a replica is away, and they would only fill the buffer. */
  readonly stuckMs: number;
  readonly observer: PrimaryObserver;
}
