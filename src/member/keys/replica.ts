/**
 * What a member takes from others into its write buffer: entries that a primary replicates to it, and entries that a
 * holder hands off to it after a view change. Each is judged by the view adopted at that moment, and the higher version
 * is kept. It is acknowledged once the journal has it (W8), if the view is still the same then (W7): under a newer view
 * the key may have another primary, which does not wait for this entry.
 */

import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { compact } from "../../base/memory.ts";
import { isDiscarded } from "../../core/discarded.ts";
import { type Entry, footprint } from "../../core/entry.ts";
import type {
  AckAnswer,
  AnsweredRequest,
  CleanRequest,
  HandOffListRequest,
  HandOffOutcomesRequest,
  HandOffRequest,
  HandOffUnknownRequest,
  LateRequest,
  PeerIdentity,
  ReplicateRequest,
  RequestOutcome,
  WantedAnswer,
} from "../../core/message.ts";
import { compareVersions, isNewer, type Version, versionOf } from "../../core/version.ts";
import type { ContextOf } from "../context.ts";
import { wrongView } from "./not-ready.ts";

type ReplicaContext = ContextOf<"membership" | "buffer" | "requests" | "journal" | "clock" | "late">;

/** At once, where nothing has to wait for the journal. */
type Answer<T> = T | Promise<T>;

export class Replica {
  readonly #context: ReplicaContext;

  constructor(context: ReplicaContext) {
    this.#context = context;
  }

  /**
   * @throws OperatingError (or rejects with one) `wrong_view`, `not_ready` until the view is adopted, or `buffer_full`
   * past the reserve that primaries do not have.
   */
  replicate(from: PeerIdentity, { epoch, entry }: ReplicateRequest): Answer<AckAnswer> {
    const { membership, buffer } = this.#context;
    this.#requireEpoch(epoch);
    const owners = membership.ownersOf(entry.key);
    if (owners[0] !== from.id || !owners.includes(membership.self.id)) throw wrongView();
    const isNews = isNewer(entry, buffer.get(entry.key)?.newest);
    if (isNews && !buffer.admission.tryTakeForReplica(footprint(entry))) {
      if (!isDiscarded(entry)) throw new OperatingError("buffer_full", "the replica's write buffer is full");
      // It makes room.
      buffer.admission.take(footprint(entry));
    }
    this.#take(entry, isNews);
    return this.#acknowledge(epoch);
  }

  /**
   * Which of these versions this member does not have.
   * @throws as {@link handOff}
   */
  handOffList(from: PeerIdentity, { epoch, items }: HandOffListRequest): Answer<WantedAnswer> {
    const { buffer } = this.#context;
    this.#requireEpoch(epoch);
    const wanted: number[] = [];
    for (const [index, { key, version }] of items.entries()) {
      this.#requireHandOff(from, key);
      if (isNewer(version, buffer.get(key)?.newest)) wanted.push(index);
    }
    return this.#whenDurable(epoch, { kind: "wanted", epoch, wanted });
  }

  /**
   * @throws OperatingError (or rejects with one) `wrong_view`, also once the view is settled: then nothing is left to
   *   hand
   *   off (V41).
   */
  handOff(from: PeerIdentity, { epoch, entry }: HandOffRequest): Answer<AckAnswer> {
    const { buffer, membership } = this.#context;
    this.#requireEpoch(epoch);
    this.#requireHandOff(from, entry.key);
    const newest = buffer.get(entry.key)?.newest;
    const isNews = isNewer(entry, newest);
    // It may hold nothing any more of what the store has, and others may still hand that over.
    assert(
      !isNews || newest === undefined || !membership.serves(entry.key, membership.ownersOf(entry.key)),
      "who serves a key has been handed everything of it",
    );
    // However full the buffer is: nobody else may hold it for much longer (W25).
    if (isNews) buffer.admission.take(footprint(entry));
    this.#take(entry, isNews);
    return this.#acknowledge(epoch);
  }

  /** @throws as {@link handOff} */
  handOffOutcomes({ epoch, outcomes }: HandOffOutcomesRequest): Answer<AckAnswer> {
    const { membership, requests, journal } = this.#context;
    this.#requireEpoch(epoch);
    if (membership.settled) throw wrongView();
    journal.append({ kind: "outcomes", outcomes });
    for (const { requestId, key, version } of outcomes) requests.record(requestId, key, version);
    return this.#acknowledge(epoch);
  }

