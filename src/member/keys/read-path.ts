/**
 * Reads at the primary: the write buffer (committed state only), then the cache, then the store, once for all that wait
 * for the same key (R1). A read of the store belongs to the state of the key when it was sent. A write, or a change of
 * tenure, in between makes it void, and it is sent again (R2, R3).
 */

import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Entry, Upload, ValueInfo } from "../../core/entry.ts";
import type { ReadRequest } from "../../core/message.ts";
import type { ReadOutcome } from "../../core/operation.ts";
import { awaited } from "../../core/pending-write.ts";
import type { ContextOf } from "../context.ts";
import { type CleanValue, isClean } from "./cache.ts";
import type { Inheritance } from "./inheritance.ts";
import { notReady, requireEpoch } from "./not-ready.ts";
import { storedLargeValue, storedValue } from "./stored-value.ts";

const missing: ReadOutcome = Object.freeze({ kind: "missing" });

/** One read of the store, for all that wait for its key. */
interface SharedRead {
  /** Set when a write or a change of tenure made its result worthless. */
  void: boolean;
  readonly result: Promise<CleanValue | undefined>;
}

type ReadPathContext = ContextOf<
  "membership" | "late" | "buffer" | "cache" | "store" | "clock" | "settings" | "metrics"
>;

export class ReadPath {
  readonly #context: ReadPathContext;
  readonly #inheritance: Pick<Inheritance, "sendAhead">;
  readonly #underWay = new Map<string, SharedRead>();

  constructor(context: ReadPathContext, inheritance: Pick<Inheritance, "sendAhead">) {
    this.#context = context;
    this.#inheritance = inheritance;
  }

  /**
   * Answers a read that was routed here; at once if the state is in memory.
   * @throws OperatingError (or rejects with one): `wrong_view`, `not_ready`, `deadline_exceeded`, or the store's.
   */
  read(request: ReadRequest): ReadOutcome | Promise<ReadOutcome> {
    const { membership, cache } = this.#context;
    requireEpoch(membership, request.epoch);
    if (request.changed !== "" && cache.peek(request.key)?.tag === request.changed) cache.delete(request.key);
    return this.#fromMemory(request) ?? this.#fromStore(request);
  }

  /** The answer, if this member serves the key and has its state in memory. */
  fromMemory(key: string, wantValue: boolean): ReadOutcome | undefined {
    return this.#context.membership.mayAnswer(key) ? this.#answerIn(key, wantValue) : undefined;
  }

