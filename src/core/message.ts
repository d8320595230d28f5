/**
 * What members say to each other. A request gets one answer; a notice gets none. At most one field of a message is a large
 * buffer (`value`), which the link carries behind the rest without copying it.
 */

import type { ErrorCode } from "../base/errors.ts";
import type { Entry, RequestId, Upload, ValueInfo } from "./entry.ts";
import type { ListQuery } from "./listing.ts";
import type { Version } from "./version.ts";

/** Who a process in the cluster is. */
export interface PeerIdentity {
  /** The host's stable name in the configuration. */
  readonly id: string;
  /** Drawn by each process start: 32 hexadecimal digits. */
  readonly incarnation: string;
}

/** What a client requires of the state that its write replaces; entity tags are MD5s without quotes, or `*` for any value. */
export interface Precondition {
  /** If-Match: one of these must be the value's. */
  readonly match?: readonly string[];
  /** If-None-Match: none of these may be the value's. */
  readonly noneMatch?: readonly string[];
  /** If-Unmodified-Since: the value must not have been written in a later second, counted since 1970. */
  readonly unmodifiedSince?: number;
}

/** Who has a write when its client is answered: every owner of the key, or the store. */
export type Durability = "replicated" | "stored";

/** How far a member has come with its view; each step presupposes the ones before. */
export type Progress = "adopting" | "adopted" | "delivered" | "handed_off";

/** Where a member stands, told to every other in each ping and answer. */
export interface MemberState {
  /** The epoch of the view it has adopted; 0 before the first. */
  readonly epoch: number;
  /**
   * The newest epoch that it has seen in the store: that of the view which it waits to join, when that is newer. Whoever swapped that in may have ended before anybody heard of it.
   */
  readonly seenEpoch: number;
  /** Whether it knows that view to be settled. */
  readonly settled: boolean;
  /**
   * How far it has come with that view. `adopting`: the adoption is not in its journal yet. `adopted`: it is, so that older views are neither confirmed nor
   * acknowledged any more. `delivered`: the primary of each key has acknowledged all that it held. `handed_off`: every owner has.
   */
  readonly progress: Progress;
  /**
   * Whether no request to the store can be under way for a key that it does not serve under that view: neither of its own, nor of a
   * predecessor that it would still wait for itself.
   */
  readonly quiet: boolean;
  /** The ids of the members that do not answer it. */
  readonly suspects: readonly string[];
  /** For how long the store has failed every flush of this member, in milliseconds; 0 when the last one went well. */
  readonly storeFailingMs: number;
  /** Whether the store has taken a flush of this member lately. */
  readonly storeWorks: boolean;
  /** Every request of this router with a lower counter is finished: its id is not sent again. */
  readonly watermark: number;
  /** The watermarks of all routers, as far as it knows, while the view is not settled: it hands over no outcome of a finished request, and the new primary must not do a late copy of one. */
  readonly finished: readonly RequestId[];
  readonly figures: MemberFigures;
}

/** For people: `GET /cluster`. */
export interface MemberFigures {
  readonly dirtyBytes: number;
  readonly dirtyKeys: number;
  readonly cacheBytes: number;
  /** Age of the oldest state, of the keys that it serves, that has not reached the store, in milliseconds; 0 when there is none. */
  readonly oldestDirtyMs: number;
  /** Keys whose last attempt to flush failed, and those of them that the store refuses. */
  readonly failingKeys: number;
  readonly refusedKeys: number;
  /** Some of them. */
  readonly failing: readonly FailingKey[];
  /** Whether writers wait because a value is older than `buffer.maxDirtyAgeMs`. */
  readonly slowing: boolean;
  /** Writers wait because its buffer is full. */
  readonly full: boolean;
  /** Whether what it holds is on its disk, too. */
  readonly journaled: boolean;
}

