/**
 * What a client can ask of a cluster through any member, and how it is answered: the interface between the protocol and whatever
 * speaks to clients (HTTP today).
 */

import type { ContentHeaders, ValueInfo } from "./entry.ts";
import type { ListQuery } from "./listing.ts";
import type { Durability, MemberFigures, Precondition } from "./message.ts";
import type { StopAdvice } from "./stop-advice.ts";
import type { Version } from "./version.ts";

export interface PutOperation {
  readonly key: string;
  /** The value; its buffer must not be changed afterwards, and should have no memory around it (see `compact`). */
  readonly value: Buffer;
  readonly headers: ContentHeaders;
  readonly precondition?: Precondition;
  /** When the write is answered; `replicated` unless told. */
  readonly durability?: Durability;
  /** Of the value, in hexadecimal digits, where it has been computed already. */
  readonly md5?: string;
}

/** Of a value that may be too large to be in memory. */
export interface PutStreamOperation {
  readonly key: string;
  readonly headers: ContentHeaders;
  readonly precondition?: Precondition;
  /** Bytes in the body; undefined if nobody knows yet. */
  readonly length: number | undefined;
  /**
   * Is read as fast as the store takes it, to its end unless the write fails; rejects where the client's sending does. A chunk is good until the next one is
   * asked for. Its `return` may be called while a chunk is waited for, and should end that.
   */
  readonly body: AsyncIterableIterator<Uint8Array, void>;
}

export interface DeleteOperation {
  readonly key: string;
  readonly precondition?: Precondition;
  readonly durability?: Durability;
}

export type WriteOutcome =
  /** `md5` is the entity tag: that of the value, the store's own of a stream, empty after a delete; `durability` is what was asked for, or more. */
  | { readonly kind: "written"; readonly version: Version; readonly md5: string; readonly durability: Durability }
  | { readonly kind: "precondition_failed" };

export type ReadOutcome =
  /** `value` is undefined when it was not wanted. */
  | { readonly kind: "value"; readonly info: ValueInfo; readonly value: Buffer | undefined }
  /** It is too large to be buffered: {@link Operations.open} streams it from the store. Its `md5` is the store's tag. */
  | { readonly kind: "stored"; readonly info: ValueInfo }
  | { readonly kind: "missing" };

export interface ListedKey {
  readonly key: string;
  /** Bytes in the value. */
  readonly size: number;
  /** The client's ETag without its quotes: the value's MD5, where the store tells it. */
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** A page of a listing, both lists ascending by the bytes of their UTF-8. */
export interface ListOutcome {
  readonly keys: readonly ListedKey[];
  readonly prefixes: readonly string[];
  /** The `after` of the next page; undefined when this is the last. A page may have fewer entries than its limit, even none. */
  readonly next: string | undefined;
}

/**
 * Exactly the bytes asked for: iterating rejects with an OperatingError if they can't be had. To be iterated once at most, and disposed of
 * in any case. A chunk is its reader's, who may free it.
 */
export interface ValueStream extends AsyncIterable<Uint8Array>, AsyncDisposable {}

/**
 * Each method is linearizable per key, and rejects with an OperatingError; after a rejected write the client must take it as possible that it took
 * effect, unless the code is one of `buffer_full`, `overloaded`, `shutting_down`.
 */
export interface Operations {
  put(operation: PutOperation): Promise<WriteOutcome>;
  /** Nothing of it is stored before all of the body is there; answered once the store has it. */
  putStream(operation: PutStreamOperation): Promise<WriteOutcome>;
  delete(operation: DeleteOperation): Promise<WriteOutcome>;
  /**
   * At once if the key's state is in memory, and its primary is here.
   * @param changed The tag of a stored value that {@link open} found changed, so that the answer is another one.
   */
  read(key: string, wantValue: boolean, changed?: string): ReadOutcome | Promise<ReadOutcome>;
  /** Bytes `start` to `end` (exclusive) of the stored value with this tag; undefined if the store has another by now: read again. */
  open(key: string, tag: string, start: number, end: number): Promise<ValueStream | undefined>;
  /** Each key as it was at some moment of the call, though not all at the same. */
  list(query: ListQuery): Promise<ListOutcome>;
  readiness(): Readiness;
  status(): ClusterStatus;
}

/** Whether this member takes part in a view and may serve, and why or why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
  /** Not ready because members change or the lease is to be confirmed anew, so that requests wait: for so many milliseconds since it served. */
  readonly pausedMs?: number;
}

export interface ClusterStatus {
  /** The cluster's name in the configuration. */
  readonly cluster: string;
  /** The member that answers. */
  readonly self: string;
  /** The epoch of the view that it has adopted; 0 before the first. */
  readonly epoch: number;
  readonly settled: boolean;
  /** For how long the answering member may still answer unless its lease is confirmed again, in milliseconds; 0: it may not. */
  readonly leaseMs: number;
  /** Nodes that are gone, and that may have the only copies of some keys' newest values: those keys are not served until one of them is back. */
  readonly awaited: readonly string[];
  /** Nodes of the answering node's configuration that are in its view neither as members nor as itself: not started yet, stopped, or lost. */
  readonly absent: readonly string[];
  readonly store: string;
  /** R: how many owners a key has, where there are so many; 0 before the first view. */
  readonly replicas: number;
  readonly members: readonly MemberStatus[];
}

export interface MemberStatus extends MemberFigures {
  readonly id: string;
  readonly url: string;
  readonly zone: string | undefined;
  readonly weight: number;
  /** Share of all keys whose primary it is, 0 to 1. */
  readonly share: number;
  /** `serving`: linked, and its keys are served. `waiting`: linked, a hand-off is under way, or no node owns keys. `unreachable`: no link from the answering member. */
  readonly state: "serving" | "waiting" | "unreachable";
  /** For how long the store has failed each flush of it, in milliseconds; 0 when the last one went well. */
  readonly storeFailingMs: number;
  /** May it be stopped? */
  readonly stop: StopAdvice;
}
