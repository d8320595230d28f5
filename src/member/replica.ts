/**
 * What a member takes from others into its write buffer: entries that a primary replicates to it, and entries that a holder hands off to
 * it after a view change. Each is judged by the view adopted at that moment, and the higher version is kept.
 */

import type { Clock } from "../base/clock.ts";
import { OperatingError } from "../base/errors.ts";
import { type Entry, footprint } from "../core/entry.ts";
import type { Membership } from "../core/membership.ts";
import type {
  AckAnswer,
  CleanRequest,
  HandOffOutcomesRequest,
  HandOffRequest,
  PeerIdentity,
  ReplicateRequest,
} from "../core/message.ts";
import { compact } from "../core/operation.ts";
import type { RequestLog } from "../core/request-log.ts";
import { compareVersions } from "../core/version.ts";
import { isNewer, type WriteBuffer } from "../core/write-buffer.ts";

export interface ReplicaParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly requests: RequestLog;
  readonly clock: Clock;
}

export class Replica {
  readonly #parts: ReplicaParts;

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
  }

  /** @throws OperatingError `wrong_view`, or `buffer_full` past the reserve that primaries do not have. */
  replicate(from: PeerIdentity, { epoch, entry }: ReplicateRequest): AckAnswer {
    const { membership, buffer, requests, clock } = this.#parts;
    this.#requireEpoch(epoch);
    const owners = membership.ownersOf(entry.key);
    if (owners[0] !== from.id || !owners.includes(membership.self.id)) throw wrongView();
    const held = buffer.get(entry.key);
    if (isNewer(entry, held?.entry)) {
      if (!buffer.room.tryTakeForReplica(footprint(entry))) {
        throw new OperatingError("buffer_full", "the replica's write buffer is full");
      }
      buffer.hold(held ?? buffer.open(entry.key, clock.now()), own(entry));
    }
    requests.record(entry.requestId, entry.key, { epoch: entry.epoch, seq: entry.seq });
    return { kind: "ack", epoch: membership.epoch };
  }

  /** @throws OperatingError `wrong_view`, also once the view is settled: then nothing is left to hand off. */
  handOff({ epoch, entry }: HandOffRequest): AckAnswer {
    const { membership, buffer, requests, clock } = this.#parts;
    this.#requireEpoch(epoch);
    const owners = membership.ownersOf(entry.key);
    if (membership.settled || !owners.includes(membership.self.id)) throw wrongView();
    const held = buffer.get(entry.key);
    if (isNewer(entry, held?.newest)) {
      // However full the buffer is: nobody else may hold it for much longer.
      buffer.room.take(footprint(entry));
      buffer.hold(held ?? buffer.open(entry.key, clock.now()), own(entry));
    }
    requests.record(entry.requestId, entry.key, { epoch: entry.epoch, seq: entry.seq });
    return { kind: "ack", epoch: membership.epoch };
  }

  handOffOutcomes({ epoch, outcomes }: HandOffOutcomesRequest): AckAnswer {
    const { membership, requests } = this.#parts;
    this.#requireEpoch(epoch);
    for (const { requestId, key, version } of outcomes) requests.record(requestId, key, version);
    return { kind: "ack", epoch: membership.epoch };
  }

  /** The store has these versions: they, and older ones, are held no longer. Only of keys that this member does not serve. */
  clean(from: PeerIdentity, { epoch, items }: CleanRequest): AckAnswer {
    const { membership, buffer } = this.#parts;
    this.#requireEpoch(epoch);
    if (!membership.settled) throw wrongView();
    for (const { key, version } of items) {
      const record = buffer.get(key);
      if (!record?.entry || membership.ownersOf(key)[0] !== from.id) continue;
      if (compareVersions(record.entry, version) <= 0) buffer.drop(record);
    }
    return { kind: "ack", epoch: membership.epoch };
  }

  #requireEpoch(epoch: number): void {
    if (epoch !== this.#parts.membership.epoch) throw wrongView();
  }
}

function wrongView(): OperatingError {
  return new OperatingError("wrong_view", "the members have changed");
}

/** The entry with memory of its own: what arrives over a link shares it with its neighbours. */
function own(entry: Entry): Entry {
  return entry.value === undefined ? entry : { ...entry, value: compact(entry.value) };
}
