/**
 * A body that is checked while it comes: out of its chunks, against all that the request says of it. It rejects in
 * place of its end if it is not what it should be.
 */

import type { OwnTurns } from "../../http/server/turns.ts";
import type { BodyChecks } from "./body-checks.ts";
import type { ChunkDecoder, Trailer } from "./chunk-decoder.ts";

const noTrailer: Trailer = new Map();
const noBytes = new Uint8Array();

/** Bytes that are taken apart in a turn of the event loop. With the smallest chunks that takes some milliseconds. */
const turnBytes = 65_536;

export class CheckedBody implements AsyncIterableIterator<Uint8Array, void> {
  readonly #source: AsyncIterableIterator<Uint8Array>;
  readonly #checks: BodyChecks;
  readonly #decoder: ChunkDecoder | undefined;
  readonly #turns: OwnTurns;
  /** Of what came last, the bytes that have not been looked at. They are good until more is asked for. */
  #rest: Uint8Array = noBytes;
  #isOver = false;

  constructor(
    source: AsyncIterableIterator<Uint8Array>,
    checks: BodyChecks,
    decoder: ChunkDecoder | undefined,
    turns: OwnTurns,
  ) {
    this.#source = source;
    this.#checks = checks;
    this.#decoder = decoder;
    this.#turns = turns;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, void>> {
    while (!this.#isOver) {
      if (this.#rest.length > 0) {
        await this.#turns.next();
      } else {
        const result = await this.#source.next();
        // Given up while it waited: then nothing of it counts.
        if (this.#isOver) break;
        if (result.done === true) {
          this.#isOver = true;
          await this.#checks.finish(this.#decoder?.end() ?? noTrailer);
          break;
        }
        this.#rest = result.value;
      }
      const part = this.#rest.subarray(0, turnBytes);
      this.#rest = this.#rest.subarray(part.length);
      const value = this.#decoder?.decode(part) ?? part;
      if (value.length === 0) continue;
      this.#checks.update(value);
      return { done: false, value };
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, void>> {
    this.#isOver = true;
    this.#rest = noBytes;
    await this.#source.return?.();
    return { done: true, value: undefined };
  }
}
