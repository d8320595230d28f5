/**
 * What members say to each other. A request gets one answer; a notice gets none. At most one field of a message is a
 * large buffer (`value`), which the link carries behind the rest without copying it.
 */

import type { ErrorCode } from "../base/errors.ts";
import type { RefusedKeys } from "./administration.ts";
import type { Entry, RequestId } from "./entry.ts";
import type { LateEffect } from "./late-effects.ts";
import type { ListQuery } from "./listing.ts";
import type { ReadOutcome, WriteOperation, WriteOutcome } from "./operation.ts";
import type { FailingKey, MemberFigures } from "./status.ts";
import type { Version } from "./version.ts";

/** Who a process in the cluster is. */
export interface PeerIdentity {
  /** The host's stable name in the configuration. */
  readonly id: string;
  /** Drawn by each process start: 32 hexadecimal digits. */
  readonly incarnation: string;
}

/** How much a journal has on its disk: bytes of its newest segment. It only grows, also from process to process. */
export interface JournalPosition {
  readonly segment: number;
  readonly offset: number;
}

/** What a process tells of its data folder (V62). */
export interface FolderState {
  readonly name: string;
  /** How far its journal had come when this incarnation began, and how far it has come now. */
  readonly began: JournalPosition;
  readonly journaled: JournalPosition;
}

/** How far a member has come with its view; each step presupposes the ones before. */
export type Progress = "adopting" | "adopted" | "delivered" | "handed_off";

/** Where a member stands, told to every other in each ping and answer. */
export interface MemberState {
  /** The id of the cluster that it is in, or was in on the same data folder; empty if there is none. */
  readonly cluster: string;
  /** The epoch of the view it has adopted; 0 before the first. */
  readonly epoch: number;
  /**
   * The newest epoch that it has seen in the store. It may be that of a view which this member waits to join: the
   * member that swapped it in may have ended before any other heard of it.
   */
  readonly seenEpoch: number;
  /** Whether it knows that view to be settled. */
  readonly settled: boolean;
  /**
   * How far it has come with that view. `adopting`: the adoption is not in its journal yet. `adopted`: it is, so the
   * member neither confirms nor acknowledges older views any more. `delivered`: the primary of each key has
   * acknowledged all that the member held. `handed_off`: every owner has.
   */
  readonly progress: Progress;
  /**
   * Whether no request to the store can be under way for a key that it does not serve under that view: neither one of
   * its own, nor one of a predecessor for which it would still wait itself.
   */
  readonly quiet: boolean;
  /** The ids of the members that do not answer it. */
  readonly suspects: readonly string[];
  readonly folder: FolderState;
  /** The incarnations of processes whose folder knows less of itself than it has told this member (V62). */
  readonly broughtBack: readonly string[];
  /** For how long the store has failed every flush of this member, in milliseconds; 0 when the last one went well. */
  readonly storeFailingMs: number;
  /** Whether the store has taken a flush of this member lately. */
  readonly storeWorks: boolean;
  /** Every request of this router with a lower counter is finished: its id is not sent again. */
  readonly watermark: number;
  /**
   * The watermarks of all routers, as far as it knows, while the view is not settled. It hands over no outcome of a
   * finished request, and the new primary must not do a late copy of one.
   */
  readonly finished: readonly RequestId[];
  readonly figures: MemberFigures;
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

export interface WriteRequest extends WriteOperation {
  readonly kind: "write";
  readonly epoch: number;
  /** The same for every copy of it. */
  readonly requestId: RequestId;
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

/**
 * A primary's, before its next request for a key to the store, or a member's after a view change: these conditions of
 * requests without an answer are to be remembered (F25).
 */
export interface LateRequest {
  readonly kind: "late";
  readonly epoch: number;
  readonly effects: readonly LateEffect[];
}

/** A lost primary may have left a request for the key, of which nobody knows. */
export interface UnknownRequest {
  readonly key: string;
  /** For how much longer it may take effect, in milliseconds. */
  readonly leftMs: number;
}

/** A member's after a view change: of these keys, which the receiver holds, nobody has looked at the object (F26). */
export interface HandOffUnknownRequest {
  readonly kind: "hand_off_unknown";
  readonly epoch: number;
  readonly unknown: readonly UnknownRequest[];
}

/** The primary's: the removal of this version, which it had told of as `any_present`, has got its answer (F27). */
export interface AnsweredRequest {
  readonly kind: "answered";
  readonly epoch: number;
  readonly key: string;
  readonly version: Version;
}

/** The primary's, under a settled view: these versions, and older ones, are in the store; drop them. */
export interface CleanRequest {
  readonly kind: "clean";
  readonly epoch: number;
  readonly items: readonly KeyVersion[];
}

/** A peer's whose configuration no longer names the receiver: leave the cluster, if most members say so. */
export interface LeaveRequest {
  readonly kind: "leave";
  readonly epoch: number;
}

/**
 * An operator's, by way of any member: flush at once all that you serve and the store lacks; how far are you with what
 * it lacked then?
 */
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

/** What does the store refuse of the keys that you serve and that begin with this? */
export interface RefusedKeysRequest {
  readonly kind: "refused_keys";
  readonly epoch: number;
  readonly prefix: string;
  /** Keys in the answer, at most. */
  readonly limit: number;
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
  | LateRequest
  | HandOffUnknownRequest
  | AnsweredRequest
  | CleanRequest
  | LeaveRequest
  | FlushRequest
  | FailingRequest
  | RefusedKeysRequest
  | ViewRequest;

export interface PongAnswer {
  readonly kind: "pong";
  readonly state: MemberState;
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
export interface RefusalsAnswer extends RefusedKeys {
  readonly kind: "refusals";
}

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
  | ReadOutcome
  | WriteOutcome
  | HeldAnswer
  | AckAnswer
  | WantedAnswer
  | FlushingAnswer
  | FailingAnswer
  | RefusalsAnswer
  | AdoptedAnswer
  | RefusedAnswer;

/** One-way: my state has changed (sent at once, so that nobody waits for the next ping). */
export interface StateNotice {
  readonly kind: "state";
  readonly state: MemberState;
}

export type PeerNotice = StateNotice;
