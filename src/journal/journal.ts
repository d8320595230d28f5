/**
 * The port to a member's journal: the write-ahead log in its data folder. What a member holds for others must be here
 * before the member says that it has it. So nothing is lost when all nodes crash or lose power at once.
 *
 * A journal outlives the processes that write it. What a process finds there at its start is {@link Journal.recovered}.
 *
 * Records become durable in the order in which they were appended: when one is durable, so are all before it.
 *
 * A journal that cannot write or sync is finished for good. It never confirms what it had not confirmed before. It
 * tells its owner once, so that the member ends. The next journal judges what the disk holds (J1, J2, J8).
 */

import type { Items } from "../base/parted-list.ts";
import type { Entry, RequestId } from "../core/entry.ts";
import type { LateRecord } from "../core/late-effects.ts";
import type { JournalPosition, RequestOutcome } from "../core/message.ts";
import type { Version } from "../core/version.ts";

export type JournalRecord =
  /** This entry is held, in place of any older one of its key. Its request has this outcome. */
  | { readonly kind: "entry"; readonly entry: Entry }
  /** This version of the key, and any older one, is not held any more. */
  | { readonly kind: "clean"; readonly key: string; readonly version: Version }
  | AdoptRecord
  /** These requests have been done, whether or not their entries are still held. */
  | { readonly kind: "outcomes"; readonly outcomes: readonly RequestOutcome[] }
  /** The outcomes of these requests do not count any more. */
  | { readonly kind: "forget"; readonly requests: readonly RequestId[] }
  | LateRecord;

/** The member has adopted the view of `epoch` (V32). */
export interface AdoptRecord {
  readonly kind: "adopt";
  readonly epoch: number;
  /** The epochs that this data folder has adopted and that still matter, ascending (`epoch` included). */
  readonly adopted: readonly number[];
  /** The cluster's id, see `ViewParameters.clusterId`. A journal of an earlier release does not say it. */
  readonly cluster?: string | undefined;
}

/**
 * What a journal held at its start: the newest entry of each key that was held, and the latest word on everything else.
 */
export interface Recovered {
  readonly entries: Items<Entry>;
  readonly outcomes: Items<RequestOutcome>;
  /** Conditions of requests to the store that got no answer, by key. */
  readonly late: Items<Omit<LateRecord, "kind">>;
  /** The epochs of the last {@link AdoptRecord}; empty if there was none. */
  readonly adopted: readonly number[];
  /** The cluster of these epochs, if the record says it. */
  readonly cluster?: string | undefined;
  /** A peer has told the member that held this: the folder is an earlier state of itself (V62). No journal says it. */
  readonly broughtBack?: boolean;
}

export const nothingRecovered: Recovered = Object.freeze({ entries: [], outcomes: [], late: [], adopted: [] });

/**
 * What the journal asks of its owner, to keep the disk bounded: each segment begins with what must outlive the ones
 * before.
 *
 * The journal may ask at any time after the first append: between two steps of its owner, never within one. An answer
 * must count everything that was appended, and everything that was recovered and is still held. What an answer does not
 * name may be gone at the next start.
 *
 * There may be very many outcomes and conditions: the journal takes some in each turn of the event loop. Each must be
 * told as it is at that moment, and none that is forgotten by then.
 */
export interface JournalSource {
  /** The last adoption, if there was one. */
  adoption(): AdoptRecord | undefined;
  /**
   * Every outcome that is still remembered. It must not name one whose entry is yet to be appended in a later turn of
   * the event loop.
   */
  outcomes(): Iterable<RequestOutcome>;
  /** Every condition that is still remembered. */
  late(): Iterable<LateRecord>;
  /**
   * The newest entry held of a key, pending or not. It is written forward before its segment is deleted. Undefined when
   * none is held, whether or not that was appended as `clean`. Never an older entry than the one appended.
   */
  newest(key: string): Entry | undefined;
}

/** Where a host's journals come from: the next one when the last one has failed and was disposed of. */
export interface Journals {
  /**
   * Tries the disk out, and opens the journal (J11).
   *
   * @param failures - how many journals of this host have failed lately: the more, the more is asked of the disk
   * @param onFailed - called once, when the journal will confirm nothing more
   * @throws OperatingError `disk_failed` when the disk does not work: it may later. `config_invalid` when an operator
   *   has to change something. Both messages say what to do.
   */
  open(failures: number, onFailed: (error: Error) => void): Promise<Journal>;
}

export interface Journal extends AsyncDisposable {
  /**
   * 32 hexadecimal digits that name the data folder. They are drawn when the folder is made, and kept in it. Without a
   * data folder, each process draws its own.
   */
  readonly folder: string;

  /** How far what is durable goes, at the start and from then on. */
  readonly position: JournalPosition;

  /** What was found at the start. It is there until the first append: by then its owner holds it. */
  readonly recovered: Recovered;

  /**
   * Names the source to ask from now on. Call it before the first append. It may be called again, each time with the
   * source that holds all that is held.
   */
  attach(source: JournalSource): void;

  /**
   * Takes a record. Its buffers must not be changed afterwards. It never blocks and never throws: a failure is reported
   * to the owner. A `clean` is passed over if the journal does not hold the entry, or holds it in a newer version.
   */
  append(record: JournalRecord): void;

  /**
   * Resolves when everything appended so far is durable; undefined when it already is. Never rejects: if it cannot
   * become durable, it never resolves. Calls between the same two groups give the same promise.
   */
  durable(): Promise<void> | undefined;

  /** For how long the oldest record that is not yet durable has been waiting, in milliseconds; 0 when there is none. */
  readonly lagMs: number;
}
