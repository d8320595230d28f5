/**
 * What a segment begins with: what must outlive the segments before it. The first record says which segments are
 * needed. The last adoption follows. Then the head repeats all conditions and outcomes that are still remembered (J5).
 * There may be very many. The first record of a segment brings some of them, the end of each turn of the event loop
 * some more, and the segment's first group waits for the last.
 *
 * Between two turns the owner goes on. Nothing is lost by that, and nothing comes back:
 *
 * - What it learns or forgets meanwhile, it appends to the same group. That stands behind what has been repeated.
 * - What is repeated later is repeated as it is then. So it is never older than what was appended before it, and what
 *   is forgotten by then is passed over.
 * - Another owner may take the place of this one. What it forgets, this one still remembers. So from then on the head
 *   asks the new owner, for everything.
 * - After a crash the group is not there at all (J2). The segments before it are: they go only after it is durable.
 */

import { assert } from "../base/assert.ts";
import type { Batch } from "./batch.ts";
import type { JournalRecord, JournalSource } from "./journal.ts";

type RepeatedRecord = Extract<JournalRecord, { readonly kind: "late" | "outcomes" }>;

/** How many outcomes go into one record. */
const outcomesPerRecord = 1024;
/** How many outcomes, keys and their conditions are repeated in one turn. */
export const defaultRepeatedAtOnce = 8 * outcomesPerRecord;

export class SegmentHead {
  readonly #atOnce: number;
  /** What it has yet to repeat. Undefined when it is whole. */
  #rest: Iterator<RepeatedRecord> | undefined;
  #bytes: number;

  /**
   * @param atOnce - one turn repeats about so many outcomes, keys and their conditions
   * @param bytes - of the head that the newest segment has already
   */
  constructor(atOnce: number, bytes: number) {
    this.#atOnce = atOnce;
    this.#bytes = bytes;
  }

  /** Whether it has all that it is to repeat. Until then its group must not be closed. */
  get isWhole(): boolean {
    return this.#rest === undefined;
  }

  /** Bytes of it so far; of the head before, when the newest segment has none yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Begins the head of a new segment, whose first group is the batch. */
  begin(batch: Batch, oldest: number, source: JournalSource): void {
    assert(this.isWhole, "the head of a segment is whole before the next segment begins");
    this.#bytes = batch.add({ kind: "head", oldest });
    const adoption = source.adoption();
    if (adoption !== undefined) this.#bytes += batch.add(adoption);
    this.#rest = this.#repeated(source);
    this.repeatSome(batch);
  }

  /** From now on this source holds all that is held. */
  goOnWith(source: JournalSource): void {
    if (!this.isWhole) this.#rest = this.#repeated(source);
  }

  /** Repeats as much as one turn should. */
  repeatSome(batch: Batch): void {
    this.#repeat(batch, this.#atOnce);
  }

  /** Repeats all that is left, in one turn: there is no other. */
  repeatAll(batch: Batch): void {
    this.#repeat(batch, Number.POSITIVE_INFINITY);
    assert(this.isWhole, "nothing is left");
  }

  #repeat(batch: Batch, most: number): void {
    for (let left = most; left > 0 && this.#rest !== undefined; ) {
      const next = this.#rest.next();
      if (next.done === true) this.#rest = undefined;
      else {
        this.#bytes += batch.add(next.value);
        left -= countOf(next.value);
      }
    }
  }

  /** Asks for nothing before its turn. */
  *#repeated(source: JournalSource): Generator<RepeatedRecord, undefined> {
    yield* source.late();
    const most = Math.min(this.#atOnce, outcomesPerRecord);
    let outcomes = [];
    for (const outcome of source.outcomes()) {
      outcomes.push(outcome);
      if (outcomes.length < most) continue;
      yield { kind: "outcomes", outcomes };
      outcomes = [];
    }
    if (outcomes.length > 0) yield { kind: "outcomes", outcomes };
  }
}

/** How much a record counts: a key, and each of its conditions, takes about as long as an outcome. */
function countOf(record: RepeatedRecord): number {
  return record.kind === "late" ? 1 + record.conditions.length : record.outcomes.length;
}
