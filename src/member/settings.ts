/**
 * What a member can be told, apart from its collaborators. Defaults and reasons stand with the configuration's schema.
 */

import type { SliceSettings } from "../base/slices.ts";
import type { AdmissionSettings } from "../core/admission.ts";
import type { BackoffSettings, PaceSettings } from "../core/flush-schedule.ts";

export interface FlushSettings {
  /** Milliseconds between a commit and its flush, so that overwrites coalesce. */
  readonly delayMs: number;
  readonly pace: PaceSettings;
  readonly backoff: BackoffSettings;
}

/** For values over `maxValueBytes`, which are not buffered. */
export interface LargeSettings {
  /** Bytes in a value, at most. */
  readonly maxValueBytes: number;
  /** Uploads for which there is room at a time. */
  readonly uploads: number;
  /** Bytes of a part of an upload, unless the value needs larger ones. */
  readonly partBytes: number;
  /** Bytes of parts in memory at a time. */
  readonly inFlightBytes: number;
  /** An upload that has been left alone for so long, in milliseconds, is aborted. */
  readonly leftoverMs: number;
}

export interface MemberSettings {
  /** The cluster's name, for people. */
  readonly cluster: string;
  /** What the configuration calls the store. Undefined if hosts may call it by different names (V63). */
  readonly storeName?: string | undefined;
  /** R of a cluster that this member founds. */
  readonly replicas: number;
  /** F of a cluster that this member founds, in milliseconds. */
  readonly flushDeadlineMs: number;
  /** L, in milliseconds: after so long a request to the store whose outcome is unknown can take effect no more. */
  readonly lateEffectMs: number;
  /** T of a cluster that this member founds, in milliseconds: how long a confirmed lease lasts. */
  readonly leaseMs: number;
  /** D, in milliseconds: a peer that has not answered pings for this long is suspected and dropped. */
  readonly suspectMs: number;
  readonly admission: AdmissionSettings;
  /** Milliseconds that the store may lack an acknowledged value before writers wait; 0: for as long as it takes. */
  readonly maxDirtyAgeMs: number;
  /** Whether what is held is on a disk of this host, too. */
  readonly journaled: boolean;
  /** Bytes of clean values kept for reads. */
  readonly cacheBytes: number;
  readonly maxValueBytes: number;
  readonly flush: FlushSettings;
  readonly large: LargeSettings;
  /**
   * Milliseconds after which a client's operation is answered 503; longer than a restart of a peer takes to be noticed.
   */
  readonly operationMs: number;
  /** Milliseconds between two pings to a peer. */
  readonly pingMs: number;
  /** How work over all keys is cut up. */
  readonly slices: SliceSettings;
  /** Milliseconds between two looks whether the store has the view that this member goes by. */
  readonly viewCheckMs: number;
  /** Milliseconds that a stopping member waits for its dirty entries to reach the store. */
  readonly stopMs: number;
}
