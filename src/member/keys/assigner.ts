/**
 * Assignment: gives a write its version, holds it, and sends it to every owner that must have it before it commits.
 * From then on the write is never given up while this member has tenure, whatever its client was told (W9).
 */

import { OperatingError } from "../../base/errors.ts";
import { Interned } from "../../base/interned.ts";
import { compact } from "../../base/memory.ts";
import { type Entry, footprint } from "../../core/entry.ts";
import { type KeyState, storeUnknown, storeUnseen } from "../../core/key-state.ts";
import type { WriteRequest } from "../../core/message.ts";
import type { WriteOutcome } from "../../core/operation.ts";
import type { Committed } from "../../core/pending-write.ts";
import { versionOf } from "../../core/version.ts";
import type { ContextOf } from "../context.ts";
import type { Committer } from "./committer.ts";
import { type Inheritance, ignoreLost } from "./inheritance.ts";
import { wrongView } from "./not-ready.ts";
import type { ReadPath } from "./read-path.ts";
import type { Repeats } from "./repeats.ts";
import type { Replicator } from "./replicator.ts";
import { written } from "./write-answer.ts";

type AssignerContext = ContextOf<
  "membership" | "buffer" | "requests" | "cache" | "journal" | "clock" | "metrics" | "late"
>;

export interface AssignerParts {
  readonly replicator: Pick<Replicator, "send">;
  readonly committer: Pick<Committer, "commitReady">;
  readonly inheritance: Pick<Inheritance, "sendAhead">;
  readonly reads: Pick<ReadPath, "invalidate">;
  readonly repeats: Pick<Repeats, "answer">;
}

/** Names of holders that are kept as one string each. Addresses may be more than that: those are short. */
const mostNames = 1_000;

export class Assigner {
  readonly #context: AssignerContext;
  readonly #parts: AssignerParts;
  readonly #holders = new Interned(mostNames);
  #seq = 0;
  #drained = false;

  constructor(context: AssignerContext, parts: AssignerParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /**
   * Assigns a write, for which room of `bytes` was taken; the answer comes when it has committed. A copy of a request
   * that was assigned before has the first outcome.
   * @throws OperatingError: `wrong_view`, `shutting_down`, `deadline_exceeded`. Then the room is given back.
   */
  assign(request: WriteRequest, bytes: number): Promise<WriteOutcome> {
    const { membership, buffer, requests, clock } = this.#context;
    const known = requests.find(request.requestId);
    if (known) {
      buffer.admission.giveBack(bytes);
      return this.#parts.repeats.answer(known, request);
    }
    const refusal = this.#refusal(request);
    if (refusal) {
      buffer.admission.giveBack(bytes);
      throw refusal;
    }
    const { key, headers, md5, requestId } = request;
    const holder = request.holder === undefined ? undefined : this.#holders.of(request.holder);
    // What arrives over a link shares its memory with its neighbours.
    const value = request.value && compact(request.value);
    const epoch = membership.epoch;
    const seq = ++this.#seq;
    const modifiedMs = clock.wallMs();
    const upload = request.upload && { ...request.upload, manifest: compact(request.upload.manifest) };
    const size = upload?.size ?? value?.length ?? 0;
    const plain = { epoch, seq, key, value, headers, md5, modifiedMs, size, requestId, holder };
    const entry: Entry = upload ? { ...plain, upload } : plain;

    const record = buffer.open(key, clock.now());
    if (record.store === storeUnknown) this.#recall(record);
    return this.#begin(record, entry, false).then(written);
  }

  /**
   * A state of the key was found in the store, newer than any that its owners hold: it is the key's next write (F9).
   */
  takeOver(record: KeyState, entry: Entry): void {
    this.#context.buffer.admission.takeForWrite(footprint(entry));
    // If the tenure ends the entry is held, and handed off like any other.
    this.#begin(record, entry, true).catch(ignoreLost);
  }

  /** No write is assigned any more. */
  drain(): void {
    this.#drained = true;
  }

  /** For a write that found no room, and was not done. Counts the refusal. */
  bufferFull(): OperatingError {
    const { buffer, metrics } = this.#context;
    metrics.refusals[buffer.admission.isShut ? "age" : "full"]++;
    return new OperatingError(
      "buffer_full",
      buffer.admission.isShut
        ? "the store has lacked an acknowledged value for longer than buffer.maxDirtyAgeMs"
        : "the write buffer is full of values that the store has not taken yet",
    );
  }

  /** What is known of the object when the key's first write comes. */
  #recall(record: KeyState): void {
    const { membership, cache, late, clock } = this.#context;
    const now = clock.now();
    const since = Math.max(late.since(now), late.lookedAt(record.key) ?? Number.NEGATIVE_INFINITY);
    if (membership.mayForgottenSendSince(record.key, since)) {
      late.extend(record.key, undefined, now);
      record.mayHaveUnknown(late.until(now));
      record.saw(storeUnseen); // V69
      return;
    }
    const clean = cache.peek(record.key);
    if (clean) record.saw({ kind: "present", tag: clean.tag });
  }

  /** Why a write that comes to its turn only now is not assigned any more. */
  #refusal(request: WriteRequest): OperatingError | undefined {
    const { membership, requests } = this.#context;
    // Nobody else would take it either, soon.
    if (this.#drained) return new OperatingError("shutting_down", "the last node that owns keys is stopping");
    if (request.epoch !== membership.epoch) return wrongView();
    if (!requests.isFinished(request.requestId)) return undefined;
    return new OperatingError("deadline_exceeded", "nobody waits for this write any more");
  }

  #begin(record: KeyState, entry: Entry, fromStore: boolean): Promise<Committed> {
    const { membership, buffer, requests, journal, clock } = this.#context;
    const { replicator, committer, inheritance, reads } = this.#parts;
    const owners = membership.ownersOf(entry.key);
    const others = owners.slice(1);
    const isShort = membership.isShort(owners);
    const write = buffer.assign(record, entry, { now: clock.now(), others, isShort, fromStore });
    requests.record(entry.requestId, entry.key, versionOf(entry));
    reads.invalidate(entry.key);
    const durable = journal.durable();
    if (!durable) record.journaled(write);
    else
      void durable.then(() => {
        record.journaled(write);
        committer.commitReady(record);
      });
    for (const peer of others) replicator.send(record, write, peer);
    inheritance.sendAhead(record);
    committer.commitReady(record);
    return write.outcome;
  }
}

/** What a write will count towards the buffer, before it is an entry. */
export function footprintOf({ key, value, headers, upload }: WriteRequest): number {
  const shape = { key, size: value?.length ?? 0, headers };
  return footprint(upload ? { ...shape, upload } : shape);
}