/** A key whose last attempt to flush failed. */
export interface FailingKey {
  readonly key: string;
  /** Of the state that the store lacks; `size` is that of its value, 0 where it is a delete. */
  readonly version: Version;
  readonly size: number;
  readonly isDelete: boolean;
  /** For how long the store has lacked something of the key, in milliseconds. */
  readonly ageMs: number;
  readonly code: ErrorCode;
  readonly reason: string;
}

export interface PingRequest {
  readonly kind: "ping";
  readonly state: MemberState;
}

export interface ReadRequest {
  readonly kind: "read";
  readonly epoch: number;
  readonly key: string;
  /** False for HEAD: the answer has no value. */
  readonly wantValue: boolean;
  /** The tag of a stored value that the router found changed in the store; empty if there was none. */
  readonly changed: string;
  /** Milliseconds that the router will still wait. */
  readonly deadlineMs: number;
}

export interface WriteRequest {
  readonly kind: "write";
  readonly epoch: number;
  readonly key: string;
  readonly requestId: RequestId;
  readonly precondition: Precondition | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined deletes the key, unless there is an upload. */
  readonly value: Buffer | undefined;
  /** In place of a value that is in the store already, in parts. */
  readonly upload?: Upload;
  /** Of the value; empty for a delete and for an upload. */
  readonly md5: string;
  /** Of a write of what the store has: the version that is discarded for it. */
  readonly discards?: Version;
  /** What the answer waits for. */
  readonly durability: Durability;
  /** Milliseconds that the router will still wait. */
  readonly deadlineMs: number;
}

/** A router's, for a page of a listing: of which keys that you serve do you hold a state that the store may lack? */
export interface ListRequest {
  readonly kind: "list";
  readonly epoch: number;
  readonly query: ListQuery;
  /** Milliseconds that the router will still wait. */
  readonly deadlineMs: number;
}

/** The primary's: hold this entry as a replica. */
export interface ReplicateRequest {
  readonly kind: "replicate";
  readonly epoch: number;
  readonly entry: Entry;
}

/** A holder's, after a view change: do you have these versions, or newer ones? */
export interface HandOffListRequest {
  readonly kind: "hand_off_list";
  readonly epoch: number;
  readonly items: readonly KeyVersion[];
}

export interface KeyVersion {
  readonly key: string;
  readonly version: Version;
}

/** A holder's, after a view change: you own this now. */
export interface HandOffRequest {
  readonly kind: "hand_off";
  readonly epoch: number;
  readonly entry: Entry;
}

/** Outcomes of recent requests for keys that the receiver owns now. */
export interface HandOffOutcomesRequest {
  readonly kind: "hand_off_outcomes";
  readonly epoch: number;
  readonly outcomes: readonly RequestOutcome[];
}

export interface RequestOutcome {
  readonly requestId: RequestId;
  readonly key: string;
  readonly version: Version;
}

/** The primary's, under a settled view: these versions, and older ones, are in the store; drop them. */
export interface CleanRequest {
  readonly kind: "clean";
  readonly epoch: number;
  readonly items: readonly KeyVersion[];
}

/** An operator's or a peer's whose configuration no longer names the receiver: leave the cluster. */
export interface LeaveRequest {
  readonly kind: "leave";
  readonly epoch: number;
}

/** An operator's, by way of any member: flush at once all that you serve and the store lacks; how far are you with what it lacked then? */
export interface FlushRequest {
  readonly kind: "flush";
  readonly epoch: number;
  /** The mark of an earlier answer: of this process, in the same epoch. Undefined begins. */
  readonly mark: number | undefined;
}

/** What has failed of this key that you serve? */
export interface FailingRequest {
  readonly kind: "failing";
  readonly epoch: number;
  readonly key: string;
}

/** Which view have you adopted? Asked by a member that the store does not answer. */
export interface ViewRequest {
  readonly kind: "view";
  readonly epoch: number;
}

