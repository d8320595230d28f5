/**
 * Making entries clean: once the store has an entry, and the view is settled, the primary moves it to its cache and
 * tells the other owners to remove it, in batches. Before the view is settled nothing is removed, however often it is
 * in the store: a member may still hand off an older state, which only the newer one can beat (F13).
 */

import type { Timer } from "../../base/clock.ts";
import type { Lane } from "../../base/slices.ts";
import type { Entry } from "../../core/entry.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { KeyVersion } from "../../core/message.ts";
import { versionOf } from "../../core/version.ts";
import type { ContextOf } from "../context.ts";
import type { CleanValue } from "../keys/cache.ts";

type CleanerContext = ContextOf<"membership" | "buffer" | "cache" | "network" | "clock" | "slices">;

/**
 * Milliseconds between batches; the pause before one that failed is sent again; items in a batch; how long a batch may
 * take.
 */
const batchMs = 20;
const retryMs = 200;
const batchItems = 500;
/** Batches to one peer at a time: they are a few milliseconds of work here and there. */
const batchesAtOnce = 4;
const batchDeadlineMs = 5_000;

export class Cleaner {
  readonly #context: CleanerContext;
  readonly #waiting = new Map<string, KeyVersion[]>();
  readonly #lane: Lane;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(context: CleanerContext) {
    this.#context = context;
    this.#lane = context.slices.lane();
  }

  /** The store holds the record's entry, for good. */
  flushed(record: KeyState): void {
    const { membership, buffer, cache } = this.#context;
    const { entry } = record;
    if (!membership.settled || record.pending.length > 0 || entry === undefined) return;
    const owners = membership.ownersOf(record.key);
    // What a reference stands for only the store has: it is read when somebody asks.
    if (entry.value !== undefined && record.store.kind === "present") {
      cache.set(record.key, cleanValue(entry, entry.value, record.store.tag));
    }
    buffer.remove(record);
    const item: KeyVersion = { key: record.key, version: versionOf(entry) };
    for (const owner of owners) if (owner !== membership.self.id) this.#queue(owner, [item], batchMs);
  }

  /** The view is settled: what waited for that is clean now, and what belongs to others is on all of them. */
  viewSettled(): void {
    const { membership, buffer } = this.#context;
    const visit = (record: KeyState): void => {
      const owners = membership.ownersOf(record.key);
      if (membership.serves(record.key, owners)) {
        if (record.stored) this.flushed(record);
      } else if (owners.length > 0 && !owners.includes(membership.self.id)) {
        buffer.remove(record);
      }
    };
    this.#lane.over(buffer.records(), visit, () => undefined);
  }

  /** Under a new view, what was flushed is handed off like everything that is held. */
  adoptView(): void {
    this.#lane.stop();
    this.#waiting.clear();
  }

  stop(): void {
    this.#stopped = true;
    this.#lane.stop();
    this.#timer?.cancel();
  }

  #queue(peer: string, items: readonly KeyVersion[], ms: number): void {
    if (this.#stopped) return;
    const waiting = this.#waiting.get(peer);
    if (waiting) waiting.push(...items);
    else this.#waiting.set(peer, [...items]);
    this.#timer ??= this.#context.clock.after(ms, () => this.#sendSome());
  }

  /** A few batches to each peer; after a pause the next ones. */
  #sendSome(): void {
    this.#timer = undefined;
    for (const [id, all] of this.#waiting) {
      for (let sent = 0; sent < batchesAtOnce && all.length > 0; sent++) this.#send(id, all.splice(0, batchItems));
      if (all.length === 0) this.#waiting.delete(id);
    }
    if (this.#waiting.size > 0) this.#timer = this.#context.clock.after(batchMs, () => this.#sendSome());
  }

  /** Again and again, until it is acknowledged or the view changes (F14). */
  #send(peer: string, items: readonly KeyVersion[]): void {
    const { network, membership } = this.#context;
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
