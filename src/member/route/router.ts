/**
 * The router takes a client's operation on any member to the key's primary. When the members have changed, a hand-off
 * is under way or a link broke, it tries again under the same request id, until the operation's deadline. The client
 * sees a pause then, not an error.
 */

import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import { unfit } from "../../core/keys.ts";
import type { PeerAnswer, PeerIdentity, PeerRequest, ReadRequest, WriteRequest } from "../../core/message.ts";
import type { ReadOutcome, WriteOperation, WriteOutcome } from "../../core/operation.ts";
import type { Version } from "../../core/version.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { DurableWrites } from "../keys/durable-writes.ts";
import type { ReadPath } from "../keys/read-path.ts";
import type { MemberSettings } from "../settings.ts";
import type { OperationDeadlines } from "./operation-deadlines.ts";
import { WriteWindow } from "./write-window.ts";

type RouterContext = ContextOf<"clock" | "membership" | "network"> & {
  readonly settings: Pick<MemberSettings, "operationMs" | "flushDeadlineMs">;
  readonly store: Pick<BlobStore, "fits">;
};

/** The pause before the second attempt, and the longest before later ones, in milliseconds; a new view ends a pause. */
const firstRetryMs = 5;
const maxRetryMs = 100;
/**
 * While a majority is lost and nothing is taken over, an operation that needs a lost member fails after so many
 * milliseconds: its client need not wait for its deadline.
 */
const hopelessMs = 1_000;
/** If an attempt had less time than this, in milliseconds, its `deadline_exceeded` says nothing. */
const hurriedMs = 2 * maxRetryMs;
/**
 * A write of an upload waits for requests of others to the store, and is then completed there. It may take longer than
 * other writes by so many of their deadlines.
 */
const completionDeadlines = 2;

/**
 * All owners keep the outcomes of the writes that began after the oldest one under way: of so many at most, some 50 MB
 * where keys are short.
 */
const maxOutcomes = 200_000;

/** Members that are silent, and that nobody may drop. */
interface Losses {
  /** The members of the adopted view that do not answer. */
  readonly suspects: readonly PeerIdentity[];
  /** For how long some have been silent of which nobody may take anything over, in milliseconds. */
  readonly lostMs: number;
}

export class Router {
  readonly #context: RouterContext;
  readonly #durableWrites: Pick<DurableWrites, "write">;
  readonly #reads: Pick<ReadPath, "fromMemory" | "read">;
  readonly #deadlines: OperationDeadlines;
  readonly #onNewerEpoch: (epoch: number) => void;
  readonly #losses: Losses;
  readonly #incarnation: string;
  /** Counters of the writes under way, ascending (a Set keeps the order of insertion). */
  readonly #writing = new Set<number>();
  readonly #window = new WriteWindow(maxOutcomes);
  #counter = 0;
  #underWay = 0;
  #stopped = false;
  #ended = false;
  /** Called when all operations are done. */
  readonly #whenIdle: (() => void)[] = [];
  /** Operations that wait for a change, or for a pause to end, to try again. */
  readonly #waiting = new Set<() => void>();

  /** @param onNewerEpoch - is told of a newer epoch than this member's that a peer has adopted */
  constructor(
    context: RouterContext,
    durableWrites: Pick<DurableWrites, "write">,
    reads: Pick<ReadPath, "fromMemory" | "read">,
    deadlines: OperationDeadlines,
    onNewerEpoch: (epoch: number) => void,
    losses: Losses,
  ) {
    this.#context = context;
    this.#durableWrites = durableWrites;
    this.#reads = reads;
    this.#deadlines = deadlines;
    this.#onNewerEpoch = onNewerEpoch;
    this.#losses = losses;
    this.#incarnation = context.membership.self.incarnation;
  }

