/**
 * What clients felt of the fault that is active: for how long a key was out of reach, how long they waited, what they
 * were refused. Only what went through nodes that the fault does not hit counts, as clients behind a load balancer
 * would see it.
 */

import type { Instant } from "../../../src/base/clock.ts";

export interface FaultSpan {
  /** Nodes that the fault hits themselves. */
  readonly hit: readonly string[];
  /** Whether the store is out of reach, so that what needs it has to be refused. */
  readonly isStoreAway: boolean;
}

export interface CallState {
  readonly isHit: boolean;
  readonly isStoreAway: boolean;
}

export interface Ended {
  readonly key: string;
  /** The node that was asked. */
  readonly id: string;
  readonly calledAt: Instant;
  readonly endedAt: Instant;
  /** Whether it was answered, with success or not, as by a cluster without troubles. */
  readonly isServed: boolean;
  /** Whether it can't be served without the store if the key is not in memory: reads and conditional writes. */
  readonly mayNeedStore: boolean;
}

export interface Feeling {
  /** Milliseconds between two served operations on a key while a client was trying, at most. */
  longestGapMs: number;
  /** Milliseconds that an operation took, at most. */
  longestWaitMs: number;
  /** Operations that were not served. */
  errors: number;
  /** Of these, such as needed a store that was away. */
  storeErrors: number;
  /** Unconditional writes among the errors. */
  writeErrors: number;
  /** How long served operations took, by key: those called before the fault began, and those called since. */
  readonly before: { readonly key: string; readonly ms: number }[];
  readonly during: { readonly key: string; readonly ms: number }[];
}

const nothing: FaultSpan = { hit: [], isStoreAway: false };

export class FaultWatch {
  #span: FaultSpan = nothing;
  #hit: ReadonlySet<string> = new Set();
  #beganAt: Instant = Number.POSITIVE_INFINITY;
  #feeling: Feeling = newFeeling();
  readonly #servedAt = new Map<string, Instant>();
  /** When the first call was made of those on the key that failed since it was last served. */
  readonly #failingSince = new Map<string, Instant>();

  /** Whether the fault hits the node itself. */
  isHit(id: string): boolean {
    return this.#hit.has(id);
  }

  /** A new window opens, with no fault in it yet. */
  open(): void {
    this.#feeling = newFeeling();
    this.#beganAt = Number.POSITIVE_INFINITY;
    this.#failingSince.clear();
  }

  begin(span: FaultSpan, now: Instant): void {
    this.#span = span;
    this.#hit = new Set([...this.#hit, ...span.hit]);
    this.#beganAt = Math.min(this.#beganAt, now);
  }

  /** All is well again with the nodes that were hit, and the store. */
  end(): void {
    this.#span = nothing;
    this.#hit = new Set();
  }

  /** What is the matter at this moment with the node, and with the store. */
  state(id: string): CallState {
    return { isHit: this.isHit(id), isStoreAway: this.#span.isStoreAway };
  }

  get feeling(): Readonly<Feeling> {
    return this.#feeling;
  }

  /** @param before what {@link state} said when the operation was called. */
  ended(operation: Ended, before: CallState): void {
    const { key, id, calledAt, endedAt, isServed, mayNeedStore } = operation;
    if (before.isHit || this.isHit(id)) return;
    const feeling = this.#feeling;
    const tookMs = endedAt - calledAt;
    if ((before.isStoreAway || this.#span.isStoreAway) && mayNeedStore) {
      if (isServed) return;
      feeling.errors++;
      feeling.storeErrors++;
      return;
    }
    feeling.longestWaitMs = Math.max(feeling.longestWaitMs, tookMs);
    if (!isServed) {
      feeling.errors++;
      if (!mayNeedStore) feeling.writeErrors++;
      this.#failingSince.set(key, Math.min(calledAt, this.#failingSince.get(key) ?? calledAt));
      return;
    }
    const tryingSince = Math.min(calledAt, this.#failingSince.get(key) ?? calledAt);
    const gapMs = endedAt - Math.max(tryingSince, this.#servedAt.get(key) ?? tryingSince);
    feeling.longestGapMs = Math.max(feeling.longestGapMs, gapMs);
    this.#failingSince.delete(key);
    this.#servedAt.set(key, endedAt);
    (calledAt < this.#beganAt ? feeling.before : feeling.during).push({ key, ms: tookMs });
  }
}

function newFeeling(): Feeling {
  return { longestGapMs: 0, longestWaitMs: 0, errors: 0, storeErrors: 0, writeErrors: 0, before: [], during: [] };
}
