/**
 * Writes at the primary. Each is given the key's next version and sent to the replicas; once all of them hold it (or, where there are
 * too few owners, the store does) it commits: it becomes visible to reads, and then the client is answered. Writes of one key
 * commit in the order of their versions. An assigned write is never given up while this member has tenure, whatever its client
 * was told.
 */

import { assert } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Complaints } from "../base/complaints.ts";
import { isOperatingError, OperatingError } from "../base/errors.ts";
import { type Entry, footprint, type RequestId } from "../core/entry.ts";
import type { Membership } from "../core/membership.ts";
import type {
  PeerAnswer,
  Precondition,
  PreconditionFailedAnswer,
  RequestOutcome,
  WriteRequest,
  WrittenAnswer,
} from "../core/message.ts";
import { compact } from "../core/operation.ts";
import type { RequestLog } from "../core/request-log.ts";
import type { Version } from "../core/version.ts";
import { type KeyRecord, type PendingWrite, storeUnknown, type WriteBuffer } from "../core/write-buffer.ts";
import type { Network } from "../network/network.ts";
import type { Cache } from "./cache.ts";
import type { ReadPath } from "./read-path.ts";

/** What happens outside of the write path when something happens in it. */
export interface PrimaryObserver {
  /** The key has a newer visible state. */
  onCommit(record: KeyRecord): void;
  /** The key's newest write waits for the store. */
  onWriteThrough(record: KeyRecord): void;
  /** A peer has adopted this newer epoch. */
  onNewerEpoch(epoch: number): void;
}

export interface PrimaryParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly requests: RequestLog;
  readonly cache: Cache;
  readonly reads: ReadPath;
  readonly network: Network;
  readonly clock: Clock;
  readonly complaints: Complaints;
  /** A key whose oldest pending write is older than this takes no further ones: a replica is away, and they would only fill the buffer. */
  readonly stuckMs: number;
  readonly observer: PrimaryObserver;
}

type WriteAnswer = WrittenAnswer | PreconditionFailedAnswer;

/** A write that a replica has not got yet, and that waits to be sent again. */
interface Unsent {
  readonly record: KeyRecord;
  readonly write: PendingWrite;
}

const preconditionFailed: PreconditionFailedAnswer = Object.freeze({ kind: "precondition_failed" });

/** How long one attempt to replicate may take, and the pause before what failed is sent again, in milliseconds. */
const replicateDeadlineMs = 10_000;
const resendMs = 50;
/** The pause when the replica's buffer is full: the values are as large as they are many. */
const fullPauseMs = 500;

export class Primary {
  readonly #parts: PrimaryParts;
  readonly #unsent = new Map<string, Unsent[]>();
  readonly #resendTimers = new Map<string, Timer>();
  /** Keys of which a conditional write waits, with its assignment: later writes of the key wait for that, or it would never have its turn. */
  readonly #gates = new Map<string, Promise<void>>();
  /** Writes that wait to be assigned, by request id. */
  readonly #waiting = new Map<string, Promise<WriteAnswer>>();
  #seq = 0;

  constructor(parts: PrimaryParts) {
    this.#parts = parts;
  }

