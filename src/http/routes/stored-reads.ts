/**
 * Answers reads of values that are only in the store. Between the look at the key and the look into the store, the
 * value may have been replaced. Then the key is read again.
 */

import { OperatingError } from "../../base/errors.ts";
import type { ValueInfo } from "../../core/entry.ts";
import type { Operations, ReadOutcome } from "../../core/operation.ts";
import type { Exchange, HeaderList } from "../server/exchange.ts";
import type { AnswerStreams } from "../server/stream.ts";

export interface PartOfValue {
  readonly info: ValueInfo;
  readonly status: 200 | 206;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** Those that say which part it is. */
  readonly headers: HeaderList;
}

export interface ReadAnswerer {
  /** Answers, unless the answer needs bytes of the value from the store. Then returns which bytes. */
  readonly answer: (outcome: ReadOutcome) => PartOfValue | undefined;
  /** All headers of the answer with this part. */
  readonly headersOf: (part: PartOfValue) => HeaderList;
}

/** How often a value that is only in the store is looked up again because it has been replaced meanwhile. */
const storedAttempts = 8;

export class StoredReads {
  readonly #operations: () => Operations;
  readonly #streams: AnswerStreams;

  constructor(operations: () => Operations, streams: AnswerStreams) {
    this.#operations = operations;
    this.#streams = streams;
  }

  /** Answers with what `first` finds under the key, or with what takes its place meanwhile. */
  async answer(
    exchange: Exchange,
    key: string,
    wantValue: boolean,
    first: ReadOutcome | Promise<ReadOutcome>,
    answerer: ReadAnswerer,
  ): Promise<void> {
    let outcome = await first;
    for (let attempt = 0; attempt < storedAttempts; attempt++) {
      const stored = answerer.answer(outcome);
      if (stored === undefined) return;
      const { info, status, start, end } = stored;
      const place = this.#streams.takePlace(exchange);
      try {
        const stream = await this.#operations().open(key, info.md5, start, end);
        if (stream !== undefined) {
          await this.#streams.answer(exchange, place, status, answerer.headersOf(stored), stream);
          return;
        }
      } finally {
        place.release();
      }
      outcome = await this.#operations().read(key, wantValue, info.md5);
    }
    throw new OperatingError("store_unavailable", "the value was replaced each time it was about to be read");
  }
}
