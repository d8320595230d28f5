/** What the flusher is made of, by which measures it goes, and whom it tells what it has done. */

import type { Clock } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import type { OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { Backlog } from "../../core/backlog.ts";
import type { Entry } from "../../core/entry.ts";
import type { Membership } from "../../core/membership.ts";
import type { Version } from "../../core/version.ts";
import type { KeyRecord, WriteBuffer } from "../../core/write-buffer.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { MemberMetrics } from "../metrics.ts";
import type { FlushSettings } from "../settings.ts";

/** From this fullness of the buffer on, nothing waits to coalesce. */
export const hurryFullness = 0.8;

/** What somebody waits for goes before what has been due for no longer than this, in milliseconds. */
const leadMs = 60_000;

/** Once anything is late, what is visible takes turns with all: else new writes would have to wait for what is never reached. */
export function leadOf({ isAwaited, pending }: KeyRecord, isLate: () => boolean): number {
  return isAwaited && (pending.some((write) => write.needsStore) || !isLate()) ? leadMs : 0;
}

/** Conflicts in a row, of one flush, before it pauses as after any failure: somebody else keeps writing the object. */
export const conflictLimit = 4;

/** How soon to look again while there is no lease, in milliseconds. */
export const noLeasePauseMs = 100;

export interface FlushObserver {
  /** The store holds this version of the key, for good; the record may hold a newer one. */
  onStored(key: string, version: Version): void;
  /** The store holds the record's entry, for good. */
  onFlushed(record: KeyRecord): void;
  /** The store holds the record's pending writes up to this version. */
  onWrittenThrough(record: KeyRecord): void;
  /** The store holds this newer state, which no owner holds. */
  onFoundNewer(record: KeyRecord, entry: Entry): void;
  /** The upload of the record's first pending write is gone, or refused and aborted, and can never be completed. */
  onUploadLost(record: KeyRecord, refusal: OperatingError | undefined): void;
}

export interface FlusherParts {
  readonly membership: Membership;
  readonly backlog: Backlog;
  readonly buffer: WriteBuffer;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly complaints: Complaints;
  readonly metrics: MemberMetrics;
  readonly settings: FlushSettings & { readonly maxValueBytes: number };
  /** Whether somebody waits for the store to have the key. */
  readonly isAwaited: (key: string) => boolean;
  /** Whether what waits gets too old. */
  readonly isLate: () => boolean;
  readonly observer: FlushObserver;
}