  /**
   * Does a write that was routed here. The value's buffer is kept.
   * @throws OperatingError, or rejects with one: `wrong_view`, `not_ready` (try again, with the same request id); `buffer_full` (not done);
   *   for a conditional write also what reading the store may throw.
   */
  write(request: WriteRequest): Promise<WriteAnswer> {
    const { membership, requests, buffer } = this.#parts;
    if (request.epoch !== membership.epoch) throw new OperatingError("wrong_view", "the members have changed");
    this.#requireTenure(request.key);
    const known = requests.find(request.requestId);
    if (known) return this.#repeat(known);
    const waiting = this.#waiting.size > 0 && this.#waiting.get(nameOf(request.requestId));
    if (waiting) return waiting;
    this.#requireProgress(request.key);
    if (request.precondition || (this.#gates.size > 0 && this.#gates.has(request.key))) {
      return this.#waitFor(request, this.#writeInTurn(request));
    }
    const bytes = footprintOf(request);
    if (buffer.room.tryTake(bytes)) return this.#assign(request, bytes);
    return this.#waitFor(request, this.#writeWithRoom(request, bytes));
  }

  /** Begins anew under a view just adopted: acknowledgements of older epochs count no more. */
  adoptView(): void {
    const { buffer, membership, observer } = this.#parts;
    this.#unsent.clear();
    for (const record of buffer.records()) {
      if (record.pending.length === 0) continue;
      const owners = membership.ownersOf(record.key);
      for (const write of record.pending) {
        write.missing = owners.slice(1);
        write.needsStore = owners.length < membership.view.parameters.replicas;
        for (const peer of write.missing) this.#replicate(record, write, peer);
      }
      if (record.pending.at(-1)?.needsStore) observer.onWriteThrough(record);
      this.commitReady(record);
    }
  }

  /** A link is up: what waits for this peer is sent now. */
  resend(peer: string): void {
    const waiting = this.#unsent.get(peer);
    this.#unsent.delete(peer);
    for (const { record, write } of waiting ?? []) {
      if (record.pending.includes(write) && write.missing.includes(peer)) this.#replicate(record, write, peer);
    }
  }

  /** Commits what waits for nothing any more, in the order of versions. */
  commitReady(record: KeyRecord): void {
    const { buffer, cache, observer } = this.#parts;
    let committed = false;
    for (;;) {
      const first = record.pending[0];
      if (!first || first.missing.length > 0 || first.needsStore) break;
      const { entry, settle } = buffer.commit(record);
      settle.committed({ epoch: entry.epoch, seq: entry.seq });
      committed = true;
    }
    if (!committed) return;
    cache.delete(record.key);
    observer.onCommit(record);
  }

  stop(): void {
    for (const timer of this.#resendTimers.values()) timer.cancel();
  }

  #requireTenure(key: string): readonly string[] {
    const { membership } = this.#parts;
    const owners = membership.ownersOf(key);
    if (!membership.serves(key, owners)) throw new OperatingError("not_ready", "the hand-off of this key is under way");
    return owners;
  }

  /** A repeat of a request that waits here shares its fate: else one copy could be refused and the other be done. */
  #waitFor(request: WriteRequest, answer: Promise<WriteAnswer>): Promise<WriteAnswer> {
    const name = nameOf(request.requestId);
    this.#waiting.set(name, answer);
    const done = (): void => void this.#waiting.delete(name);
    answer.then(done, done);
    return answer;
  }

