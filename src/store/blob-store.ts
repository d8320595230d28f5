/**
 * The port to the object store: named blobs with headers, changed by conditional requests.
 *
 * The store is the one point of agreement of a cluster, so an implementation must be linearizable. Every later read
 * sees what a successful write stored. Of several writes with the same condition, one wins.
 *
 * Names are UTF-8 strings of 1 to 1024 bytes, without the prefix that the store was given. Any character may occur. An
 * adapter encodes what its store cannot hold. Nothing here retries: the caller decides what an unknown outcome means.
 *
 * Every method rejects with an OperatingError of one of these codes:
 * - `store_refused`: the store will not do it (rights, bad request). The request had no effect, and repeating it does
 *   not help.
 * - `store_throttled`: the store asks for fewer requests. The outcome of a write is unknown, but decided: it has no
 *   effect later.
 * - `store_unavailable`: no answer in time, a broken connection, a 5xx. The outcome of a write is unknown, unless the
 *   error says `neverSent`: then the store never got the request.
 */

import type { Clock } from "../base/clock.ts";
import type { Complaints } from "../base/complaints.ts";
import type { Random } from "../base/random.ts";
import type { ContentHeaders } from "../core/entry.ts";
import type { ListQuery } from "../core/listing.ts";
import type { UploadedPart } from "../core/operation.ts";

/** When a write takes effect: always, only if there is no such blob, or only if the blob's tag is still `tag`. */
export type WriteCondition =
  | { readonly kind: "always" }
  | { readonly kind: "absent" }
  | { readonly kind: "unchanged"; readonly tag: string };

export interface BlobInfo {
  /** The store's own ETag, opaque, without quotes. It serves for conditions only. */
  readonly tag: string;
  /** Bytes in the body. */
  readonly size: number;
  /** Content headers and user metadata, the latter as `x-weir-meta-NAME`. */
  readonly headers: ContentHeaders;
  /** The metadata `weir-version`, if there is any. */
  readonly version: string | undefined;
  /** The metadata `weir-upload`, if there is any. It is the token of the upload that wrote the blob. */
  readonly upload: string | undefined;
  /** When the store wrote it, milliseconds since 1970. */
  readonly modifiedMs: number;
}

export interface Blob extends BlobInfo {
  /** A buffer of its own: who keeps it keeps no other memory alive. */
  readonly body: Buffer;
}

export interface BlobContent {
  readonly body: Uint8Array;
  readonly headers: ContentHeaders;
  /** Kept as the metadata `weir-version`. */
  readonly version?: string;
}

/**
 * How a conditional write ended. `conflict`: the condition did not hold and nothing was changed. A store that is unsure
 * who won answers `conflict` too. The caller then reads and decides.
 */
export type WriteResult = { readonly kind: "written"; readonly tag: string } | { readonly kind: "conflict" };

export type ReadResult =
  | { readonly kind: "found"; readonly blob: Blob }
  | { readonly kind: "missing" }
  /** The blob has more than `maxBytes`. Its body was not read. */
  | { readonly kind: "too_large"; readonly info: BlobInfo };

/** A blob as a listing shows it. */
export interface ListedBlob {
  readonly name: string;
  readonly size: number;
  readonly tag: string;
  /** MD5 of the body as 32 lower-case hexadecimal digits. Undefined if the store's listing does not tell it. */
  readonly md5: string | undefined;
  readonly modifiedMs: number;
}

export interface ListPage {
  /** Ascending by the bytes of their names. */
  readonly blobs: readonly ListedBlob[];
  /** Common prefixes, ascending. */
  readonly prefixes: readonly string[];
  /**
   * The `after` of the next page. Undefined at the end. This page leaves out no entry up to it.
   *
   * A page may have fewer entries than the limit. A page without entries is the last one.
   */
  readonly next: string | undefined;
}

/** What a store needs of the outside. */
export interface StorePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Hears what an operator should know of the store's clocks. */
  readonly complaints?: Complaints;
}