  /** Every write with a lower counter is finished and will not be sent again. */
  get watermark(): number {
    for (const counter of this.#writing) return counter;
    return this.#counter + 1;
  }

  write(operation: WriteOperation): Promise<WriteOutcome> {
    // A removal that no store can take would stay in the buffer for ever. What is discarded need not be taken by it.
    return operation.discards || this.#context.store.fits(operation.key)
      ? this.#write(operation)
      : Promise.reject(unfit());
  }

  read(key: string, wantValue: boolean, changed = ""): ReadOutcome | Promise<ReadOutcome> {
    // Most reads of a key's primary need nothing but a look: they are spared the rest.
    const answer = this.#stopped || changed !== "" ? undefined : this.#reads.fromMemory(key, wantValue);
    return answer ?? this.#read(key, wantValue, changed);
  }

  #read(key: string, wantValue: boolean, changed: string): Promise<ReadOutcome> {
    if (!this.#context.store.fits(key)) return Promise.reject(unfit());
    return this.persist((deadlineMs) => this.#readOnce(key, wantValue, changed, deadlineMs), key);
  }

  #readOnce(key: string, wantValue: boolean, changed: string, deadlineMs: number): ReadOutcome | Promise<ReadOutcome> {
    const { membership } = this.#context;
    const request: ReadRequest = { kind: "read", epoch: membership.epoch, key, wantValue, changed, deadlineMs };
    const primary = this.primaryOf(key, deadlineMs);
    if (primary !== membership.self.id) return this.ask(primary, request, deadlineMs).then(readOutcomeOf);
    const answer = this.#reads.read(request);
    return answer instanceof Promise ? this.#deadlines.within(answer, deadlineMs) : answer;
  }

  /**
   * Runs an operation that changes nothing. It makes attempts, and tells each how many milliseconds are left, until one
   * succeeds or fails for good.
   *
   * @param key - the one that it is about; it needs all members unless given
   * @throws OperatingError (rejects with one): the last attempt's, or `overloaded`, `shutting_down`.
   */
  async persist<T>(attempt: (deadlineMs: number) => T | Promise<T>, key?: string): Promise<T> {
    const { clock, settings } = this.#context;
    this.#admit();
    try {
      const began = clock.now();
      const deadline = began + settings.operationMs;
      let reason: unknown;
      let mayBeBack = true;
      for (let count = 0; ; count++) {
        const leftMs = deadline - clock.now();
        try {
          return await attempt(leftMs);
        } catch (error) {
          // The last attempt had too little time: the failure before it says more.
          if (reason !== undefined && leftMs < hurriedMs && isOperatingError(error, "deadline_exceeded")) throw reason;
          if (mayBeBack && isOperatingError(error, cutOff)) mayBeBack = false;
          else if (!worthRetrying(error)) throw error;
          reason = error;
          if (this.#isHopeless(began, key, 1)) throw error;
          await this.#pause(count, deadline, error);
        }
      }
    } finally {
      this.#left();
    }
  }

  /** The members, or what they serve, have changed: all that wait try again at once. */
  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const retry of waiting) retry();
  }

