/**
 * Making entries clean: once the store holds an entry, and the view is settled, the primary moves it to its cache and tells the other owners
 * to drop it, in batches. Before the view is settled nothing is forgotten, however often it is in the store: somebody may still hand off an
 * older state, which only the newer one can beat.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import type { Entry } from "../../core/entry.ts";
import type { Membership } from "../../core/membership.ts";
import type { KeyVersion } from "../../core/message.ts";
import { versionOf } from "../../core/version.ts";
import type { KeyRecord, WriteBuffer } from "../../core/write-buffer.ts";
import type { Network } from "../../network/network.ts";
import type { Cache, CleanValue } from "../keys/cache.ts";

export interface CleanerParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly cache: Cache;
  readonly network: Network;
  readonly clock: Clock;
}

/** Milliseconds between batches; the pause before one that failed is sent again; items in a batch; how long a batch may take. */
const batchMs = 20;
const retryMs = 200;
const batchItems = 500;
const batchDeadlineMs = 5_000;

export class Cleaner {
  readonly #parts: CleanerParts;
  readonly #waiting = new Map<string, KeyVersion[]>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: CleanerParts) {
    this.#parts = parts;
  }

  /** The store holds the record's entry, for good. */
  flushed(record: KeyRecord): void {
    const { membership, buffer, cache } = this.#parts;
    const { entry } = record;
    if (!membership.settled || record.pending.length > 0 || entry === undefined) return;
    const owners = membership.ownersOf(record.key);
    // What a reference stands for only the store has: it is read when somebody asks.
    if (entry.value !== undefined && record.store.kind === "present") {
      cache.set(record.key, cleanValue(entry, entry.value, record.store.tag));
    }
    buffer.drop(record);
    const item: KeyVersion = { key: record.key, version: versionOf(entry) };
    for (const owner of owners) if (owner !== membership.self.id) this.#queue(owner, [item], batchMs);
  }

  /** The view is settled: what waited for that is clean now, and what belongs to others is on all of them. */
  viewSettled(): void {
    const { membership, buffer } = this.#parts;
    for (const record of buffer.records()) {
      const owners = membership.ownersOf(record.key);
      if (membership.serves(record.key, owners)) {
        if (record.flushed && !record.unproven) this.flushed(record);
      } else if (owners.length > 0 && !owners.includes(membership.self.id)) {
        buffer.drop(record);
      }
    }
  }

  /** Under a new view, what was flushed is handed off like everything that is held. */
  adoptView(): void {
    this.#waiting.clear();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #queue(peer: string, items: readonly KeyVersion[], ms: number): void {
    if (this.#stopped) return;
    const waiting = this.#waiting.get(peer);
    if (waiting) waiting.push(...items);
    else this.#waiting.set(peer, [...items]);
    this.#timer ??= this.#parts.clock.after(ms, () => {
      this.#timer = undefined;
      const batches = [...this.#waiting];
      this.#waiting.clear();
      for (const [id, all] of batches) {
        for (let start = 0; start < all.length; start += batchItems)
          this.#send(id, all.slice(start, start + batchItems));
      }
    });
  }

  #send(peer: string, items: readonly KeyVersion[]): void {
    const { network, membership } = this.#parts;
    const epoch = membership.epoch;
    const again = (): void => {
      if (epoch === membership.epoch) this.#queue(peer, items, retryMs);
    };
    network.request(peer, { kind: "clean", epoch, items }, batchDeadlineMs).then((answer) => {
      if (answer.kind !== "ack") again();
    }, again);
  }
}

function cleanValue(entry: Entry, value: Buffer, tag: string): CleanValue {
  const { epoch, seq, headers, md5, modifiedMs, size } = entry;
  return { epoch, seq, headers, md5, modifiedMs, size, value, tag, upload: undefined };
}
