/**
 * Writes at the primary. Each is given the key's next version and sent to the replicas; once all of them hold it (or, where there are
 * too few owners, the store does) it commits: it becomes visible to reads, and then the client is answered. Writes of one key
 * commit in the order of their versions. An assigned write is never given up while this member has tenure, whatever its client
 * was told.
 */

import { endOrTimeout, sleep } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { compact } from "../../base/memory.ts";
import { isDiscarded } from "../../core/discarded.ts";
import { type Entry, footprint } from "../../core/entry.ts";
import { Gates } from "../../core/gates.ts";
import type { WriteRequest } from "../../core/message.ts";
import { meets } from "../../core/precondition.ts";
import { type Version, versionOf } from "../../core/version.ts";
import { type Committed, isHeldByAll, type KeyRecord, pendingWrite, storeUnknown } from "../../core/write-buffer.ts";
import { presentState } from "./cache.ts";
import { Inheritance, ignoreLost } from "./inheritance.ts";
import { notReady, requireEpoch, wrongView } from "./not-ready.ts";
import type { PrimaryParts } from "./primary-parts.ts";
import { Repeats } from "./repeats.ts";
import { Replicator } from "./replicator.ts";
import { bufferFull, preconditionFailed, uploadLost, type WriteAnswer, written } from "./write-answer.ts";
import { footprintOf, nameOf } from "./write-request.ts";

/** How often to look whether the store has a state that somebody waits for, in milliseconds: about as long as a request to it takes. */
const flushPollMs = 20;
/** How long a write that waits for that holds back later ones, at most: several flushes of a store that is well. */
const flushHoldMs = 1_000;

export class Primary {
  readonly #parts: PrimaryParts;
  readonly #replicator: Replicator;
  readonly #repeats: Repeats;
  readonly inheritance: Inheritance;
  /** Keys whose first pending write has all that it needs, except that this member may not answer at the moment. */
  readonly #ready = new Set<KeyRecord>();
  /** Keys of which a conditional write waits, with its assignment: later writes of the key wait for that, or it would never have its turn. */
  readonly #gates = new Gates();
  /** Writes that wait to be assigned, by request id. */
  readonly #waiting = new Map<string, Promise<WriteAnswer>>();
  #seq = 0;
  #drained = false;

