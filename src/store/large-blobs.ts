/**
 * The part of the store port for blobs that are too large to be in memory as a whole: they are written in parts, which nobody sees until the
 * upload is completed, and read as a stream. One process may begin an upload and another complete it.
 *
 * Errors are those of `blob-store.ts`.
 */

import type { ContentHeaders } from "../core/entry.ts";
import type { RequestOptions, WriteCondition, WriteResult } from "./blob-store.ts";

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
