/**
 * Writes that depend on the key's state: with a condition, or of a value that was uploaded. Such a write waits until
 * the visible state is the newest one, judges it, and is assigned with no gap in between (W19, W20).
 */

import { endOrTimeout, sleep } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Gates } from "../../core/gates.ts";
import type { WriteRequest } from "../../core/message.ts";
import type { WriteOutcome } from "../../core/operation.ts";
import { meets } from "../../core/precondition.ts";
import type { ContextOf } from "../context.ts";
import { type Assigner, footprintOf } from "./assigner.ts";
import { type CleanValue, presentState } from "./cache.ts";
import type { FlushRequests } from "./flush-requests.ts";
import { type Inheritance, ignoreLost } from "./inheritance.ts";
import { requireTenure } from "./not-ready.ts";
import type { ReadPath } from "./read-path.ts";
import type { RefusedShare } from "./refused-share.ts";
import { preconditionFailed } from "./write-answer.ts";

/** How often to look whether the store has a state, in milliseconds: about as long as a request to it takes. */
const flushPollMs = 20;
/**
 * How long a write that waits for the store holds back later ones, at most: several flushes of a store that is well.
 */
const flushHoldMs = 1_000;

type ConditionalWritesContext = ContextOf<"membership" | "buffer" | "clock">;

export interface ConditionalWritesParts {
  readonly gates: Gates;
  readonly reads: Pick<ReadPath, "inMemory" | "isInStore" | "load">;
  readonly inheritance: Pick<Inheritance, "sendAhead">;
  readonly flush: Pick<FlushRequests, "expediteAwaited">;
  readonly assigner: Pick<Assigner, "assign" | "bufferFull">;
  readonly refusedShare: Pick<RefusedShare, "require">;
}

export class ConditionalWrites {
  readonly #context: ConditionalWritesContext;
  readonly #parts: ConditionalWritesParts;

  constructor(context: ConditionalWritesContext, parts: ConditionalWritesParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /**
   * Does the write when its turn has come. Later writes of the key wait for its judgement, but not for the store: what
   * they write is the newest state then, and the store's answer is not needed.
   * @throws OperatingError (rejects with one): `deadline_exceeded`, `not_ready`, `buffer_full`, `refused_full`, what
   *   reading the store may throw, and as {@link Assigner.assign}
   */
  async write(request: WriteRequest): Promise<WriteOutcome> {
    const { membership, buffer, clock } = this.#context;
    const { gates, reads, assigner } = this.#parts;
    const { key, precondition, upload } = request;
    const deadline = clock.now() + request.deadlineMs;
    const holdUntil = clock.now() + flushHoldMs;
    const bytes = footprintOf(request);
    let open = await gates.enter(key);
    let taken = false;
    try {
      for (;;) {
        if (clock.now() >= deadline)
          throw new OperatingError("deadline_exceeded", "an earlier write of this key still waits");
        requireTenure(membership, key);
        const record = buffer.get(key);
        const pending = record?.pending.at(-1);
        if (record && pending) {
          this.#parts.inheritance.sendAhead(record);
          // Until its deadline at most: the value of this write is kept in memory meanwhile.
          await endOrTimeout(clock, deadline - clock.now(), pending.outcome.catch(ignoreLost));
          continue;
        }
        if (upload && record?.dirty) {
          // The store may lose an upload before it is completed. Then the key's state must be there (L3).
          this.#parts.flush.expediteAwaited(record);
          // Later writes wait while the state is about to come there: else a busy key would never have it there (L11).
          const holdsOthers = record.failures === 0 && clock.now() < holdUntil;
          if (!holdsOthers) open();
          await sleep(clock, flushPollMs);
          if (!holdsOthers) open = await gates.enter(key);
          continue;
        }
        let state = reads.inMemory(key);
        if (precondition && !state) {
          open();
          const loaded: CleanValue | undefined | "void" = await reads.load(key);
          const isLate = gates.isClosed(key);
          open = isLate ? await gates.enter(key) : gates.close(key);
          if (isLate || loaded === "void" || !reads.isInStore(key)) continue;
          state = loaded;
          requireTenure(membership, key);
        }
        if (precondition && !meets(presentState(state), precondition)) return preconditionFailed;
        this.#parts.refusedShare.require(request, bytes, taken ? bytes : 0);
        if (taken || buffer.admission.tryTake(bytes)) {
          taken = false;
          const answer = assigner.assign(request, bytes);
          open();
          return await answer;
        }
        // Room first, then it is judged again: the state may change while this waits.
        if (!(await buffer.admission.waitAndTake(bytes))) throw assigner.bufferFull();
        taken = true;
      }
    } finally {
      open();
      if (taken) buffer.admission.giveBack(bytes);
    }
  }
}
