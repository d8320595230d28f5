/**
 * Copies many values, several at a time. Counts them, and records what became of each and what failed. A value that
 * fails does not hold up the others.
 */

import { assert } from "../../base/assert.ts";
import { type ErrorCode, isOperatingError } from "../../base/errors.ts";

/** What became of one value. */
export type Fate =
  | { readonly kind: "copied"; readonly bytes: number }
  /** It was there already. */
  | { readonly kind: "same"; readonly bytes: number }
  /** It was removed after it was listed. */
  | { readonly kind: "gone" };

export interface Failure {
  readonly name: string;
  readonly reason: string;
}

export interface TransferCounts {
  copied: number;
  copiedBytes: number;
  same: number;
  sameBytes: number;
  gone: number;
  failed: number;
}

/** Errors that every value would get. */
const fatal: readonly ErrorCode[] = ["unauthorized", "forbidden"];

/** The most failures that are kept for the report. Further ones are only counted. */
const maxFailures = 1_000;

export class Transfer {
  readonly counts: TransferCounts = { copied: 0, copiedBytes: 0, same: 0, sameBytes: 0, gone: 0, failed: 0 };
  readonly failures: Failure[] = [];
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Values that are done, well or not. */
  get done(): number {
    const { copied, same, gone, failed } = this.counts;
    return copied + same + gone + failed;
  }

  /**
   * Does the work of each item, `lanes` at a time.
   *
   * @throws what `items` throws, or an item's failure that every item would get. The work under way ends first.
   */
  async run<T extends { readonly name: string }>(
    items: AsyncIterator<T>,
    lanes: number,
    work: (item: T) => Promise<Fate>,
  ): Promise<void> {
    assert(lanes >= 1, "at least one lane does the work");
    let broken: { readonly error: unknown } | undefined;
    const lane = async (): Promise<void> => {
      while (!broken) {
        try {
          const { done, value } = await items.next();
          if (done === true) return;
          this.#count(await this.#attempt(value, work));
        } catch (error) {
          broken ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    if (broken) throw broken.error;
  }

  /** Records an item that cannot even be tried. */
  fail(name: string, reason: string): void {
    this.counts.failed++;
    if (this.failures.length < maxFailures) this.failures.push({ name, reason });
    this.#onChange();
  }

  async #attempt<T extends { readonly name: string }>(
    item: T,
    work: (item: T) => Promise<Fate>,
  ): Promise<Fate | undefined> {
    try {
      return await work(item);
    } catch (error) {
      if (!isOperatingError(error) || fatal.includes(error.code)) throw error;
      this.fail(item.name, error.message);
      return undefined;
    }
  }

  #count(fate: Fate | undefined): void {
    if (fate === undefined) return;
    const { counts } = this;
    counts[fate.kind]++;
    if (fate.kind === "copied") counts.copiedBytes += fate.bytes;
    if (fate.kind === "same") counts.sameBytes += fate.bytes;
    this.#onChange();
  }
}
