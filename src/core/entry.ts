/**
 * An entry: one state of a key, as it is held in memory, sent between members and flushed to the store. A state is a value
 * with its headers, or a tombstone (the key was deleted).
 */

import type { Version } from "./version.ts";

/**
 * The headers kept with a value, lower-case names to values as they came: `content-type`, `content-encoding`, `cache-control`,
 * `content-disposition`, and any number of `x-weir-meta-NAME` with NAME of `[a-z0-9-]`. Header values are "byte strings":
 * each character is one byte (U+0000 to U+00FF), as node:http gives them.
 */
export type ContentHeaders = Readonly<Record<string, string>>;

export const noHeaders: ContentHeaders = Object.freeze({});

/** Names a request once, however often it is sent: the router's incarnation and a counter that grows within it. */
export interface RequestId {
  readonly router: string;
  readonly counter: number;
}

/** Of an entry that no request of this cluster's routers is known to have made. */
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

export interface Entry extends ValueInfo {
  readonly key: string;
  /** The value; undefined in a tombstone (then `size` is 0 and `md5` is empty). */
  readonly value: Buffer | undefined;
  /** The request that made it, so that a repeat of that request is recognised. */
  readonly requestId: RequestId;
}

/**
 * Bytes that an entry costs in memory beyond its value: measured as an upper bound of the objects, the map slots and the key
 * (2,200 to 2,640 bytes for a value of 1 KiB, `npm run bench -- --only memory`), and 90 in the journal's books.
 */
const overheadBytes = 1_664;

/** What an entry counts towards `buffer.dirtyBytes`, in bytes. */
export function footprint(entry: Pick<Entry, "key" | "size" | "headers">): number {
  let bytes = overheadBytes + entry.size + entry.key.length * 2;
  if (entry.headers !== noHeaders) {
    for (const name in entry.headers) bytes += 64 + name.length + (entry.headers[name] as string).length;
  }
  return bytes;
}