  /**
   * Remembers what the store may yet do with requests of others (F25).
   * @throws OperatingError (or rejects with one) `wrong_view`.
   */
  late({ epoch, effects }: LateRequest): Answer<AckAnswer> {
    const { late, clock } = this.#context;
    this.#requireEpoch(epoch);
    for (const effect of effects) if (!this.#serves(effect.key)) late.learn(effect, clock.now());
    return this.#acknowledge(epoch);
  }

  /**
   * Of these keys nobody has looked at the object since a primary was lost (F26). The next primary does.
   * @throws OperatingError `wrong_view`.
   */
  handOffUnknown({ epoch, unknown }: HandOffUnknownRequest): AckAnswer {
    const { buffer, late, clock } = this.#context;
    this.#requireEpoch(epoch);
    for (const { key, leftMs } of unknown) {
      const record = buffer.get(key);
      // A primary that has kept the key has looked, unless its own record says so already.
      if (record?.store.kind === "unknown" || record?.store.kind === "unseen") {
        record.mayHaveUnknown(late.untilTold(leftMs, clock.now()));
      }
    }
    return { kind: "ack", epoch };
  }

  /**
   * Whether only this member has sent requests for the key since its tenure began. It knows them all. What others were
   * told of them counts for longer each time, and would never end.
   */
  #serves(key: string): boolean {
    const { membership } = this.#context;
    return membership.serves(key, membership.ownersOf(key));
  }

  /**
   * Forgets a removal that has got its answer (F27).
   * @throws OperatingError `wrong_view`.
   */
  answered(from: PeerIdentity, { epoch, key, version }: AnsweredRequest): AckAnswer {
    const { membership, late } = this.#context;
    this.#requireEpoch(epoch);
    if (membership.ownersOf(key)[0] !== from.id) throw wrongView();
    late.answered(key, version);
    return { kind: "ack", epoch };
  }

  /**
   * The store has these versions: they, and older ones, are held no longer. Only of keys that this member does not
   * serve.
   * @throws OperatingError `wrong_view`, also before the view is settled.
   */
  clean(from: PeerIdentity, { epoch, items }: CleanRequest): AckAnswer {
    const { membership, buffer } = this.#context;
    this.#requireEpoch(epoch);
    if (!membership.settled) throw wrongView();
    for (const { key, version } of items) {
      const record = buffer.get(key);
      if (!record?.entry || membership.ownersOf(key)[0] !== from.id) continue;
      // Never a newer one (F15).
      if (compareVersions(record.entry, version) <= 0) buffer.remove(record);
    }
    return { kind: "ack", epoch: membership.epoch };
  }

  /** Holds the entry if it is newer than what is held; remembers its request in any case. */
  #take(entry: Entry, isNews: boolean): void {
    const { buffer, requests, journal, clock } = this.#context;
    const { key, requestId } = entry;
    const version = versionOf(entry);
    if (isNews) {
      const now = clock.now();
      buffer.hold(buffer.open(key, now), own(entry), now);
    } else if (!knows(requests.find(requestId), version)) {
      journal.append({ kind: "outcomes", outcomes: [{ requestId, key, version }] });
    }
    requests.record(requestId, key, version);
  }

  #acknowledge(epoch: number): Answer<AckAnswer> {
    return this.#whenDurable(epoch, { kind: "ack", epoch });
  }

  /** The answer, once all that it acknowledges is in the journal, if the view is still the same then. */
  #whenDurable<T>(epoch: number, answer: T): Answer<T> {
    const durable = this.#context.journal.durable();
    if (!durable) return answer;
    return durable.then(() => {
      this.#requireEpoch(epoch);
      return answer;
    });
  }

  /** Until what is held has been gone through, something of this view would be taken for older (V64). */
  #requireEpoch(epoch: number): void {
    const { membership } = this.#context;
    if (epoch !== membership.epoch) throw wrongView();
    if (!membership.isSwept) throw new OperatingError("not_ready", "this node is still adopting the view");
  }

  /** What is held goes to the key's primary, and from there to its other owners, until the view is settled. */
  #requireHandOff(from: PeerIdentity, key: string): void {
    const { membership } = this.#context;
    const owners = membership.ownersOf(key);
    const isForMe = owners[0] === membership.self.id || (owners[0] === from.id && owners.includes(membership.self.id));
    if (membership.settled || !isForMe) throw wrongView();
  }
}

/** Whether the outcome is of this version, or of a later one. */
function knows(outcome: RequestOutcome | undefined, version: Version): boolean {
  return outcome !== undefined && compareVersions(outcome.version, version) >= 0;
}

/** The entry with memory of its own: what arrives over a link shares it with its neighbours. */
function own(entry: Entry): Entry {
  const { value, upload } = entry;
  if (upload) return { ...entry, upload: { ...upload, manifest: compact(upload.manifest) } };
  return value === undefined ? entry : { ...entry, value: compact(value) };
}
