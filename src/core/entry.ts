/**
 * An entry: one state of a key, as it is held in memory, sent between members and flushed to the store. A state is a
 * value with its headers, or a tombstone (the key was deleted).
 */

import type { Version } from "./version.ts";

/**
 * The headers kept with a value, lower-case names to values as they came: `content-type`, `content-encoding`,
 * `content-language`, `cache-control`, `expires`, `content-disposition`, and any number of `x-weir-meta-NAME` with NAME
 * of `[a-z0-9._-]`. Header values are "byte strings": each character is one byte (U+0000 to U+00FF), as node:http gives
 * them.
 */
export type ContentHeaders = Readonly<Record<string, string>>;

/** Those of them that are HTTP's own. */
export const contentNames = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
] as const;

export const noHeaders: ContentHeaders = Object.freeze({});

/**
 * The checksum that came with a value by S3, and was checked; and the sizes of the parts in which the value came. Only
 * the S3 dialect writes and shows them: by another writer they could be those of another value.
 */
export const checksumHeader = "x-weir-meta-s3-checksum";
export const partsHeader = "x-weir-meta-s3-parts";

/** Whether the header is kept with a value, but is none of its client's. */
export function isOwnHeader(name: string): boolean {
  return name === checksumHeader || name === partsHeader;
}

/** Names a request once, however often it is sent: the router's incarnation and a counter that grows within it. */
export interface RequestId {
  readonly router: string;
  readonly counter: number;
}

/** The id of an entry that no known request of this cluster's routers has made. */
export const noRequest: RequestId = Object.freeze({ router: "", counter: 0 });

/** What is known of a value apart from its bytes. */
export interface ValueInfo extends Version {
  readonly headers: ContentHeaders;
  /** MD5 of the value, 32 lower-case hexadecimal digits: the client's ETag without its quotes. */
  readonly md5: string;
  /** Wall-clock time of the write, milliseconds since 1970. */
  readonly modifiedMs: number;
  /** Bytes in the value. */
  readonly size: number;
}

/**
 * A value that is too large to be in memory. Its parts are in the store, which makes them the key's object when told
 * to.
 */
export interface Upload {
  /** The object's metadata `weir-upload`, once it is completed: see `upload-token.ts`. */
  readonly token: string;
  /** Bytes in all parts. */
  readonly size: number;
  /** What the completion needs: see `upload-manifest.ts`. */
  readonly manifest: Buffer;
}

export interface Entry extends ValueInfo {
  readonly key: string;
  /** The value; undefined in a reference, and in a tombstone (then `size` is 0 and `md5` is empty). */
  readonly value: Buffer | undefined;
  /**
   * Makes the entry a *reference*: the key's state is what the store has, once it has completed the upload. The entry
   * is pending until then. Its `md5` is empty, since only the store knows it.
   */
  readonly upload?: Upload;
  /** The request that made it, so that a repeat of that request is recognised. */
  readonly requestId: RequestId;
  /** Who wrote it, where it was assigned. This is neither sent nor journaled. */
  readonly holder?: string | undefined;
}

/**
 * Bytes that an entry costs in memory beyond its value: measured as an upper bound of the objects, the map slots and
 * the key (2,200 to 2,640 bytes for a value of 1 KiB, `npm run bench -- --only memory`), and 90 in the journal's books.
 */
const overheadBytes = 1_664;

/** Whether the entry says that the key was deleted. */
export function isTombstone({ value, upload }: Entry): boolean {
  return value === undefined && upload === undefined;
}

/** The bytes that travel and are journaled with an entry. */
export function payloadOf({ value, upload }: Pick<Entry, "value" | "upload">): Buffer | undefined {
  return upload ? upload.manifest : value;
}

/** What an entry counts towards `buffer.dirtyBytes`, in bytes. Of a reference its list of parts counts. */
export function footprint(entry: Pick<Entry, "key" | "size" | "headers" | "upload">): number {
  const { upload } = entry;
  // As text its tags take several times as much while they are used.
  const payloadBytes = upload ? upload.manifest.length * 2 + upload.token.length : entry.size;
  let bytes = overheadBytes + payloadBytes + entry.key.length * 2;
  if (entry.headers !== noHeaders) {
    for (const name in entry.headers) bytes += 64 + name.length + (entry.headers[name] as string).length;
  }
  return bytes;
}