export type PeerRequest =
  | PingRequest
  | ReadRequest
  | WriteRequest
  | ListRequest
  | ReplicateRequest
  | HandOffListRequest
  | HandOffRequest
  | HandOffOutcomesRequest
  | CleanRequest
  | LeaveRequest
  | FlushRequest
  | FailingRequest
  | ViewRequest;

export interface PongAnswer {
  readonly kind: "pong";
  readonly state: MemberState;
}

export interface ValueAnswer {
  readonly kind: "value";
  readonly info: ValueInfo;
  /** Undefined when it was not wanted. */
  readonly value: Buffer | undefined;
}

/** What a member holds of an entry of a listing. */
export type HeldEntry =
  | {
      readonly kind: "value";
      readonly name: string;
      readonly size: number;
      readonly md5: string;
      readonly modifiedMs: number;
    }
  /** Some key with this common prefix has a value. */
  | { readonly kind: "prefix"; readonly name: string }
  /** The key has no value, or none of those held with this common prefix has. */
  | { readonly kind: "deleted"; readonly name: string };

export interface HeldAnswer {
  readonly kind: "held";
  /** Ascending by name. */
  readonly entries: readonly HeldEntry[];
  /** No entry up to this one is missing; undefined when none is at all. */
  readonly end: string | undefined;
}

/** The value is too large to be sent: the router gets it from the store, under the tag that is its `md5`. */
export interface StoredAnswer {
  readonly kind: "stored";
  readonly info: ValueInfo;
}

export interface MissingAnswer {
  readonly kind: "missing";
}

export interface WrittenAnswer {
  readonly kind: "written";
  readonly version: Version;
  /** The store's tag of what was uploaded; empty for other writes. */
  readonly tag: string;
  /** What is known to hold of it: `replicated`, also where the store was waited for, when it did not have it in time. */
  readonly durability: Durability;
}

export interface PreconditionFailedAnswer {
  readonly kind: "precondition_failed";
}

/** Done, under this epoch. */
export interface AckAnswer {
  readonly kind: "ack";
  readonly epoch: number;
}

/** What the receiver of a list lacks, by index; it has the rest in its journal. */
export interface WantedAnswer {
  readonly kind: "wanted";
  readonly epoch: number;
  readonly wanted: readonly number[];
}

/** What the store still lacks of what it lacked at the mark. */
export interface FlushingAnswer {
  readonly kind: "flushing";
  readonly epoch: number;
  readonly mark: number;
  readonly keys: number;
  /** Bytes of their values. */
  readonly bytes: number;
  /** Those of the keys that the store refuses. */
  readonly refusedKeys: number;
  /** Some of those whose last attempt failed. */
  readonly failing: readonly FailingKey[];
}

/** Undefined: the last attempt to flush the key has not failed, or nothing is to be flushed. */
export interface FailingAnswer {
  readonly kind: "failed";
  readonly failing: FailingKey | undefined;
}

/** The adopted view, in the form of its record in the store. */
export interface AdoptedAnswer {
  readonly kind: "adopted";
  readonly view: Buffer;
}

/** Not done. `wrong_view` and `not_ready` ask for another try; `epoch` is the one that the refuser has adopted. */
export interface RefusedAnswer {
  readonly kind: "refused";
  readonly code: ErrorCode;
  readonly epoch: number;
  readonly detail: string;
}

export type PeerAnswer =
  | PongAnswer
  | ValueAnswer
  | HeldAnswer
  | StoredAnswer
  | MissingAnswer
  | WrittenAnswer
  | PreconditionFailedAnswer
  | AckAnswer
  | WantedAnswer
  | FlushingAnswer
  | FailingAnswer
  | AdoptedAnswer
  | RefusedAnswer;

/** One-way: my state has changed (sent at once, so that nobody waits for the next ping). */
export interface StateNotice {
  readonly kind: "state";
  readonly state: MemberState;
}

export type PeerNotice = StateNotice;
