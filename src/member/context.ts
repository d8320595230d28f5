/**
 * What the parts of one member share: the ports, the settings, and the protocol's state. A part names in its
 * constructor what it takes of that; what it needs of other parts it is given beside.
 */

import type { Clock } from "../base/clock.ts";
import type { Complaints } from "../base/complaints.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Membership } from "../core/membership.ts";
import type { RequestLog } from "../core/request-log.ts";
import type { WriteBuffer } from "../core/write-buffer.ts";
import type { Journal } from "../journal/journal.ts";
import type { Network } from "../network/network.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { Cache } from "./keys/cache.ts";
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
  /** Values that the store has, too. */
  readonly cache: Cache;
}

/** What a part takes of the context. */
export type ContextOf<Name extends keyof MemberContext> = Pick<MemberContext, Name>;
