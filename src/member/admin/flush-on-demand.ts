/**
 * Flushing on demand, `weir flush` (F21): any member asks all members to flush at once what they serve and the store
 * lacks, and then asks again and again how far they are.
 *
 * No member keeps a list:
 * 1. Each answers the first question with a mark: a moment of its own clock.
 * 2. It answers later ones with how many of its keys have lacked something in the store since before the mark.
 * 3. It calls a key refused only if the store has refused an attempt that began after the mark.
 * 4. When all have none, the store has everything that was acknowledged before the first question, or something newer.
 * A mark means something to its process only, and only while that serves the same keys: with another view all members
 * are asked anew. While keys are in doubt no member knows what the store lacks of them.
 */

import { assert } from "../../base/assert.ts";
import { type Instant, sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import { LinkedAbort } from "../../base/linked-abort.ts";
import type { FlushProgress } from "../../core/administration.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { FlushingAnswer, FlushRequest } from "../../core/message.ts";
import type { ContextOf } from "../context.ts";
import type { FlushQueue } from "../flush/flush-queue.ts";
import { requireEpoch } from "../keys/not-ready.ts";
import type { Status } from "./status.ts";

type FlushContext = ContextOf<"clock" | "membership" | "network" | "slices">;

/** Milliseconds between two questions, and for an answer. */
const pollMs = 250;
const answerMs = 2_000;
/** Failing keys that are named: by each member, and in all. */
const namedKeys = 10;
/** Runs at a time: each is a question to all, four times a second. */
const maxRuns = 8;

export class FlushOnDemand {
  readonly #context: FlushContext;
  readonly #queue: Pick<FlushQueue, "backlog" | "expediteNow">;
  readonly #status: Pick<Status, "failing">;
  readonly #abort = new AbortController();
  #runs = 0;

  constructor(
    context: FlushContext,
    queue: Pick<FlushQueue, "backlog" | "expediteNow">,
    status: Pick<Status, "failing">,
  ) {
    this.#context = context;
    this.#queue = queue;
    this.#status = status;
  }

  /**
   * What this member says when it is asked.
   * @throws OperatingError (rejects with one) `wrong_view` or `not_ready` unless it serves all its keys in a settled
   *   view: it can't speak of keys that it does not serve yet.
   */
  async answer({ epoch, mark }: FlushRequest): Promise<FlushingAnswer> {
    const { clock } = this.#context;
    this.#requireAll(epoch);
    // Before the flushes begin: what fails is told from what had failed already.
    const until = mark ?? clock.now();
    const { backlog } = this.#queue;
    // All that counts is there now. Of the backlog itself some might be missed, since keys change their places in it.
    const records = backlog.all();
    if (mark === undefined) await this.#over(records, (record) => this.#queue.expediteNow(record));
    let [keys, bytes, refusedKeys] = [0, 0, 0];
    await this.#over(records, (record) => {
      if (!backlog.has(record) || record.dirtySince > until) return;
      keys++;
      bytes += (record.entry ?? record.pending[0]?.entry)?.size ?? 0;
      if (backlog.isRefusedSince(record, until)) refusedKeys++;
    });
    // A key that another member serves now is not in the backlog any more.
    this.#requireAll(epoch);
    return { kind: "flushing", epoch, mark: until, keys, bytes, refusedKeys, failing: this.#status.failing(namedKeys) };
  }

  /** This member serves all its keys in a settled view, at this moment. */
  #requireAll(epoch: number): void {
    const { membership } = this.#context;
    requireEpoch(membership, epoch);
    if (!membership.settled || !membership.activated) throw new OperatingError("not_ready", "a hand-off is under way");
    if (!membership.lease.held()) throw new OperatingError("not_ready", "this node has no lease at the moment");
  }

  #over(records: readonly KeyState[], visit: (record: KeyState) => void): Promise<void> {
    return new Promise((resolve) => this.#context.slices.lane().over(records, visit, resolve));
  }

  /**
   * Asks everyone, and tells how far they are until all is in the store, or only what it refuses is left.
   * @throws OperatingError `overloaded` when too many ask already; the reason of the signal when it is aborted, or that
   * of {@link stop}.
   */
  async *run(asker: AbortSignal): AsyncGenerator<FlushProgress, void> {
    using end = new LinkedAbort(asker, this.#abort.signal);
    const { signal } = end;
    if (this.#runs >= maxRuns) throw new OperatingError("overloaded", `${this.#runs} others wait for a flush already`);
    this.#runs++;
    try {
      let marks = new Map<string, Instant>();
      let epoch = -1;
      for (;;) {
        if (epoch !== this.#context.membership.epoch) marks = new Map();
        epoch = this.#context.membership.epoch;
        const progress = await this.#askAll(epoch, marks);
        signal.throwIfAborted();
        yield progress;
        if (progress.outcome !== undefined) return;
        await sleep(this.#context.clock, pollMs, signal);
      }
    } finally {
      assert(this.#runs > 0, "a run that ends was counted");
      this.#runs--;
    }
  }

  /** This member is no more: every run ends with this reason. */
  stop(reason: Error): void {
    this.#abort.abort(reason);
  }

  async #askAll(epoch: number, marks: Map<string, Instant>): Promise<FlushProgress> {
    const { membership } = this.#context;
    const waitingFor: string[] = [];
    const answers: FlushingAnswer[] = [];
    const members = epoch === 0 ? [] : membership.view.members;
    if (epoch === 0) waitingFor.push("this node has not joined the cluster yet");
    await Promise.all(
      members.map(async ({ id }) => {
        try {
          const answer = await this.#ask(id, { kind: "flush", epoch, mark: marks.get(id) });
          marks.set(id, answer.mark);
          answers.push(answer);
        } catch (error) {
          if (!isOperatingError(error)) throw error;
          waitingFor.push(`${id}: ${error.message}`);
        }
      }),
    );
    if (epoch !== membership.epoch) waitingFor.push("the members have changed");
    for (const id of membership.awaited)
      waitingFor.push(`${id}: it is gone, and may have the only copies of some values`);
    const sum = (of: (answer: FlushingAnswer) => number): number => answers.reduce((all, each) => all + of(each), 0);
    const keys = sum((each) => each.keys);
    const bytes = sum((each) => each.bytes);
    const refusedKeys = sum((each) => each.refusedKeys);
    const failing = answers.flatMap((each) => each.failing).slice(0, namedKeys);
    const progress = { keys, bytes, refusedKeys, failing, waitingFor };
    if (waitingFor.length > 0 || keys > refusedKeys) return progress;
    return { ...progress, outcome: keys === 0 ? "stored" : "refused" };
  }

  async #ask(id: string, request: FlushRequest): Promise<FlushingAnswer> {
    const { membership, network } = this.#context;
    if (id === membership.self.id) return await this.answer(request);
    const answer = await network.request(id, request, answerMs);
    if (answer.kind === "flushing") return answer;
    if (answer.kind === "refused") throw new OperatingError(answer.code, answer.detail);
    throw new OperatingError("internal", `a peer answered ${answer.kind}`);
  }
}
