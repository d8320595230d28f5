/**
 * Reading values that are too large to be buffered: they come from the store as a stream, through the member that was
 * asked. A stream that breaks off is continued there, under the same tag: what follows is of the same value, or the
 * read fails (L13).
 */

import { assert } from "../../base/assert.ts";
import { sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError, transientCodes } from "../../base/errors.ts";
import type { ValueStream } from "../../core/operation.ts";
import type { BlobStore, BlobStream, ReadSpan } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { MemberSettings } from "../settings.ts";

type DownloadContext = ContextOf<"clock"> & {
  readonly settings: Pick<MemberSettings, "flushDeadlineMs">;
  readonly store: Pick<BlobStore, "openBlob">;
};

/**
 * Failures in a row after which a download is given up, and the pause before the first new attempt, in milliseconds.
 */
const maxFailures = 5;
const firstPauseMs = 50;

export class Downloads {
  readonly #context: DownloadContext;

  constructor(context: DownloadContext) {
    this.#context = context;
  }

  /**
   * The span of the value with this tag; undefined if the store has another, or none.
   * @throws OperatingError: the store's.
   */
  async open(key: string, tag: string, span: ReadSpan): Promise<ValueStream | undefined> {
    const { store, settings } = this.#context;
    assert(span.start >= 0 && span.start <= span.end, "a span does not end before it begins");
    const result = await store.openBlob(key, tag, span, { deadlineMs: settings.flushDeadlineMs });
    return result.kind === "found" ? new Download(this.#context, key, tag, span, result.stream) : undefined;
  }
}

class Download implements ValueStream {
  readonly #context: DownloadContext;
  readonly #key: string;
  readonly #tag: string;
  readonly #span: ReadSpan;
  #stream: BlobStream;

  constructor(context: DownloadContext, key: string, tag: string, span: ReadSpan, stream: BlobStream) {
    this.#context = context;
    this.#key = key;
    this.#tag = tag;
    this.#span = span;
    this.#stream = stream;
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
    await this.#stream[Symbol.asyncDispose]();
  }

  /** Goes on from `start`; how many failures in a row it has been by then. */
  async #reopen(start: number, failures: number): Promise<number> {
    const { store, clock, settings } = this.#context;
    const { end } = this.#span;
    const options = { deadlineMs: settings.flushDeadlineMs };
    assert(start >= this.#span.start && start < end, "a download goes on within its span");
    await this.#stream[Symbol.asyncDispose]();
    for (let count = failures; ; count++) {
      await sleep(clock, firstPauseMs * 2 ** count);
      try {
        const result = await store.openBlob(this.#key, this.#tag, { start, end }, options);
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
