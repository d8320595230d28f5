/**
 * Reading values that are too large to be buffered: they come from the store as a stream, through the member that was asked. One that breaks off is continued there, under the same tag: so what follows is of the same value, or the read fails.
 */

import { type Clock, sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError, transientCodes } from "../../base/errors.ts";
import type { ValueStream } from "../../core/operation.ts";
import type { BlobStore, BlobStream, ReadSpan } from "../../store/blob-store.ts";

export interface DownloadsParts {
  readonly store: Pick<BlobStore, "openBlob">;
  readonly clock: Clock;
  /** Downloads under way at a time, at most: each takes a connection to the store. */
  readonly limit: number;
  /** How long the store may take to begin, or to go on, in milliseconds. */
  readonly deadlineMs: number;
}

/** Failures in a row after which a download is given up, and the pause before the first new attempt, in milliseconds. */
const maxFailures = 5;
const firstPauseMs = 50;

export class Downloads {
  readonly #parts: DownloadsParts;
  #underWay = 0;

  constructor(parts: DownloadsParts) {
    this.#parts = parts;
  }

  /**
   * The span of the value with this tag; undefined if the store has another, or none.
   * @throws OperatingError `overloaded`, or the store's.
   */
  async open(key: string, tag: string, span: ReadSpan): Promise<ValueStream | undefined> {
    const { store, limit, deadlineMs } = this.#parts;
    if (this.#underWay >= limit) {
      throw new OperatingError("overloaded", `${limit} large values are being read on this node`);
    }
    this.#underWay++;
    let download: Download | undefined;
    try {
      const result = await store.openBlob(key, tag, span, { deadlineMs });
      if (result.kind === "found") {
        download = new Download(this.#parts, key, tag, span, result.stream, () => this.#underWay--);
      }
      return download;
    } finally {
      if (!download) this.#underWay--;
    }
  }
}

class Download implements ValueStream {
  readonly #parts: DownloadsParts;
  readonly #key: string;
  readonly #tag: string;
  readonly #span: ReadSpan;
  readonly #onEnd: () => void;
  #stream: BlobStream;

  constructor(parts: DownloadsParts, key: string, tag: string, span: ReadSpan, stream: BlobStream, onEnd: () => void) {
    this.#parts = parts;
    this.#key = key;
    this.#tag = tag;
    this.#span = span;
    this.#stream = stream;
    this.#onEnd = onEnd;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    let { start } = this.#span;
    for (let failures = 0; ; ) {
      try {
        for await (const chunk of this.#stream) {
          start += chunk.length;
          failures = 0;
          yield chunk;
        }
        return;
      } catch (error) {
        if (!isOperatingError(error, ...transientCodes) || failures === maxFailures) throw error;
      }
      if (start === this.#span.end) return;
      failures = await this.#reopen(start, failures + 1);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#onEnd();
    await this.#stream[Symbol.asyncDispose]();
  }

  /** Goes on from `start`; how many failures in a row it has been by then. */
  async #reopen(start: number, failures: number): Promise<number> {
    const { store, clock, deadlineMs } = this.#parts;
    const { end } = this.#span;
    await this.#stream[Symbol.asyncDispose]();
    for (let count = failures; ; count++) {
      await sleep(clock, firstPauseMs * 2 ** count);
      try {
        const result = await store.openBlob(this.#key, this.#tag, { start, end }, { deadlineMs });
        if (result.kind === "found") {
          this.#stream = result.stream;
          return count;
        }
      } catch (error) {
        if (!isOperatingError(error, ...transientCodes) || count === maxFailures) throw error;
        continue;
      }
      throw new OperatingError("store_unavailable", "the value was replaced while it was read, and its rest is gone");
    }
  }
}
