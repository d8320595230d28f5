/**
 * Reads at the primary: the write buffer (committed state only), then the cache, then the store, once for all that wait for the
 * same key. A store read belongs to the state of the key when it was sent: a write or a change of tenure in between voids it, and it is
 * sent again.
 */

import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Entry, ValueInfo } from "../../core/entry.ts";
import type { Membership } from "../../core/membership.ts";
import type { MissingAnswer, ReadRequest, StoredAnswer, ValueAnswer } from "../../core/message.ts";
import type { KeyRecord, WriteBuffer } from "../../core/write-buffer.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { MemberMetrics } from "../metrics.ts";
import type { MemberSettings } from "../settings.ts";
import { type Cache, type CleanValue, isClean } from "./cache.ts";
import { notReady, requireEpoch } from "./not-ready.ts";
import { storedLargeValue, storedValue } from "./stored-value.ts";

export type ReadAnswer = ValueAnswer | StoredAnswer | MissingAnswer;

const missing: MissingAnswer = Object.freeze({ kind: "missing" });

/** One read of the store, shared by all that wait for its key. */
interface Flight {
  /** Set when a write or a change of tenure made its result worthless. */
  void: boolean;
  readonly result: Promise<CleanValue | undefined>;
}

export interface ReadPathParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly cache: Cache;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly settings: MemberSettings;
  readonly metrics: MemberMetrics;
  /** Somebody waits for what is pending of this key. */
  readonly hasten: (record: KeyRecord) => void;
}

export class ReadPath {
  readonly #parts: ReadPathParts;
  readonly #flights = new Map<string, Flight>();

  constructor(parts: ReadPathParts) {
    this.#parts = parts;
  }

  /**
   * Answers a read that was routed here; at once if the state is in memory.
   * @throws OperatingError (or rejects with one): `wrong_view`, `not_ready`, `deadline_exceeded`, or the store's.
   */
  read(request: ReadRequest): ReadAnswer | Promise<ReadAnswer> {
    const { membership, cache } = this.#parts;
    requireEpoch(membership, request.epoch);
    if (request.changed !== "" && cache.peek(request.key)?.tag === request.changed) cache.delete(request.key);
    return this.#fromMemory(request) ?? this.#fromStore(request);
  }