  constructor(parts: PrimaryParts) {
    this.#parts = parts;
    const { membership, network, clock, complaints, replicateMs, observer } = parts;
    this.#replicator = new Replicator({
      membership,
      network,
      clock,
      complaints,
      deadlineMs: replicateMs,
      observer: {
        onAcknowledged: (record) => this.commitReady(record),
        onNewerEpoch: (epoch) => observer.onNewerEpoch(epoch),
        onStuck: (peer) => observer.onStuck(peer),
      },
    });
    this.#repeats = new Repeats({ ...parts, requireTenure: (key) => this.#requireTenure(key) });
    this.inheritance = new Inheritance({
      membership,
      buffer: parts.buffer,
      clock,
      replicator: this.#replicator,
      commitReady: (record) => this.commitReady(record),
      onInherited: (record) => observer.onInherited(record),
      onAwaited: (record) => observer.onAwaited(record),
      onAsked: () => observer.onAsked(),
    });
  }

  /**
   * Does a write that was routed here. The value's buffer is kept.
   * @throws OperatingError, or rejects with one: `wrong_view`, `not_ready` (try again, with the same request id); `buffer_full` (not done);
   *   for a conditional write also what reading the store may throw.
   */
  write(request: WriteRequest): Promise<WriteAnswer> {
    const { membership, requests, buffer } = this.#parts;
    requireEpoch(membership, request.epoch);
    this.#requireTenure(request.key);
    const known = requests.find(request.requestId);
    if (known) return this.#repeats.answer(known, request);
    const waiting = this.#waiting.size > 0 && this.#waiting.get(nameOf(request.requestId));
    if (waiting) return waiting;
    this.#requireProgress(request.key);
    if (request.precondition || request.upload || this.#gates.isClosed(request.key)) {
      return this.#waitFor(request, this.#writeInTurn(request));
    }
    const bytes = footprintOf(request);
    if (buffer.admission.tryTake(bytes)) return this.#assign(request, bytes);
    return this.#waitFor(request, this.#writeWithRoom(request, bytes));
  }

  /** Begins anew under a view just adopted: acknowledgements of older epochs count no more. */
  adoptView(): void {
    const { buffer, membership } = this.#parts;
    this.#replicator.adoptView();
    this.#ready.clear();
    for (const record of buffer.records()) {
      if (record.pending.length === 0) continue;
      const owners = membership.ownersOf(record.key);
      for (const write of record.pending) {
        write.missing = owners.slice(1);
        const isShort = membership.isShort(owners);
        const isUncompleted = write.entry.upload !== undefined && write.tag === "";
        write.needsStore =
          (!isDiscarded(write.entry) && (isShort || isUncompleted)) || (write.inherited && write.needsStore);
        for (const peer of write.missing) this.#replicator.send(record, write, peer);
      }
      this.commitReady(record);
    }
    this.inheritance.adoptView();
  }

  /** The lease, or the tenure of some keys, is there: what waited only for that commits. */
  mayAnswer(): void {
    const ready = [...this.#ready];
    this.#ready.clear();
    for (const record of ready) this.commitReady(record);
  }

  /** A link is up: what waits for this peer is sent now. */
  resend(peer: string): void {
    this.#replicator.resend(peer);
  }

  /** Commits what waits for nothing any more, in the order of versions. */
  commitReady(record: KeyRecord): void {
    const { buffer, cache, membership, clock, metrics, observer } = this.#parts;
    let committed = false;
    for (;;) {
      const first = record.pending[0];
      if (!first || !isHeldByAll(first)) break;
      if (first.needsStore) {
        observer.onWriteThrough(record);
        break;
      }
      if (
        record.pending.length > 1 &&
        record.pending.some((write) => write.fromStore && (write.needsStore || !isHeldByAll(write)))
      )
        break;
      if (!membership.mayAnswer(record.key)) {
        this.#ready.add(record);
        break;
      }
      const { entry, tag, settle, assignedAt, inherited } = buffer.commit(record);
      if (!inherited) metrics.commit.observeMs(clock.now() - assignedAt);
      settle.committed({ epoch: entry.epoch, seq: entry.seq, tag });
      committed = true;
    }
    if (!committed) return;
    cache.delete(record.key);
    observer.onCommit(record);
  }

  /** A state of the key that was found in the store, newer than any that its owners hold: it becomes the key's next write. */
  takeOver(record: KeyRecord, entry: Entry): void {
    this.#parts.buffer.admission.takeForWrite(footprint(entry));
    // If the tenure ends the entry is held and handed off like any other.
    this.#begin(record, entry, true).catch(ignoreLost);
  }

  /** The upload of the first pending write can never be completed. It was no write: the key's state is what the store has, and that is what its reference stands for. */
  loseUpload(record: KeyRecord, refusal: OperatingError | undefined): void {
    const { buffer, cache, observer } = this.#parts;
    const { entry, settle } = buffer.commit(record);
    if (isDiscarded(entry)) settle.committed({ epoch: entry.epoch, seq: entry.seq, tag: "" });
    else settle.lost(uploadLost(refusal));
    cache.delete(record.key);
    observer.onCommit(record);
    this.commitReady(record);
  }

  /** No write is assigned any more. */
  drain(): void {
    this.#drained = true;
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#replicator.stop();
  }

  #requireTenure(key: string): void {
    const { membership } = this.#parts;
    if (!membership.mayAnswer(key)) throw notReady(membership, key);
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
    const { key, precondition, upload, discards } = request;
    if (discards) return await this.#discard(request, discards);
    if (precondition || upload) return await this.#writeIf(request);
    await this.#gates.passed(key);
    this.#requireTenure(key);
    const bytes = footprintOf(request);
    return this.#parts.buffer.admission.tryTake(bytes)
      ? await this.#assign(request, bytes)
      : await this.#writeWithRoom(request, bytes);
  }

  /** What the store has is written in place of this version. */
  async #discard(request: WriteRequest, version: Version): Promise<WriteAnswer> {
    const { buffer, mayDiscard } = this.#parts;
    await this.#gates.passed(request.key);
    this.#requireTenure(request.key);
    if (!mayDiscard(request.key, version)) return preconditionFailed;
    // Limit or not: it makes room.
    const bytes = footprintOf(request);
    buffer.admission.takeForWrite(bytes);
    return await this.#assign(request, bytes);
  }

  async #writeWithRoom(request: WriteRequest, bytes: number): Promise<WriteAnswer> {
    const { admission } = this.#parts.buffer;
    if (!(await admission.waitAndTake(bytes))) throw this.#bufferFull();
    try {
      this.#requireTenure(request.key);
    } catch (error) {
      admission.giveBack(bytes);
      throw error;
    }
    return await this.#assign(request, bytes);
  }

  /**
   * Waits until the visible state is the newest one, judges it, and writes with no gap in between. Later writes wait for that, but not for the store: what
   * they write is the newest state then, and the store's answer is not needed.
   */
  async #writeIf(request: WriteRequest): Promise<WriteAnswer> {
    const { buffer, reads, clock, observer } = this.#parts;
    const { key, precondition, upload } = request;
    const deadline = clock.now() + request.deadlineMs;
    const holdUntil = clock.now() + flushHoldMs;
    const bytes = footprintOf(request);
    let open = await this.#gates.enter(key);
    let taken = false;
    try {
      for (;;) {
        if (clock.now() >= deadline)
          throw new OperatingError("deadline_exceeded", "an earlier write of this key still waits");
        this.#requireTenure(key);
        const record = buffer.get(key);
        const pending = record?.pending.at(-1);
        if (record && pending) {
          this.inheritance.hasten(record);
          // Its value would be kept, and later writes held up, for as long as that is stuck.
          await endOrTimeout(clock, deadline - clock.now(), pending.outcome.catch(ignoreLost));
          continue;
        }
        if (upload && record?.dirty) {
          // The store may lose an upload before it is completed: then the key's state must be there, since nobody holds it any more.
          observer.onAwaited(record);
          // Later writes wait as long as it is about to come there, or a key that is written all the time would never have it there.
          const holdsOthers = record.failures === 0 && clock.now() < holdUntil;
          if (!holdsOthers) open();
          await sleep(clock, flushPollMs);
          if (!holdsOthers) open = await this.#gates.enter(key);
          continue;
        }
        let state = reads.inMemory(key);
        if (precondition && !state) {
          open();
          const loaded = await reads.load(key);
          const isLate = this.#gates.isClosed(key);
          open = isLate ? await this.#gates.enter(key) : this.#gates.close(key);
          if (isLate || loaded === "void" || !reads.isInStore(key)) continue;
          state = loaded;
          this.#requireTenure(key);
        }
        if (precondition && !meets(presentState(state), precondition)) return preconditionFailed;
        if (taken || buffer.admission.tryTake(bytes)) {
          taken = false;
          const answer = this.#assign(request, bytes);
          open();
          return await answer;
        }
        // Admission first, then it is judged again: the state may change while this waits.
        if (!(await buffer.admission.waitAndTake(bytes))) throw this.#bufferFull();
        taken = true;
      }
    } finally {
      open();
      if (taken) buffer.admission.giveBack(bytes);
    }
  }

  /** Gives the write its version and sends it out; room of `bytes` was taken for it. */
  #assign(request: WriteRequest, bytes: number): Promise<WriteAnswer> {
    const { membership, buffer, requests, cache, clock } = this.#parts;
    const known = requests.find(request.requestId);
    if (known) {
      buffer.admission.giveBack(bytes);
      return this.#repeats.answer(known, request);
    }
    const refusal = this.#refusal(request);
    if (refusal) {
      buffer.admission.giveBack(bytes);
      throw refusal;
    }
    const { key, headers, md5, requestId } = request;
    // What arrives over a link shares its memory with its neighbours.
    const value = request.value && compact(request.value);
    const epoch = membership.epoch;
    const seq = ++this.#seq;
    const modifiedMs = clock.wallMs();
    const upload = request.upload && { ...request.upload, manifest: compact(request.upload.manifest) };
    const size = upload?.size ?? value?.length ?? 0;
    const plain = { epoch, seq, key, value, headers, md5, modifiedMs, size, requestId };
    const entry: Entry = upload ? { ...plain, upload } : plain;

    const record = buffer.open(key, clock.now());
    if (record.store === storeUnknown) {
      const clean = cache.peek(key);
      if (clean) record.store = { kind: "present", tag: clean.tag };
    }
    return this.#begin(record, entry, false).then(written);
  }

  /** Why a write that comes to its turn only now is not assigned any more. */
  #refusal(request: WriteRequest): OperatingError | undefined {
    const { membership, requests } = this.#parts;
    // Nobody else would take it either, soon.
    if (this.#drained) return new OperatingError("shutting_down", "the last node that owns keys is stopping");
    if (request.epoch !== membership.epoch) return wrongView();
    if (!requests.isFinished(request.requestId)) return undefined;
    return new OperatingError("deadline_exceeded", "nobody waits for this write any more");
  }

  /** Sends an assigned entry to whoever must have it before it commits. */
  #begin(record: KeyRecord, entry: Entry, fromStore: boolean): Promise<Committed> {
    const { membership, buffer, requests, reads, journal, clock } = this.#parts;
    const owners = membership.ownersOf(entry.key);
    const isShort = membership.isShort(owners);
    const discards = isDiscarded(entry);
    const needsStore =
      !discards &&
      (isShort || entry.upload !== undefined || (fromStore && record.pending.some((write) => write.needsStore)));
    const write = pendingWrite(entry, { now: clock.now(), missing: owners.slice(1), needsStore, fromStore });
    buffer.assign(record, write);
    // What is given up is not sent any more.
    if (discards) record.lastSent = versionOf(entry);
    requests.record(entry.requestId, entry.key, versionOf(entry));
    reads.invalidate(entry.key);
    const durable = journal.durable();
    if (durable) {
      write.journaled = false;
      void durable.then(() => {
        write.journaled = true;
        this.commitReady(record);
      });
    }
    for (const peer of write.missing) this.#replicator.send(record, write, peer);
    this.inheritance.hasten(record);
    this.commitReady(record);
    return write.outcome;
  }

  #bufferFull(): OperatingError {
    const { buffer, metrics } = this.#parts;
    metrics.refusals[buffer.admission.isShut ? "age" : "full"]++;
    return bufferFull(buffer.admission);
  }
}