  #answerIn(key: string, wantValue: boolean): ReadOutcome | undefined {
    const { metrics } = this.#context;
    const state = this.inMemory(key);
    if (!state) return undefined;
    metrics.reads[isClean(state) ? "cache" : "buffer"]++;
    if (state.value !== undefined) return answerOf(state, state.value, wantValue);
    return isClean(state) ? { kind: "stored", info: state } : missing;
  }

  /**
   * The key's visible state, for judging a condition by it: an entry (a tombstone, too) or a clean value. Undefined
   * when there is nothing in memory, or a reference to what is in the store (L9).
   */
  inMemory(key: string): Entry | CleanValue | undefined {
    const entry = this.#context.buffer.get(key)?.entry;
    return entry && !entry.upload ? entry : this.#context.cache.get(key);
  }

  /**
   * Whether the key's visible state, of which nothing is in memory, is what the store has: nothing is pending, and
   * nothing is held but perhaps a reference.
   */
  isInStore(key: string): boolean {
    const record = this.#context.buffer.get(key);
    return (
      record === undefined || (record.pending.length === 0 && (!record.entry || record.entry.upload !== undefined))
    );
  }

  /**
   * The key's object in the store, which is then cached; undefined if there is none. For a key of which nothing is in
   * memory. The caller looks again whether that is still so when it gets the result, and always when it gets `void`.
   */
  async load(key: string): Promise<CleanValue | undefined | "void"> {
    assert(this.isInStore(key), "the store is asked when nothing else is held");
    const shared = this.#underWay.get(key) ?? this.#begin(key);
    try {
      const value = await shared.result;
      return shared.void ? "void" : value;
    } catch (error) {
      if (shared.void) return "void";
      throw error;
    }
  }

  /**
   * The tag of the key's object, if that is what was uploaded so; undefined if the key has another state.
   * @throws OperatingError `not_ready` while that is not known.
   */
  async tagOfUpload(key: string, { token, size }: Pick<Upload, "token" | "size">): Promise<string | undefined> {
    const state = this.inMemory(key) ?? (this.isInStore(key) ? await this.load(key) : "void");
    if (state === "void") throw new OperatingError("not_ready", "the key's state is changing");
    return state && isClean(state) && state.upload === token && state.size === size ? state.tag : undefined;
  }

  /** A write of the key was assigned: nothing read from the store before it may be used after it. */
  invalidate(key: string): void {
    if (this.#underWay.size === 0) return;
    const shared = this.#underWay.get(key);
    if (!shared) return;
    shared.void = true;
    this.#underWay.delete(key);
  }

  /** The view changed. */
  invalidateAll(): void {
    for (const shared of this.#underWay.values()) shared.void = true;
    this.#underWay.clear();
  }

  #fromMemory({ key, wantValue }: ReadRequest): ReadOutcome | undefined {
    const { membership } = this.#context;
    // One look: the lease may end at any moment, and what is held would not be found then.
    if (!membership.mayAnswer(key)) throw notReady(membership, key);
    return this.#answerIn(key, wantValue);
  }

  async #fromStore(request: ReadRequest): Promise<ReadOutcome> {
    const { buffer, clock, settings } = this.#context;
    const deadline = clock.now() + request.deadlineMs;
    for (;;) {
      if (clock.now() >= deadline) throw new OperatingError("deadline_exceeded", "the store did not answer in time");
      // A pending write may be in the store already. Until its outcome is known, the store's answer may be too new
      // (R4).
      const record = buffer.get(request.key);
      const pending = record?.pending[0];
      if (record && pending) {
        this.#inheritance.sendAhead(record);
        if (clock.now() - pending.assignedAt > settings.operationMs) {
          throw new OperatingError("peer_unreachable", `a write of this key still waits for ${awaited(pending)}`);
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
      this.#context.metrics.reads.store++;
      if (!value) return missing;
      if (value.value === undefined) return { kind: "stored", info: value };
      return answerOf(value, value.value, request.wantValue);
    }
  }

  #begin(key: string): SharedRead {
    // Judged before the read: what comes to the store between the read and its answer would not be in that answer.
    const isSteady = this.#isSteady(key);
    const shared: SharedRead = {
      void: false,
      result: this.#fetch(key).then(
        (value) => {
          this.#end(key, shared);
          if (value && !shared.void && isSteady) this.#context.cache.set(key, value);
          return value;
        },
        (error: unknown) => {
          this.#end(key, shared);
          throw error;
        },
      ),
    };
    this.#underWay.set(key, shared);
    return shared;
  }

  /**
   * Whether the object changes only through this member. A forgotten member may have sent something that nobody holds,
   * and that takes effect late (R6).
   */
  #isSteady(key: string): boolean {
    const { membership, late, clock } = this.#context;
    const now = clock.now();
    if (membership.mayForgottenSendSince(key, late.since(now))) return false;
    return !membership.wasForgotten(key) || (membership.flushFrom(key) ?? Number.POSITIVE_INFINITY) <= now;
  }

  #end(key: string, shared: SharedRead): void {
    if (this.#underWay.get(key) === shared) this.#underWay.delete(key);
  }

  async #fetch(key: string): Promise<CleanValue | undefined> {
    const { store, settings, membership } = this.#context;
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

function answerOf(info: ValueInfo, value: Buffer, wantValue: boolean): ReadOutcome {
  return { kind: "value", info, value: wantValue ? value : undefined };
}
