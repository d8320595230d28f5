/**
 * Writes at the primary. Each is given the key's next version and sent to the replicas. Once all of them hold it (or
 * the store does, where there are too few owners) it commits: it becomes visible to reads, and then the client is
 * answered. Writes of one key commit in the order of their versions.
 */

import { OperatingError } from "../../base/errors.ts";
import type { RequestId } from "../../core/entry.ts";
import { Gates } from "../../core/gates.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { WriteRequest } from "../../core/message.ts";
import type { WriteOutcome } from "../../core/operation.ts";
import { awaited } from "../../core/pending-write.ts";
import type { Version } from "../../core/version.ts";
import type { ContextOf } from "../context.ts";
import { type Assigner, footprintOf } from "./assigner.ts";
import type { Committer } from "./committer.ts";
import { ConditionalWrites } from "./conditional-write.ts";
import type { FlushRequests } from "./flush-requests.ts";
import type { Inheritance } from "./inheritance.ts";
import { requireEpoch, requireTenure } from "./not-ready.ts";
import type { ReadPath } from "./read-path.ts";
import type { RefusedShare } from "./refused-share.ts";
import type { Repeats } from "./repeats.ts";
import type { Replicator } from "./replicator.ts";
import { preconditionFailed } from "./write-answer.ts";

type PrimaryContext = ContextOf<"membership" | "buffer" | "requests" | "clock" | "settings">;

/**
 * Inherited writes that a view finds pending, and that are sent one by one, at most. There may be as many as keys: the
 * hand-off brings the others in bulk.
 */
const mostSentAnew = 1_000;

export interface PrimaryParts {
  readonly assigner: Pick<Assigner, "assign" | "bufferFull" | "drain">;
  readonly committer: Pick<Committer, "commitReady" | "mayAnswer" | "adoptView">;
  readonly replicator: Pick<Replicator, "send" | "resend" | "adoptView" | "stop">;
  readonly inheritance: Inheritance;
  readonly repeats: Pick<Repeats, "answer">;
  readonly refusedShare: Pick<RefusedShare, "require">;
  readonly reads: Pick<ReadPath, "inMemory" | "isInStore" | "load">;
  readonly flush: Pick<FlushRequests, "expediteAwaited">;
  /** Whether this version of a key that is served here may be discarded: see `admin/discard.ts`. */
  readonly mayDiscard: (key: string, version: Version) => boolean;
}

export class Primary {
  readonly #context: PrimaryContext;
  readonly #parts: PrimaryParts;
  /** Keys of which a conditional write waits. Later writes of the key wait for it, or it would never have its turn. */
  readonly #gates = new Gates();
  readonly #conditional: ConditionalWrites;
  readonly inheritance: Inheritance;
  /** Inherited writes that were sent under the adopted view before its hand-off. */
  #sentAnew = 0;
  /** Writes that wait to be assigned, by request id. */
  readonly #waiting = new Map<string, Promise<WriteOutcome>>();

  constructor(context: PrimaryContext, parts: PrimaryParts) {
    this.#context = context;
    this.#parts = parts;
    this.inheritance = parts.inheritance;
    this.#conditional = new ConditionalWrites(context, { ...parts, gates: this.#gates });
  }

  /**
   * Does a write that was routed here. The value's buffer is kept.
   * @throws OperatingError, or rejects with one: `wrong_view`, `not_ready` (try again, with the same request id);
   *   `buffer_full`, `refused_full` (not done); for a conditional write also what reading the store may throw.
   */
  write(request: WriteRequest): Promise<WriteOutcome> {
    const { membership, requests, buffer } = this.#context;
    requireEpoch(membership, request.epoch); // W2
    requireTenure(membership, request.key);
    const known = requests.find(request.requestId);
    if (known) return this.#parts.repeats.answer(known, request);
    const waiting = this.#waiting.size > 0 && this.#waiting.get(nameOf(request.requestId));
    if (waiting) return waiting;
    this.#requireProgress(request.key);
    const bytes = footprintOf(request);
    this.#parts.refusedShare.require(request, bytes, 0);
    if (request.precondition || request.upload || this.#gates.isClosed(request.key)) {
      return this.#waitFor(request, this.#writeInTurn(request));
    }
    if (buffer.admission.tryTake(bytes)) return this.#parts.assigner.assign(request, bytes);
    return this.#waitFor(request, this.#writeWithRoom(request, bytes));
  }