export interface RequestOptions {
  /**
   * Milliseconds until the request is given up with `store_unavailable`. A write cannot take effect later than this
   * after the call.
   */
  readonly deadlineMs: number;
  /** A whole node waits for this request. It must not wait for a connection behind clients' requests. */
  readonly isUrgent?: boolean;
  /**
   * Called synchronously just before the request is sent. The deadline counts from an earlier instant. The call throws
   * if the caller must not send any more, because its lease is gone. The store then sends nothing and rejects with that
   * error.
   *
   * So a process may pause at any point. Its request still cannot take effect later than the deadline after the caller
   * was last allowed to send.
   *
   * It is called once. A store that makes the change itself, in the calling thread, calls it before each try. Such a
   * store does not call it when there is nothing to change (F1, F4).
   */
  readonly authorize?: () => void;
}

export interface BlobStore extends LargeBlobs, AsyncDisposable {
  /** The store as a person would name it, such as `s3://photos/prefix`, without secrets. */
  readonly description: string;

  /**
   * Whether the store can hold a blob of this name. The limit is on the name with the prefix, in the store's encoding.
   * A store may refuse more kinds of names, which {@link probe} finds out.
   */
  fits(name: string): boolean;

  read(name: string, maxBytes: number, options: RequestOptions): Promise<ReadResult>;

  /** The blob without its body; undefined if there is none. What it says outlasts a loss of power. */
  stat(name: string, options: RequestOptions): Promise<BlobInfo | undefined>;

  write(name: string, content: BlobContent, condition: WriteCondition, options: RequestOptions): Promise<WriteResult>;

  /**
   * Removes the blob. With the condition `always`, the result is `written` even if there was none. The tag is empty.
   *
   * A store that ignores conditions on a delete removes the blob in any case. Callers must be correct without the
   * condition.
   */
  remove(name: string, condition: WriteCondition, options: RequestOptions): Promise<WriteResult>;

  /**
   * Lists blobs in the order of their names, weir's own under `.weir/` among them.
   *
   * The listing is linearizable for each name by itself. A blob that existed during the whole call is listed as it was
   * at some moment in the call. A name without a blob during the whole call is not listed. Foreign objects whose names
   * the port cannot have written are left out.
   */
  list(query: ListQuery, options: RequestOptions): Promise<ListPage>;

  /**
   * Checks with small blobs under `.weir/probe/` that the store is reachable. Checks that the rights suffice to read,
   * write and remove, and that conditional writes work. The caller must call it once before anything else: the adapter
   * learns the store's quirks from it.
   *
   * @throws OperatingError whose message names what is missing and what to do about it.
   */
  probe(options: RequestOptions): Promise<StoreAbilities>;
}

export interface StoreAbilities {
  /** Whether {@link BlobStore.write} honours `absent` and `unchanged`. If not, only a cluster of one node is safe. */
  readonly conditionalWrites: boolean;
  /** Whether {@link BlobStore.remove} honours `unchanged`. */
  readonly conditionalRemoves: boolean;
  /** Whether {@link LargeBlobs.completeUpload} is known to honour conditions. */
  readonly conditionalCompletions: boolean;
  /** What the probe found out, in sentences for people: `weir check` prints them. */
  readonly notes: readonly string[];
}

export interface UploadContent {
  readonly headers: ContentHeaders;
  /** Kept as the metadata `weir-upload`, in ASCII. The blob is recognized by it. */
  readonly token: string;
}

export interface PartContent {
  /** From 1. The parts form the blob in the order of their numbers. */
  readonly number: number;
  readonly body: Uint8Array;
  /** MD5 of the body in base64, where the caller knows it: all of a large part would be hashed at once otherwise. */
  readonly md5?: string;
}

/** A part of an {@link OpenUpload}. These are begun in the order of their numbers. */
export interface UploadPart extends PartContent {
  /** The part's offset in the blob, in bytes. */
  readonly offset: number;
}

/** An upload whose parts come from the caller that began it. It holds nothing that must be released. */
export interface OpenUpload {
  /** Names the upload to {@link LargeBlobs.completeUpload} and {@link LargeBlobs.abortUpload}, in any process. */
  readonly id: string;
  /** Sends a part. The caller may send a part again. Resolves to the part's tag, which the completion needs. */
  readonly sendPart: (part: UploadPart, options: RequestOptions) => Promise<string>;
}

