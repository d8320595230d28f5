/** What the cluster has of keys that are asked for in order: the listing, read alongside, and jumped ahead in where there is nothing of interest. */

import { compareText } from "../../base/text-order.ts";
import { maxKeyBytes } from "../../core/keys.ts";
import type { BulkClient } from "../client/bulk-client.ts";
import { fetchPage, type ListedKey } from "../client/listing.ts";

export class RemoteIndex {
  readonly #cluster: BulkClient;
  readonly #prefix: string;
  #keys: ReadonlyMap<string, ListedKey> = new Map();
  /** All keys up to this one are known, from where it began to read last; null at the end. */
  #end: string | null = "";

  /** @param prefix - what all keys begin with that will be asked for */
  constructor(cluster: BulkClient, prefix: string) {
    this.#cluster = cluster;
    this.#prefix = prefix;
  }

  /** Undefined if the cluster has no such key, and for one that is less than what was asked for before. */
  async find(key: string): Promise<ListedKey | undefined> {
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

/** A text that is less than `key`, with hardly another key in between. */
export function justBefore(key: string): string {
  const last = /.$/su.exec(key)?.[0] as string;
  const head = key.slice(0, -last.length);
  const point = last.codePointAt(0) as number;
  if (point === 0) return head;
  // There is nothing between the last before the surrogates and the first behind them.
  const before = point === 0xe000 ? 0xd7ff : point - 1;
  const text = `${head}${String.fromCodePoint(before)}\u{10FFFF}`;
  return Buffer.byteLength(text) > maxKeyBytes ? head : text;
}