  #requireProgress(key: string): void {
    const { buffer, clock, stuckMs } = this.#parts;
    const oldest = buffer.get(key)?.pending[0];
    if (oldest && clock.now() - oldest.assignedAt > stuckMs) {
      const waitsFor = oldest.needsStore ? "the store" : oldest.missing.join(", ");
      throw new OperatingError("peer_unreachable", `an earlier write of this key still waits for ${waitsFor}`);
    }
  }

  async #writeInTurn(request: WriteRequest): Promise<WriteAnswer> {
    const { key, precondition } = request;
    for (let gate = this.#gates.get(key); gate; gate = this.#gates.get(key)) await gate;
    this.#requireTenure(key);
    const bytes = footprintOf(request);
    if (!precondition) {
      return this.#parts.buffer.room.tryTake(bytes)
        ? await this.#assign(request, bytes)
        : await this.#writeWithRoom(request, bytes);
    }
    const { promise, resolve: open } = Promise.withResolvers<void>();
    this.#gates.set(key, promise);
    const release = (): void => {
      if (this.#gates.get(key) === promise) this.#gates.delete(key);
      open();
    };
    try {
      return await this.#writeIf(request, precondition, release);
    } finally {
      release();
    }
  }

  async #writeWithRoom(request: WriteRequest, bytes: number): Promise<WriteAnswer> {
    const { room } = this.#parts.buffer;
    if (!(await room.waitAndTake(bytes))) throw bufferFull();
    try {
      this.#requireTenure(request.key);
    } catch (error) {
      room.giveBack(bytes);
      throw error;
    }
    return await this.#assign(request, bytes);
  }

  /** Waits until the visible state is the newest one, judges it, and writes with no gap in between; then calls `assigned`. */
  async #writeIf(request: WriteRequest, precondition: Precondition, assigned: () => void): Promise<WriteAnswer> {
    const { buffer, reads, clock } = this.#parts;
    const { key } = request;
    const deadline = clock.now() + request.deadlineMs;
    const bytes = footprintOf(request);
    let taken = false;
    try {
      for (;;) {
        if (clock.now() >= deadline)
          throw new OperatingError("deadline_exceeded", "an earlier write of this key still waits");
        this.#requireTenure(key);
        const pending = buffer.get(key)?.pending.at(-1);
        if (pending) {
          await pending.outcome.catch(() => undefined);
          continue;
        }
        let state = reads.inMemory(key);
        if (!state) {
          const loaded = await reads.load(key);
          if (loaded === "void" || buffer.get(key)) continue;
          state = loaded;
          this.#requireTenure(key);
        }
        if (!holds(precondition, state)) return preconditionFailed;
        if (taken || buffer.room.tryTake(bytes)) {
          taken = false;
          const answer = this.#assign(request, bytes);
          assigned();
          return await answer;
        }
        // Room first, then it is judged again: the state may change while this waits.
        if (!(await buffer.room.waitAndTake(bytes))) throw bufferFull();
        taken = true;
      }
    } finally {
      if (taken) buffer.room.giveBack(bytes);
    }
  }

  /** A state of the key that was found in the store, newer than any that its owners hold: it becomes the key's next write. */
  takeOver(record: KeyRecord, entry: Entry): void {
    this.#parts.buffer.room.takeForWrite(footprint(entry));
    this.#begin(record, entry).catch((error: unknown) => {
      // The tenure ended: the entry is held and handed off like any other.
      if (!isOperatingError(error)) throw error;
    });
  }

  /** Gives the write its version and sends it out; room of `bytes` was taken for it. */
  #assign(request: WriteRequest, bytes: number): Promise<WriteAnswer> {
    const { membership, buffer, requests, cache, clock } = this.#parts;
    const known = requests.find(request.requestId);
    if (known) {
      buffer.room.giveBack(bytes);
      return this.#repeat(known);
    }
    if (requests.isFinished(request.requestId)) {
      buffer.room.giveBack(bytes);
      throw new OperatingError("deadline_exceeded", "nobody waits for this write any more");
    }
    const { key, headers, md5, requestId } = request;
    // What arrives over a link shares its memory with its neighbours.
    const value = request.value && compact(request.value);
    const epoch = membership.epoch;
    const seq = ++this.#seq;
    const modifiedMs = clock.wallMs();
    const entry: Entry = { epoch, seq, key, value, headers, md5, modifiedMs, size: value?.length ?? 0, requestId };

    const record = buffer.open(key, clock.now());
    if (record.store === storeUnknown) {
      const clean = cache.peek(key);
      if (clean) record.store = { kind: "present", tag: clean.tag };
    }
    return this.#begin(record, entry).then(written);
  }

  /** Sends an assigned entry to whoever must have it before it commits. */
  #begin(record: KeyRecord, entry: Entry): Promise<Version> {
    const { membership, buffer, requests, reads, clock, observer } = this.#parts;
    const owners = membership.ownersOf(entry.key);
    const { promise: outcome, resolve: committed, reject: lost } = Promise.withResolvers<Version>();
    const write: PendingWrite = {
      entry,
      assignedAt: clock.now(),
      missing: owners.slice(1),
      needsStore: owners.length < membership.view.parameters.replicas,
      outcome,
      settle: { committed, lost },
    };
    buffer.assign(record, write);
    requests.record(entry.requestId, entry.key, { epoch: entry.epoch, seq: entry.seq });
    reads.invalidate(entry.key);
    for (const peer of write.missing) this.#replicate(record, write, peer);
    if (write.needsStore) observer.onWriteThrough(record);
    this.commitReady(record);
    return outcome;
  }

  /** The answer to a request that was assigned before: that of the first time, once it is known. */
  #repeat({ key, version }: RequestOutcome): Promise<WriteAnswer> {
    const pending = this.#parts.buffer
      .get(key)
      ?.pending.find(({ entry }) => entry.epoch === version.epoch && entry.seq === version.seq);
    return (pending?.outcome ?? Promise.resolve(version)).then(written);
  }

  #replicate(record: KeyRecord, write: PendingWrite, peer: string): void {
    const { network, membership, observer } = this.#parts;
    const epoch = membership.epoch;
    network.request(peer, { kind: "replicate", epoch, entry: write.entry }, replicateDeadlineMs).then(
      (answer: PeerAnswer) => {
        // An acknowledgement counts only in the epoch in which the entry was accepted.
        if (epoch !== membership.epoch) return;
        if (answer.kind === "ack" && answer.epoch === epoch) {
          write.missing = write.missing.filter((id) => id !== peer);
          this.commitReady(record);
          return;
        }
        const reason = answer.kind === "refused" ? answer.detail : answer.kind;
        if (answer.kind === "refused" && answer.epoch > epoch) observer.onNewerEpoch(answer.epoch);
        else this.#complain(peer, reason);
        const isFull = answer.kind === "refused" && answer.code === "buffer_full";
        this.#sendLater(record, write, peer, isFull ? fullPauseMs : resendMs);
      },
      (error: unknown) => {
        if (!isOperatingError(error)) throw error;
        // No link, no answer in time, or its queue is full: whatever it was, the write stays assigned and is sent again.
        if (epoch !== membership.epoch) return;
        this.#complain(peer, error.message);
        this.#sendLater(record, write, peer, resendMs);
      },
    );
  }

  #complain(peer: string, reason: string): void {
    this.#parts.complaints.warn(`replicate ${peer}`, "a replica does not take writes, which wait for it", {
      peer,
      reason,
    });
  }

  #sendLater(record: KeyRecord, write: PendingWrite, peer: string, pauseMs: number): void {
    const waiting = this.#unsent.get(peer);
    if (waiting) waiting.push({ record, write });
    else this.#unsent.set(peer, [{ record, write }]);
    if (this.#resendTimers.has(peer)) return;
    const timer = this.#parts.clock.after(pauseMs, () => {
      this.#resendTimers.delete(peer);
      // Without a link they wait for the next one.
      if (this.#parts.network.linked(peer)) this.resend(peer);
    });
    this.#resendTimers.set(peer, timer);
  }
}

function nameOf({ router, counter }: RequestId): string {
  return `${router}.${counter}`;
}

function bufferFull(): OperatingError {
  return new OperatingError("buffer_full", "the write buffer is full of values that the store has not taken yet");
}

function written(version: Version): WrittenAnswer {
  return { kind: "written", version };
}

function footprintOf(request: WriteRequest): number {
  return footprint({ key: request.key, size: request.value?.length ?? 0, headers: request.headers });
}

/** Whether a state (undefined or a tombstone: there is no value) meets what the client requires of it (RFC 9110, section 13.1). */
function holds(
  precondition: Precondition,
  state: { readonly value: Buffer | undefined; readonly md5: string } | undefined,
): boolean {
  const md5 = state?.value === undefined ? undefined : state.md5;
  const { match, noneMatch } = precondition;
  if (match && (md5 === undefined || !(match.includes("*") || match.includes(md5)))) return false;
  if (noneMatch && md5 !== undefined && (noneMatch.includes("*") || noneMatch.includes(md5))) return false;
  assert(match !== undefined || noneMatch !== undefined, "a precondition requires something");
  return true;
}