export interface CompletedUpload extends UploadContent {
  readonly id: string;
  /** The parts' tags, in order. */
  readonly parts: readonly string[];
  /** Bytes in all parts. */
  readonly size: number;
}

/** `gone`: the upload does not exist any more, or not with these parts. */
export type AssembleResult =
  | {
      readonly kind: "assembled";
      /** For {@link CompletedUpload.parts}. */
      readonly parts: readonly string[];
    }
  | { readonly kind: "gone" };

/**
 * How the completion of an upload ended.
 * - `gone`: the upload can never be completed. It was aborted, was completed before, or another request completes it
 *   just now, perhaps with an effect still to come. With `isUnsure`, this very request may have completed it.
 * - `incomplete`: the upload is there, but not with these parts. It may have them later.
 */
export type CompleteResult =
  | WriteResult
  | { readonly kind: "gone"; readonly isUnsure?: true }
  | { readonly kind: "incomplete" };

export interface UploadInfo {
  /** The blob's name. Empty if the store does not keep it. */
  readonly name: string;
  readonly id: string;
  /** When the upload was begun, milliseconds since 1970, by the store's clock. */
  readonly startedMs: number;
}

/** Bytes `start` to `end` (exclusive) of the blob. */
export interface ReadSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * Exactly the bytes asked for. Iterating rejects with `store_unavailable` if they break off or stop coming. The caller
 * iterates at most once and always disposes of the stream. A chunk belongs to the reader, who may free it.
 */
export interface BlobStream extends AsyncIterable<Uint8Array>, AsyncDisposable {}

export type OpenResult =
  | { readonly kind: "found"; readonly stream: BlobStream }
  /** There is no such blob, or its tag has changed. */
  | { readonly kind: "changed" };

/**
 * Blobs that are too large to be in memory as a whole. They are written in parts, which nobody sees until the upload is
 * completed, and are read as a stream. One process may begin an upload and another may complete it.
 */
export interface LargeBlobs {
  /**
   * Begins an upload. The caller states the content here and again at completion, since stores differ in where they
   * want it.
   */
  beginUpload(name: string, content: UploadContent, options: RequestOptions): Promise<OpenUpload>;

  /**
   * Begins a parted upload. Its parts come by {@link sendPart}, one by one, in any order and from any process. They are
   * assembled before the upload is completed. Resolves to its id.
   */
  beginParted(name: string, content: UploadContent, options: RequestOptions): Promise<string>;

  /**
   * Sends a part of a parted upload. The caller may send a part again, with other bytes, too: the one that counts is
   * named when the upload is assembled. A store may forget the others before that. Resolves to the part's tag.
   *
   * Rejects with `store_refused` if there is no such upload. A store may also take the part: nobody ever sees it.
   */
  sendPart(name: string, id: string, part: PartContent, options: RequestOptions): Promise<string>;

  /**
   * Prepares a parted upload for its completion with these parts, one at least, ascending by number. Nobody sees that.
   * It may take as long as the parts are large. The caller may repeat it, in any process.
   */
  assembleUpload(
    name: string,
    id: string,
    parts: readonly UploadedPart[],
    options: RequestOptions,
  ): Promise<AssembleResult>;

  /**
   * Makes the parts the blob, at one moment. A store that ignores conditions here completes in any case. Callers must
   * be correct without the condition.
   *
   * A caller may complete an upload again. That changes nothing and is answered `written` or `gone`: `written` perhaps
   * also when the blob has been replaced since. A parted upload that was assembled again may replace the blob.
   */
  completeUpload(
    name: string,
    upload: CompletedUpload,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<CompleteResult>;

  /** Aborts an upload and frees the space of its parts. Does nothing if there is no such upload. */
  abortUpload(name: string, id: string, options: RequestOptions): Promise<void>;

  /** Uploads that are neither completed nor aborted, in any order. Empty if the store forgets them by itself. */
  listUploads(options: RequestOptions): Promise<readonly UploadInfo[]>;

  /**
   * Reads a part of the blob if its tag is still `tag`. The deadline covers the time to the first byte. After that it
   * covers each pause between two chunks.
   */
  openBlob(name: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult>;
}
