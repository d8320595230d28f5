/**
 * What the parts of one member share: the ports, the settings, and the protocol's state. A part names in its
 * constructor what it takes of that; what it needs of other parts it is given beside.
 */

import type { Clock } from "../base/clock.ts";
import { Complaints, complaintIntervalMs } from "../base/complaints.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { Slices } from "../base/slices.ts";
import { Admission } from "../core/admission.ts";
import { LateEffects } from "../core/late-effects.ts";
import { Membership } from "../core/membership.ts";
import { RequestLog } from "../core/request-log.ts";
import type { ViewMember } from "../core/view.ts";
import { WriteBuffer } from "../core/write-buffer.ts";
import type { Journal, Recovered } from "../journal/journal.ts";
import type { Network } from "../network/network.ts";
import type { BlobStore } from "../store/blob-store.ts";
import { type Cache, createCache } from "./keys/cache.ts";
import type { MemberMetrics } from "./metrics.ts";
import type { MemberSettings } from "./settings.ts";

export interface MemberContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Warnings that would otherwise come many times a second. */
  readonly complaints: Complaints;
  readonly metrics: MemberMetrics;
  readonly settings: MemberSettings;
  readonly store: BlobStore;
  readonly network: Network;
  readonly journal: Journal;
  /** The adopted view, and what follows from it for each key. */
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  /** Outcomes of writes, by request id. */
  readonly requests: RequestLog;
  /** What the store may yet do with requests that got no answer, of this member and of those that told it. */
  readonly late: LateEffects;
  /** Values that the store has, too. */
  readonly cache: Cache;
  /** Work over all keys. */
  readonly slices: Slices;
}

/** What a part takes of the context. */
export type ContextOf<Name extends keyof MemberContext> = Pick<MemberContext, Name>;

/** What a member is given of the context; it makes the rest. */
export type GivenContext = Omit<
  MemberContext,
  "buffer" | "cache" | "complaints" | "late" | "membership" | "requests" | "slices"
>;

/** @param recovered - what earlier members on this data folder held */
export function makeContext(given: GivenContext, identity: ViewMember, recovered: Recovered): MemberContext {
  const { clock, random, log, metrics, settings, store, network, journal } = given;
  const { id, incarnation, folder } = identity;
  const membership = new Membership({ id, incarnation, folder }, clock, recovered.adopted, recovered.cluster);
  if (recovered.broughtBack === true) membership.markBroughtBack();
  return {
    clock,
    random,
    log,
    complaints: new Complaints(log, clock, complaintIntervalMs),
    metrics,
    settings,
    store,
    network,
    journal,
    membership,
    buffer: new WriteBuffer(new Admission(settings.admission, clock), journal),
    requests: new RequestLog(),
    late: new LateEffects(settings.lateEffectMs, journal),
    cache: createCache(settings.cacheBytes),
    slices: new Slices(clock, settings.slices),
  };
}
