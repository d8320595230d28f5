/**
 * The port to the object store: named blobs with headers, changed by conditional requests. It is the one point of
 * agreement of a cluster, so an implementation must be linearizable: what a successful write stored, every later read sees,
 * and of several writes with the same condition one wins.
 *
 * Names are UTF-8 strings of 1 to 1024 bytes plus whatever prefix the store was given; any character may occur (an adapter encodes
 * what its store cannot hold). Nothing here retries: the caller decides what an unknown outcome means.
 *
 * Every method rejects with an OperatingError of one of these codes:
 * - `store_refused`: the store will not do it (rights, bad request); it had no effect and repeating it will not help by itself.
 * - `store_throttled`: the store asks for fewer requests; the outcome of a write is unknown.
 * - `store_unavailable`: no answer in time, a broken connection, a 5xx; the outcome of a write is unknown.
 */

import type { ContentHeaders } from "../core/entry.ts";
import type { ListQuery } from "../core/listing.ts";

/** When a write takes effect: always, only if there is no such blob, or only if the blob's tag is still `tag`. */
export type WriteCondition =
  | { readonly kind: "always" }
  | { readonly kind: "absent" }
  | { readonly kind: "unchanged"; readonly tag: string };

export interface BlobInfo {
  /** The store's own ETag, opaque, without quotes: for conditions only. */
  readonly tag: string;
  /** Bytes in the body. */
  readonly size: number;
  /** Content headers and user metadata, the latter as `x-weir-meta-NAME`. */
  readonly headers: ContentHeaders;
  /** The metadata `weir-version`, if there is any. */
  readonly version: string | undefined;
  /** The metadata `weir-upload`, if there is any: the token of the upload that it was. */
  readonly upload: string | undefined;
  /** When the store wrote it, milliseconds since 1970. */
  readonly modifiedMs: number;
}

export interface Blob extends BlobInfo {
  /** A buffer of its own: keeping it keeps nothing else alive. */
  readonly body: Buffer;
}

export interface BlobContent {
  readonly body: Uint8Array;
  readonly headers: ContentHeaders;
  /** Kept as the metadata `weir-version`. */
  readonly version?: string;
}

/**
 * How a conditional write ended. `conflict`: the condition did not hold, nothing was changed (also when the store is unsure who won:
 * read and decide).
 */
export type WriteResult = { readonly kind: "written"; readonly tag: string } | { readonly kind: "conflict" };

export type ReadResult =
  | { readonly kind: "found"; readonly blob: Blob }
  | { readonly kind: "missing" }
  /** The blob has more than `maxBytes`; its body was not read. */
  | { readonly kind: "too_large"; readonly info: BlobInfo };

/** A blob as a listing shows it. */
export interface ListedBlob {
  readonly name: string;
  readonly size: number;
  readonly tag: string;
  /** MD5 of the body, 32 lower-case hexadecimal digits, where the store tells it in a listing. */
  readonly md5: string | undefined;
  readonly modifiedMs: number;
}

export interface ListPage {
  /** Ascending by the bytes of their names. */
  readonly blobs: readonly ListedBlob[];
  /** Common prefixes, ascending. */
  readonly prefixes: readonly string[];
  /**
   * The `after` of the next page: no entry up to it is missing from this one. Undefined at the end. A page may have fewer entries than the limit,
   * though never none with a next page to come.
   */
  readonly next: string | undefined;
}

export interface RequestOptions {
  /** Milliseconds until the request is given up with `store_unavailable`. A write cannot take effect later than this after the call. */
  readonly deadlineMs: number;
  /** A whole node waits for it: it is not to wait for a connection behind requests of clients. */
  readonly isUrgent?: boolean;
  /**
   * Called synchronously, just before the request is sent, and after the instant from which its deadline counts: it throws when the caller
   * must not send it any more (its lease is gone), and then nothing is sent and the call rejects with what it threw. So a process that is paused at
   * any point cannot make a request take effect later than the deadline after the caller was last allowed to send it. Called once; a store that makes
   * the change itself (a folder) calls it before each try to make it, and not at all where there is nothing to change.
   */
  readonly authorize?: () => void;
}

export interface BlobStore extends LargeBlobs, AsyncDisposable {
  /** The store as a person would name it, such as `s3://photos/prefix`; no secrets in it. */
  readonly description: string;

  /** Whether the store can hold a blob of this name: its limit is on what it becomes with the prefix and its own encoding. */
  fits(name: string): boolean;

  read(name: string, maxBytes: number, options: RequestOptions): Promise<ReadResult>;

  /** The blob without its body; undefined if there is none. */
  stat(name: string, options: RequestOptions): Promise<BlobInfo | undefined>;

  write(name: string, content: BlobContent, condition: WriteCondition, options: RequestOptions): Promise<WriteResult>;

