/** A flusher over a scripted store, as the tests of it share it. */

import { Complaints } from "../../src/base/complaints.ts";
import { Backlog } from "../../src/core/backlog.ts";
import type { Membership } from "../../src/core/membership.ts";
import type { WriteBuffer } from "../../src/core/write-buffer.ts";
import { Flusher } from "../../src/member/flush/flusher.ts";
import type { FlushObserver } from "../../src/member/flush/flusher-parts.ts";
import { MemberMetrics } from "../../src/member/metrics.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import type { ManualClock } from "./manual-clock.ts";
import { RecordedLog } from "./recorded-log.ts";
import { SimRandom } from "./sim-random.ts";

export interface TrialParts {
  readonly clock: ManualClock;
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  /** What is asked of it and is not here is an error of the test. */
  readonly store: Partial<BlobStore>;
  /** Nobody else is told anything. */
  readonly observer?: Partial<FlushObserver>;
  readonly delayMs?: number;
  /** Requests at once. */
  readonly concurrency?: number;
  readonly isLate?: () => boolean;
}

/** Milliseconds from a failure to the next attempt. */
export const backoffMs = 100;

export function trialFlusher(parts: TrialParts): Flusher {
  const { clock, membership, buffer, store, observer, delayMs = 0, concurrency = 1, isLate = () => false } = parts;
  const nothing = (): undefined => undefined;
  return new Flusher({
    membership,
    backlog: new Backlog(),
    buffer,
    store: store as BlobStore,
    clock,
    random: new SimRandom(1),
    complaints: new Complaints(new RecordedLog(), clock, 10_000),
    metrics: new MemberMetrics(),
    settings: {
      delayMs,
      maxValueBytes: 10,
      pace: { initialConcurrency: 1, maxConcurrency: concurrency },
      backoff: { minMs: backoffMs, maxMs: backoffMs },
    },
    isAwaited: () => false,
    isLate,
    observer: {
      onStored: nothing,
      onFlushed: nothing,
      onWrittenThrough: nothing,
      onFoundNewer: nothing,
      onUploadLost: nothing,
      ...observer,
    },
  });
}
