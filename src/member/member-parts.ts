/** What a member is given, and whom it tells what becomes of it. */

import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { ViewMember } from "../core/view.ts";
import type { Journal, Recovered } from "../journal/journal.ts";
import type { Network, PeerAddress } from "../network/network.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { MemberMetrics } from "./metrics.ts";
import type { MemberSettings } from "./settings.ts";

export interface MemberObserver {
  /** Another process has taken this member's id: this one must end. */
  onReplaced(): void;
  /** The others have gone on without this member, which has ended: see {@link Member.end}. */
  onEvicted(): void;
  /** A peer whose configuration names this member no more asks it to leave. */
  onLeaveAsked(): void;
}

export interface MemberParts {
  /** This process as it will stand in the view. */
  readonly identity: ViewMember;
  /** The members that the configuration names; more may be learned from the view. */
  readonly nodes: readonly PeerAddress[];
  readonly settings: MemberSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly store: BlobStore;
  readonly journal: Journal;
  /** What earlier members on this data folder held; all of it is in the journal, if there is one. */
  readonly recovered: Recovered;
  readonly log: Log;
  /** Where this member counts; those before it have counted there, too. */
  readonly metrics: MemberMetrics;
  readonly observer: MemberObserver;
}
