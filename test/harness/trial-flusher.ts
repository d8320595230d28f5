/** A flusher over a scripted store, as the tests of it share it. */

import { Complaints } from "../../src/base/complaints.ts";
import { Slices } from "../../src/base/slices.ts";
import { Backlog } from "../../src/core/backlog.ts";
import { type LateEffect, LateEffects } from "../../src/core/late-effects.ts";
import type { Membership } from "../../src/core/membership.ts";
import { StoreHealth } from "../../src/core/store-health.ts";
import type { Version } from "../../src/core/version.ts";
import type { WriteBuffer } from "../../src/core/write-buffer.ts";
import type { Cleaner } from "../../src/member/flush/cleaner.ts";
import { FlushQueue } from "../../src/member/flush/flush-queue.ts";
import { Flusher } from "../../src/member/flush/flusher.ts";
import type { Assigner } from "../../src/member/keys/assigner.ts";
import type { Committer } from "../../src/member/keys/committer.ts";
import type { StoredWaits } from "../../src/member/keys/durable-writes.ts";
import { MemberMetrics } from "../../src/member/metrics.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import { settingsOf, wholeSlices } from "./key-fixtures.ts";
import type { ManualClock } from "./manual-clock.ts";
import { RecordedLog } from "./recorded-log.ts";
import { SimRandom } from "./sim-random.ts";

/** What the flusher tells the parts that it works for. */
export type FlushObserver = Pick<Cleaner, "flushed"> &
  Pick<Committer, "commitReady" | "loseUpload"> &
  Pick<Assigner, "takeOver"> &
  Pick<StoredWaits, "stored"> & {
    /** What the other owners are told that the store may yet do. */
    told(effects: readonly LateEffect[]): void;
    /** The removal of this version, of which they were told, has got its answer. */
    answered(version: Version): void;
  };

export interface TrialParts {
  readonly clock: ManualClock;
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  /** What is asked of it and is not here is an error of the test. */
  readonly store: Partial<BlobStore>;
  /** Nobody else is told anything. */
  readonly observer?: Partial<FlushObserver>;
  readonly delayMs?: number;
  /** L: by default no effect comes later than F. */
  readonly lateEffectMs?: number;
  /** Whether the store heeds conditions on removals; it does by default. */
  readonly removesAreConditional?: boolean;
  /** Whether it heeds them on completions; it does by default. */
  readonly heedsOnCompletions?: boolean;
  /** Requests at once. */
  readonly concurrency?: number;
  readonly isLate?: () => boolean;
}

/** Milliseconds from a failure to the next attempt. */
export const backoffMs = 100;

export function trialFlusher(parts: TrialParts): Flusher {
  const { clock, membership, buffer, store, delayMs = 0, concurrency = 1, isLate = () => false } = parts;
  const nothing = (): undefined => undefined;
  const observer: FlushObserver = {
    flushed: nothing,
    commitReady: nothing,
    loseUpload: nothing,
    takeOver: nothing,
    stored: nothing,
    told: nothing,
    answered: nothing,
    ...parts.observer,
  };
  const late = new LateEffects(parts.lateEffectMs ?? 0, { append: nothing });
  const context = {
    late,
    membership,
    buffer,
    store: store as BlobStore,
    clock,
    random: new SimRandom(1),
    complaints: new Complaints(new RecordedLog(), clock, 10_000),
    metrics: new MemberMetrics(),
    slices: new Slices(clock, wholeSlices),
    settings: settingsOf({
      maxValueBytes: 10,
      flush: {
        delayMs,
        pace: { initialConcurrency: 1, maxConcurrency: concurrency },
        backoff: { minMs: backoffMs, maxMs: backoffMs },
      },
    }),
  };
  const queue = new FlushQueue(context, {
    backlog: new Backlog(),
    ageLimit: { isLate, check: nothing },
    cleaner: observer,
    waits: { isAwaited: () => false },
  });
  return new Flusher(context, {
    queue,
    notices: {
      tell: async (key) => {
        const effects = late.untold(key, clock.now());
        if (effects.length > 0) observer.told(effects);
        late.told(effects, clock.now());
      },
      answered: async (key, version) => {
        observer.answered(version);
        late.answered(key, version);
      },
    },
    heeds: { onRemovals: parts.removesAreConditional ?? true, onCompletions: parts.heedsOnCompletions ?? true },
    inheritance: { looked: nothing },
    health: new StoreHealth(),
    committer: observer,
    assigner: observer,
    waits: observer,
  });
}