  /** Refuses new operations until {@link resume} (V28); resolves when those under way are done, or after `withinMs`. */
  async stop(withinMs = 0): Promise<void> {
    this.#stopped = true;
    if (this.#underWay === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenIdle.push(resolve);
    const timer = this.#context.clock.after(withinMs, resolve);
    await promise;
    timer.cancel();
  }

  resume(): void {
    this.#stopped = false;
  }

  /** This member is no more: what is under way fails. */
  end(): void {
    assert(!this.#ended, "a member ends once");
    this.#ended = true;
    this.wake();
  }

  async #write(operation: WriteOperation): Promise<WriteOutcome> {
    const { key, upload, precondition, md5, durability, discards } = operation;
    const { membership, clock } = this.#context;
    this.#admit();
    if (!this.#window.lets(operation.holder ?? "", this.#counter + 1, this.watermark)) {
      this.#left();
      throw new OperatingError("overloaded", "too many writes on this node came after one that is still under way");
    }
    const requestId = { router: this.#incarnation, counter: ++this.#counter };
    this.#writing.add(requestId.counter);
    assert(this.#writing.size <= this.#underWay, "each write under way was admitted");
    try {
      const began = clock.now();
      const deadline = began + this.#allowedMs(operation);
      let broken: OperatingError | undefined;
      // If the store gave no answer about an upload, the router does not ask again: it may be done.
      let mayBeBack = upload === undefined;
      for (let attempt = 0; ; attempt++) {
        const deadlineMs = deadline - clock.now();
        const request: WriteRequest = { ...operation, kind: "write", epoch: membership.epoch, requestId, deadlineMs };
        try {
          const owner = this.primaryOf(key, deadlineMs);
          const answer =
            owner === membership.self.id
              ? await this.#deadlines.within(this.#durableWrites.write(request), deadlineMs)
              : await this.ask(owner, request, deadlineMs);
          if (answer.kind === "written") {
            if (durability === "stored" && answer.durability !== "stored") throw notStored(answer.version);
            if (upload) return answer;
            return { kind: "written", version: answer.version, tag: md5, durability: answer.durability };
          }
          if (answer.kind === "precondition_failed") {
            // An earlier copy may have been done, and may have replaced the state that this one is for. And two members
            // may know different times of one state: that of the write, and that of the store (W18).
            if (broken && (discards || precondition?.unmodifiedSince !== undefined))
              throw new OperatingError("deadline_exceeded", broken.message, { cause: broken });
            return answer;
          }
          throw unexpected(answer);
        } catch (error) {
          // Once a link broke, an earlier copy may be done, whatever becomes of this one: also by a member that comes
          // back with it later (W17).
          if (isOperatingError(error, "peer_unreachable")) broken = error;
          else if (broken && isOperatingError(error, ...notDone)) throw broken;
          if (mayBeBack && isOperatingError(error, cutOff)) mayBeBack = false;
          else if (!worthRetrying(error)) throw error;
          if (this.#isHopeless(began, key)) throw error;
          await this.#pause(attempt, deadline, error);
        }
      }
    } finally {
      const wasUnderWay = this.#writing.delete(requestId.counter);
      assert(wasUnderWay, "a write ends once");
      this.#left();
    }
  }

  #allowedMs({ upload, discards }: WriteOperation): number {
    const { operationMs, flushDeadlineMs } = this.#context.settings;
    return upload && !discards ? operationMs + completionDeadlines * flushDeadlineMs : operationMs;
  }

  #admit(): void {
    if (this.#stopped) throw new OperatingError("shutting_down", "this node is stopping");
    this.#underWay++;
  }

  #left(): void {
    assert(this.#underWay > 0, "an operation that leaves was admitted");
    this.#underWay--;
    if (this.#underWay === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** @throws OperatingError when there is no member that an attempt could ask, or no time. */
  primaryOf(key: string, deadlineMs: number): string {
    this.requireView(deadlineMs);
    const primary = this.#context.membership.ownersOf(key)[0];
    if (primary === undefined) throw new OperatingError("not_ready", "no node owns any key at the moment");
    return primary;
  }

  /** @throws OperatingError when there is no member that an attempt could ask, or no time. */
  requireView(deadlineMs: number): void {
    if (this.#ended)
      throw new OperatingError("not_ready", "the others went on without this node, which joins them again");
    if (deadlineMs <= 0) throw new OperatingError("deadline_exceeded", "no answer in time");
    if (this.#context.membership.epoch === 0)
      throw new OperatingError("not_ready", "this node is not a member of a view yet");
  }

  /** What the peer answers. @throws OperatingError (rejects with one): the link's, or with the code of a refusal. */
  async ask(id: string, request: PeerRequest, deadlineMs: number): Promise<PeerAnswer> {
    const answer = await this.#context.network.request(id, request, deadlineMs);
    if (answer.kind !== "refused") return answer;
    if (answer.epoch > this.#context.membership.epoch) this.#onNewerEpoch(answer.epoch);
    throw new OperatingError(answer.code, `${id}: ${answer.detail}`);
  }

  /**
   * Whether what has been tried for a while needs a member that is lost for longer than any operation waits. A write
   * needs all owners, a read the first.
   */
  #isHopeless(began: Instant, key: string | undefined, neededOwners?: number): boolean {
    const { clock, membership, settings } = this.#context;
    const { lostMs, suspects } = this.#losses;
    if (lostMs < settings.operationMs || clock.now() - began < hopelessMs) return false;
    if (key === undefined || !membership.activated) return true;
    const needed = membership.ownersOf(key).slice(0, neededOwners);
    return suspects.some(({ id }) => needed.includes(id));
  }

  /** Waits a little before the next attempt; throws why the last one failed when the deadline comes first. */
  #pause(attempt: number, deadline: number, reason: unknown): Promise<void> {
    const { clock } = this.#context;
    const ms = Math.min(firstRetryMs * 2 ** Math.min(attempt, 10), maxRetryMs);
    if (this.#ended || clock.now() + ms >= deadline) throw reason;
    return new Promise((resolve) => {
      const retry = (): void => {
        timer.cancel();
        this.#waiting.delete(retry);
        resolve();
      };
      const timer = clock.after(ms, retry);
      this.#waiting.add(retry);
    });
  }
}

/** After these refusals the client is told that nothing was done. */
const notDone = [
  "buffer_full",
  "overloaded",
  "refused_full",
  "shutting_down",
  "not_refused",
  "value_too_large",
] as const;

/**
 * The primary got no answer from the store. It may have been cut off; that it answers us now means it is back. Ask once
 * more.
 */
const cutOff = "store_unavailable";

function worthRetrying(error: unknown): boolean {
  return isOperatingError(error, "wrong_view", "not_ready", "peer_unreachable");
}

function notStored({ epoch, seq }: Version): OperatingError {
  return new OperatingError(
    "deadline_exceeded",
    `the write has taken effect, as version ${epoch}.${seq}, and is replicated; the store has not confirmed it in time`,
  );
}

function readOutcomeOf(answer: PeerAnswer): ReadOutcome {
  if (answer.kind === "value" || answer.kind === "stored" || answer.kind === "missing") return answer;
  throw unexpected(answer);
}

function unexpected(answer: PeerAnswer): OperatingError {
  return new OperatingError("internal", `a peer answered ${answer.kind}`);
}
