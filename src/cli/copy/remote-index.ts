/**
 * What the cluster has of keys that are asked for in ascending order. It reads the listing alongside, and skips ahead
 * if no key in between is of interest.
 */

import { compareText } from "../../base/text-order.ts";
import { maxKeyBytes } from "../../core/keys.ts";
import type { BulkClient } from "../client/bulk-client.ts";
import { fetchPage, type PageKey } from "../client/listing.ts";

export class RemoteIndex {
  readonly #cluster: BulkClient;
  readonly #prefix: string;
  #keys: ReadonlyMap<string, PageKey> = new Map();
  /** All keys up to this one are known, beginning where the last page began. null at the end. */
  #end: string | null = "";

  /** @param prefix The beginning of all keys that will be asked for. */
  constructor(cluster: BulkClient, prefix: string) {
    this.#cluster = cluster;
    this.#prefix = prefix;
  }

  /** Undefined if the cluster has no such key. Also undefined for a key before one that was asked for. */
  async find(key: string): Promise<PageKey | undefined> {
    while (this.#end !== null && compareText(key, this.#end) > 0) {
      const ahead = justBefore(key);
      const after = compareText(ahead, this.#end) > 0 ? ahead : this.#end;
      const page = await this.#cluster.persist((client) => fetchPage(client, { prefix: this.#prefix, after }));
      this.#keys = new Map(page.keys.map((each) => [each.key, each]));
      this.#end = page.next;
    }
    return this.#keys.get(key);
  }
}

/** A text before `key`, with hardly another key in between. */
export function justBefore(key: string): string {
  const last = /.$/su.exec(key)?.[0] as string;
  const head = key.slice(0, -last.length);
  const point = last.codePointAt(0) as number;
  if (point === 0) return head;
  // The surrogates are no characters: U+D7FF comes right before U+E000.
  const before = point === 0xe000 ? 0xd7ff : point - 1;
  const text = `${head}${String.fromCodePoint(before)}\u{10FFFF}`;
  return Buffer.byteLength(text) > maxKeyBytes ? head : text;
}
