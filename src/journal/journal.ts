/**
 * The port to a member's journal: the write-ahead log in its data folder. What a member holds for others must be here before it says that it has it, so
 * that the crash or power loss of every node at once loses nothing. A journal outlives the processes that write it: what a process found there at its start
 * is {@link Journal.recovered}.
 *
 * Records become durable in the order in which they were appended: when one is, so are all before it. A journal that cannot write or sync is finished, for
 * good: nothing that it had not confirmed is ever confirmed, and its owner is told, once, so that the process ends. What the disk holds is judged at the
 * next start.
 */

import type { Entry, RequestId } from "../core/entry.ts";
import type { RequestOutcome } from "../core/message.ts";
import type { Version } from "../core/version.ts";

export type JournalRecord =
  /** This entry is held, in place of any older one of its key; its request has this outcome. */
  | { readonly kind: "entry"; readonly entry: Entry }
  /** This version of the key, and any older one, is not held any more. */
  | { readonly kind: "clean"; readonly key: string; readonly version: Version }
  | AdoptRecord
  /** These requests have been done, whether or not their entries are still held. */
  | { readonly kind: "outcomes"; readonly outcomes: readonly RequestOutcome[] }
  /** The outcomes of these requests count no more. */
  | { readonly kind: "forget"; readonly requests: readonly RequestId[] };

/** The member has adopted the view of `epoch`. */
export interface AdoptRecord {
  readonly kind: "adopt";
  readonly epoch: number;
  /** The epochs that this data folder has adopted, ascending, of those that still matter (`epoch` included). */
  readonly adopted: readonly number[];
  /** The cluster's id, see `ViewParameters.clusterId`; a journal of an earlier release does not say. */
  readonly cluster?: string | undefined;
}

/** What a journal held at its start: the newest entry of each key that was held, and the rest as it was last said. */
export interface Recovered {
  readonly entries: readonly Entry[];
  readonly outcomes: readonly RequestOutcome[];
  /** The epochs of the last {@link AdoptRecord}; empty if there was none. */
  readonly adopted: readonly number[];
  /** The cluster that these are of, if that was said. */
  readonly cluster?: string | undefined;
}

export const nothingRecovered: Recovered = Object.freeze({ entries: [], outcomes: [], adopted: [] });

/**
 * What the journal asks of its owner, to keep the disk bounded: each segment begins with what must outlive the ones before. It may ask at any time after the first
 * append, between two steps of its owner, never within one; an answer must count everything that was appended, and everything that was recovered and is still
 * held. What it does not name may be gone at the next start.
 */
export interface JournalSource {
  /** The last adoption, if there was one. */
  adoption(): AdoptRecord | undefined;
  /** Every outcome that is still remembered; none whose entry is yet to be appended in a later turn of the event loop. */
  outcomes(): Iterable<RequestOutcome>;
  /**
   * The newest entry held of a key, pending or not: written forward before its segment is deleted. Undefined when none is held, whether or not that was appended
   * as `clean`. Never an older one than was appended.
   */
  newest(key: string): Entry | undefined;
}

export interface Journal extends AsyncDisposable {
  /** Drawn when the data folder was made, and kept in it; without a data folder, drawn by each process. 32 hexadecimal digits. */
  readonly folder: string;

  /** What was found at the start, until the first append: by then its owner holds it. */
  readonly recovered: Recovered;

  /** Whom to ask from now on; must be called before the first append, and may be called again, each time with the one that holds all that is held. */
  attach(source: JournalSource): void;

  /**
   * Takes a record; its buffers must not be changed afterwards. Never blocks, never throws: a failure is reported to the owner. A `clean` of what the journal does
   * not hold, or holds in a newer version, is passed over.
   */
  append(record: JournalRecord): void;

  /**
   * Resolves when everything appended so far is durable; undefined when it is already. Never rejects: if it cannot become durable, it never resolves. Calls
   * between the same two groups give the same promise.
   */
  durable(): Promise<void> | undefined;

  /** For how long the oldest record that is not durable has been waiting, in milliseconds; 0 when there is none. */
  readonly lagMs: number;
}