  /**
   * Removes the blob; `written` (with an empty tag) also when there was none and the condition is `always`. A store that ignores
   * conditions on a delete removes it whatever the condition: callers must be correct without it.
   */
  remove(name: string, condition: WriteCondition, options: RequestOptions): Promise<WriteResult>;

  /**
   * Blobs in the order of their names, weir's own under `.weir/` among them. Linearizable for each name by itself: a blob that was there during the whole call is listed
   * as it was at some moment in it, one that was not is not. Whatever others left under a name that the port can't have written is passed over.
   */
  list(query: ListQuery, options: RequestOptions): Promise<ListPage>;

  /**
   * Checks, with small blobs under `.weir/probe/`, that the store is reachable, that rights suffice to read, write and remove, and that conditional writes
   * work. Must be called once before anything else (it also learns the store's quirks).
   *
   * @throws OperatingError whose message names what is missing and what to do about it.
   */
  probe(options: RequestOptions): Promise<StoreAbilities>;
}

export interface StoreAbilities {
  /** Whether `absent` and `unchanged` are honoured by {@link BlobStore.write}: without it only a cluster of one node is safe. */
  readonly conditionalWrites: boolean;
  /** Whether `unchanged` is honoured by {@link BlobStore.remove}. */
  readonly conditionalRemoves: boolean;
  /** What was found out, for `weir check`: sentences for people. */
  readonly notes: readonly string[];
}

/** S3's bounds, which are the narrowest: bytes in every part but the last, at least, and parts, at most. */
export const minPartBytes = 5 * 1024 * 1024;
export const maxParts = 10_000;

export interface UploadContent {
  readonly headers: ContentHeaders;
  /** Kept as the metadata `weir-upload`, by which the blob is known again; ASCII. */
  readonly token: string;
}

export interface UploadPart {
  /** From 1. Parts are begun in the order of their numbers, and make up the blob in that order. */
  readonly number: number;
  /** Where it begins in the blob, in bytes. */
  readonly offset: number;
  readonly body: Uint8Array;
}

/** An upload, for who began it. It holds nothing that must be released. */
export interface OpenUpload {
  /** Names it to {@link LargeBlobs.completeUpload} and {@link LargeBlobs.abortUpload}, in any process. */
  readonly id: string;
  /** Sends a part, again if need be; the part's tag, which the completion wants. */
  readonly sendPart: (part: UploadPart, options: RequestOptions) => Promise<string>;
}

/** All that the completion needs. */
export interface CompletedUpload extends UploadContent {
  readonly id: string;
  /** The parts' tags, in order. */
  readonly parts: readonly string[];
  /** Bytes in all parts. */
  readonly size: number;
}

/**
 * `gone`: the upload does not exist any more, or not with these parts, and can never be completed: it was aborted, has been completed before, or is
 * being completed by another request, whose effect may still be to come; where it `isUnsure`, perhaps by this one.
 */
export type CompleteResult = WriteResult | { readonly kind: "gone"; readonly isUnsure?: true };

export interface UploadInfo {
  /** The blob's; empty where the store does not keep it. */
  readonly name: string;
  readonly id: string;
  /** When it was begun, milliseconds since 1970, by the store's clock. */
  readonly startedMs: number;
}

/** Bytes `start` to `end` (exclusive) of the blob. */
export interface ReadSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * The bytes asked for, exactly: iterating rejects with `store_unavailable` where they break off or stop coming. To be iterated once at most, and disposed of
 * in any case. A chunk is its reader's, who may free it.
 */
export interface BlobStream extends AsyncIterable<Uint8Array>, AsyncDisposable {}

export type OpenResult =
  | { readonly kind: "found"; readonly stream: BlobStream }
  /** There is no such blob, or it has another tag by now. */
  | { readonly kind: "changed" };

/**
 * Blobs that are too large to be in memory as a whole: they are written in parts, which nobody sees until the upload is
 * completed, and read as a stream. One process may begin an upload and another complete it.
 */
export interface LargeBlobs {
  /** Begins an upload of a blob. Its content is said here and again when it is completed, since stores differ in where they want it. */
  beginUpload(name: string, content: UploadContent, options: RequestOptions): Promise<OpenUpload>;

  /**
   * Makes the parts the blob, at one moment. A store that ignores conditions here completes it whatever the condition: callers must be correct without it.
   * An upload that was completed may be completed again as long as nobody has replaced the blob: that changes nothing, and is answered `written` or `gone`.
   */
  completeUpload(
    name: string,
    upload: CompletedUpload,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<CompleteResult>;

  /** Gives up an upload, and the room that its parts take; without complaint if there is none. */
  abortUpload(name: string, id: string, options: RequestOptions): Promise<void>;

  /** Uploads that are neither completed nor aborted, in any order; none where the store forgets them by itself. */
  listUploads(options: RequestOptions): Promise<readonly UploadInfo[]>;

  /**
   * Reads a part of the blob, if its tag is still `tag`. The deadline is until the first byte comes, and then for each pause between two.
   */
  openBlob(name: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult>;
}