  /** Begins anew under a view just adopted: acknowledgements of older epochs count no more. */
  adoptView(): void {
    const { replicator, committer } = this.#parts;
    replicator.adoptView();
    committer.adoptView();
    this.inheritance.stop();
    this.#sentAnew = 0;
  }

  /** What is pending of a key that this member goes on to serve under the view is sent to the owners in that. */
  beginEpoch(record: KeyState): void {
    const { membership } = this.#context;
    const { replicator, committer } = this.#parts;
    const owners = membership.ownersOf(record.key);
    const others = owners.slice(1);
    const sendsInherited = !record.inherited || this.#sentAnew++ < mostSentAnew;
    record.beginEpoch(others, membership.isShort(owners), sendsInherited);
    for (const write of record.pending) {
      if (write.inherited && !write.sentAhead) continue;
      for (const peer of others) replicator.send(record, write, peer);
    }
    committer.commitReady(record);
  }

  /** The lease, or the tenure of some keys, is there: what waited only for that commits. */
  mayAnswer(): void {
    this.#parts.committer.mayAnswer();
  }

  /** A link is up: what waits for this peer is sent now. */
  resend(peer: string): void {
    this.#parts.replicator.resend(peer);
  }

  /** No write is assigned any more. */
  drain(): void {
    this.#parts.assigner.drain();
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#parts.replicator.stop();
  }

  /**
   * A repeat of a request that waits here shares its fate: else one copy could be refused and the other be done (W14).
   */
  #waitFor(request: WriteRequest, answer: Promise<WriteOutcome>): Promise<WriteOutcome> {
    const name = nameOf(request.requestId);
    this.#waiting.set(name, answer);
    const done = (): void => void this.#waiting.delete(name);
    answer.then(done, done);
    return answer;
  }

  /**
   * A key whose oldest write is stuck takes no more of them: a replica is away, and they would only fill the buffer.
   */
  #requireProgress(key: string): void {
    const { buffer, clock, settings } = this.#context;
    const oldest = buffer.get(key)?.pending[0];
    if (oldest && clock.now() - oldest.assignedAt > settings.operationMs) {
      throw new OperatingError("peer_unreachable", `an earlier write of this key still waits for ${awaited(oldest)}`);
    }
  }

  async #writeInTurn(request: WriteRequest): Promise<WriteOutcome> {
    const { key, precondition, upload, discards } = request;
    if (discards) return await this.#discard(request, discards);
    if (precondition || upload) return await this.#conditional.write(request);
    await this.#gates.passed(key);
    requireTenure(this.#context.membership, key);
    const bytes = footprintOf(request);
    this.#parts.refusedShare.require(request, bytes, 0);
    return this.#context.buffer.admission.tryTake(bytes)
      ? await this.#parts.assigner.assign(request, bytes)
      : await this.#writeWithRoom(request, bytes);
  }

  /** What the store has is written in place of this version. */
  async #discard(request: WriteRequest, version: Version): Promise<WriteOutcome> {
    await this.#gates.passed(request.key);
    requireTenure(this.#context.membership, request.key);
    if (!this.#parts.mayDiscard(request.key, version)) return preconditionFailed;
    // Limit or not: it makes room.
    const bytes = footprintOf(request);
    this.#context.buffer.admission.takeForWrite(bytes);
    return await this.#parts.assigner.assign(request, bytes);
  }

  async #writeWithRoom(request: WriteRequest, bytes: number): Promise<WriteOutcome> {
    const { membership, buffer } = this.#context;
    const { assigner } = this.#parts;
    if (!(await buffer.admission.waitAndTake(bytes))) throw assigner.bufferFull();
    try {
      requireTenure(membership, request.key);
      this.#parts.refusedShare.require(request, bytes, bytes);
    } catch (error) {
      buffer.admission.giveBack(bytes);
      throw error;
    }
    return await assigner.assign(request, bytes);
  }
}

/** The same for every copy of a request. */
function nameOf({ router, counter }: RequestId): string {
  return `${router}.${counter}`;
}