  /** The answer, if this member serves the key and has its state in memory. */
  fromMemory(key: string, wantValue: boolean): ReadAnswer | undefined {
    if (!this.#parts.membership.mayAnswer(key)) return undefined;
    const { metrics } = this.#parts;
    const state = this.inMemory(key);
    if (!state) return undefined;
    metrics.reads[isClean(state) ? "cache" : "buffer"]++;
    if (state.value !== undefined) return answerOf(state, state.value, wantValue);
    return isClean(state) ? { kind: "stored", info: state } : missing;
  }

  /**
   * The key's visible state, for judging a condition by it: an entry (a tombstone, too), a clean value, or undefined when there is
   * nothing in memory, or a reference to what is in the store.
   */
  inMemory(key: string): Entry | CleanValue | undefined {
    const entry = this.#parts.buffer.get(key)?.entry;
    return entry && !entry.upload ? entry : this.#parts.cache.get(key);
  }

  /** Whether the key's visible state, of which nothing is in memory, is what the store has: nothing is pending, nor held other than a reference. */
  isInStore(key: string): boolean {
    const record = this.#parts.buffer.get(key);
    return (
      record === undefined || (record.pending.length === 0 && (!record.entry || record.entry.upload !== undefined))
    );
  }

  /**
   * The key's object in the store, which is then cached; undefined if there is none. For a key of which nothing is in memory: the caller
   * looks again whether that is still so when it gets the result, and always when it gets `void`.
   */
  async load(key: string): Promise<CleanValue | undefined | "void"> {
    assert(this.isInStore(key), "the store is asked when nothing else is held");
    const flight = this.#flights.get(key) ?? this.#takeOff(key);
    try {
      const value = await flight.result;
      return flight.void ? "void" : value;
    } catch (error) {
      if (flight.void) return "void";
      throw error;
    }
  }

  /**
   * The tag of the key's object, if that is what was uploaded with this token; undefined if the key has another state.
   * @throws OperatingError `not_ready` while that is not known.
   */
  async tagOfUpload(key: string, token: string): Promise<string | undefined> {
    const state = this.inMemory(key) ?? (this.isInStore(key) ? await this.load(key) : "void");
    if (state === "void") throw new OperatingError("not_ready", "the key's state is changing");
    return state && isClean(state) && state.upload === token ? state.tag : undefined;
  }

  /** A write of the key was assigned: nothing read from the store before it may be used after it. */
  invalidate(key: string): void {
    if (this.#flights.size === 0) return;
    const flight = this.#flights.get(key);
    if (!flight) return;
    flight.void = true;
    this.#flights.delete(key);
  }

  /** The view changed. */
  invalidateAll(): void {
    for (const flight of this.#flights.values()) flight.void = true;
    this.#flights.clear();
  }

  #fromMemory({ key, wantValue }: ReadRequest): ReadAnswer | undefined {
    const { membership } = this.#parts;
    if (!membership.mayAnswer(key)) throw notReady(membership, key);
    return this.fromMemory(key, wantValue);
  }

  async #fromStore(request: ReadRequest): Promise<ReadAnswer> {
    const { buffer, clock, settings } = this.#parts;
    const deadline = clock.now() + request.deadlineMs;
    for (;;) {
      if (clock.now() >= deadline) throw new OperatingError("deadline_exceeded", "the store did not answer in time");
      // A pending write may be in the store already: until its outcome is known, what the store says may be too new.
      const record = buffer.get(request.key);
      const pending = record?.pending[0];
      if (record && pending) {
        this.#parts.hasten(record);
        if (clock.now() - pending.assignedAt > settings.operationMs) {
          throw new OperatingError(
            "peer_unreachable",
            `a write of this key still waits for ${pending.missing.join(", ")}`,
          );
        }
        await pending.outcome.catch(() => undefined);
        const answer = this.#fromMemory(request);
        if (answer) return answer;
        continue;
      }
      const value = await this.load(request.key);
      const answer = this.#fromMemory(request);
      if (answer) return answer;
      if (value === "void" || !this.isInStore(request.key)) continue;
      this.#parts.metrics.reads.store++;
      if (!value) return missing;
      if (value.value === undefined) return { kind: "stored", info: value };
      return answerOf(value, value.value, request.wantValue);
    }
  }

  #takeOff(key: string): Flight {
    // Judged before: what comes to the store between the read and its answer would not be in that.
    const isSteady = this.#isSteady(key);
    const flight: Flight = {
      void: false,
      result: this.#fetch(key).then(
        (value) => {
          this.#land(key, flight);
          if (value && !flight.void && isSteady) this.#parts.cache.set(key, value);
          return value;
        },
        (error: unknown) => {
          this.#land(key, flight);
          throw error;
        },
      ),
    };
    this.#flights.set(key, flight);
    return flight;
  }

  /** Whether the object changes only through this member. What was given up may have sent something that nobody holds, and that reaches the store as late as a first flush may go there. */
  #isSteady(key: string): boolean {
    const { membership, clock } = this.#parts;
    return !membership.wasForgotten(key) || (membership.flushFrom(key) ?? Number.POSITIVE_INFINITY) <= clock.now();
  }

  #land(key: string, flight: Flight): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  async #fetch(key: string): Promise<CleanValue | undefined> {
    const { store, settings, membership } = this.#parts;
    const { clusterId, flushDeadlineMs } = membership.view.parameters;
    const result = await store.read(key, settings.maxValueBytes, { deadlineMs: flushDeadlineMs });
    switch (result.kind) {
      case "missing":
        return undefined;
      case "too_large":
        return storedLargeValue(clusterId, key, result.info);
      case "found":
        return storedValue(clusterId, key, result.blob);
    }
  }
}

function answerOf(info: ValueInfo, value: Buffer, wantValue: boolean): ReadAnswer {
  return { kind: "value", info, value: wantValue ? value : undefined };
}
