/**
 * What a client can ask of a cluster through any member, and how it is answered: the interface between the protocol and
 * what speaks to clients (HTTP today). A write has one shape and one outcome on its whole way, from the route to the
 * key's primary: between members it travels as a `WriteRequest`, which is the operation with an epoch, a name and a
 * deadline.
 */

import type { ContentHeaders, Upload, ValueInfo } from "./entry.ts";
import type { ListQuery } from "./listing.ts";
import type { Precondition } from "./precondition.ts";
import type { Version } from "./version.ts";

/** Who has a write when its client is answered: every owner of the key, or the store. */
export type Durability = "replicated" | "stored";

/** The key's state is to be this value, or none. */
export interface WriteOperation {
  readonly key: string;
  /**
   * The value; undefined deletes the key, unless there is an upload. Its buffer must not be changed afterwards, and
   * should have no memory around it (see `compact`).
   */
  readonly value: Buffer | undefined;
  /** In place of a value that is in the store already, in parts. */
  readonly upload?: Upload;
  readonly headers: ContentHeaders;
  readonly precondition: Precondition | undefined;
  /** Of the value, in hexadecimal digits; empty for a delete and for an upload. */
  readonly md5: string;
  /** Of a write of what the store has: the version that is discarded for it. */
  readonly discards?: Version;
  /** What the answer waits for. */
  readonly durability: Durability;
  /** In whose share it counts: a token, or an address. Undefined if it is nobody's. */
  readonly holder?: string | undefined;
}

/** A write of a value that may be too large to be in memory; its answer waits for the store. */
export interface StreamOperation extends Pick<WriteOperation, "key" | "headers" | "precondition"> {
  /** Bytes in the body; undefined if that is not known yet. */
  readonly length: number | undefined;
  /**
   * Is read as fast as the store takes it, to its end unless the write fails. It rejects when the client's sending
   * does. A chunk is good until the next one is asked for. Its `return` may be called while a chunk is waited for, and
   * should end that wait.
   */
  readonly body: AsyncIterableIterator<Uint8Array, void>;
}

/**
 * Names an upload whose parts come one by one, in any order and through any member. It is in the store until it is
 * completed or aborted.
 */
export interface PartedUpload {
  /** The store's name of it, opaque. */
  readonly id: string;
  /** See `upload-token.ts`. */
  readonly token: string;
}

/** A part on its way to the store. */
export interface PartBody {
  /** From 1 to 10,000. */
  readonly number: number;
  /** Bytes in the body. */
  readonly length: number;
  /** A chunk is good until the next one is asked for. */
  readonly body: AsyncIterableIterator<Uint8Array, void>;
}

/** A part that the store has. */
export interface UploadedPart {
  readonly number: number;
  /** The store's name of these bytes of the part. */
  readonly tag: string;
  /** Bytes in the part. */
  readonly size: number;
}

/** The key's state is to be what these parts make. */
export interface CompleteOperation extends Pick<WriteOperation, "key" | "headers" | "precondition" | "holder"> {
  readonly upload: PartedUpload;
  /** At least one, ascending by number; gaps are allowed. The same upload is always completed with the same parts. */
  readonly parts: readonly UploadedPart[];
}

export interface Written {
  readonly kind: "written";
  readonly version: Version;
  /**
   * The entity tag: the value's MD5, the store's own tag of an upload, empty after a delete. The primary leaves that of
   * a value empty: the router knows its MD5.
   */
  readonly tag: string;
  /** What is known to hold of it: what was asked for, or more; from the primary also less, if the store was late. */
  readonly durability: Durability;
}

export interface PreconditionFailed {
  readonly kind: "precondition_failed";
}

export type WriteOutcome = Written | PreconditionFailed;

export type ReadOutcome =
  /** `value` is undefined when it was not wanted. */
  | { readonly kind: "value"; readonly info: ValueInfo; readonly value: Buffer | undefined }
  /**
   * It is too large to be buffered: {@link Operations.open} streams it from the store. Its `md5` is the store's tag.
   */
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
  /**
   * The `after` of the next page; undefined when this is the last. A page may have fewer entries than its limit, even
   * none.
   */
  readonly next: string | undefined;
}

/**
 * Exactly the bytes asked for: iterating rejects with an OperatingError if they can't be had. The caller iterates once
 * at most, and always disposes of the stream. A chunk belongs to the reader, who may free it.
 */
export interface ValueStream extends AsyncIterable<Uint8Array>, AsyncDisposable {}

/**
 * Each method is linearizable per key, and rejects with an OperatingError. After a write that was rejected the client
 * must take it as possible that the write took effect, unless the code is one of `buffer_full`, `overloaded`,
 * `refused_full`, `shutting_down`.
 */
export interface Operations {
  write(operation: WriteOperation): Promise<WriteOutcome>;
  /** Nothing of it is stored before the whole body is there. The answer comes once the store has it. */
  writeStream(operation: StreamOperation): Promise<WriteOutcome>;
  /**
   * Begins an upload. At its completion the headers are the same, or there are more. The value has those only where the
   * store takes headers then.
   */
  beginUpload(key: string, headers: ContentHeaders): Promise<PartedUpload>;
  /**
   * Sends a part; a part that was sent before, too. Waits for room for all of it, and then reads the body into memory.
   * A body that rejects sends nothing. Resolves to the store's tag of the part.
   */
  sendPart(key: string, upload: PartedUpload, part: PartBody): Promise<string>;
  /**
   * A write like any other. As long as it was not done the upload may be completed again, and so it may be if nobody
   * knows whether it was done. If the store refuses it the upload is aborted, and the error's message ends in
   * `nothingStored`.
   */
  completeUpload(operation: CompleteOperation): Promise<WriteOutcome>;
  /** Nothing of it stays, unless it has been completed. */
  abortUpload(key: string, upload: PartedUpload): Promise<void>;
  /**
   * At once if the key's state is in memory, and its primary is here.
   * @param changed The tag of a stored value that {@link open} found changed, so that the answer is another one.
   */
  read(key: string, wantValue: boolean, changed?: string): ReadOutcome | Promise<ReadOutcome>;
  /**
   * Bytes `start` to `end` (exclusive) of the stored value with this tag; undefined if the store has another by now:
   * read again.
   */
  open(key: string, tag: string, start: number, end: number): Promise<ValueStream | undefined>;
  /** Each key as it was at some moment of the call, though not all keys at the same one. */
  list(query: ListQuery): Promise<ListOutcome>;
}
