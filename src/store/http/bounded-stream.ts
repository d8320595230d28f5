/**
 * Exactly so many bytes of a stream. If the stream ends before, it was cut: the reader gets an error. Bytes after the
 * end were not asked for and are dropped.
 */

import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import type { BlobStream } from "../blob-store.ts";

export class BoundedStream implements BlobStream {
  readonly #stream: BlobStream;
  readonly #skip: number;
  readonly #length: number;

  /** @param skip Bytes at the beginning that are not wanted. */
  constructor(stream: BlobStream, skip: number, length: number) {
    assert(skip >= 0 && length >= 0, "a span begins in the stream and does not end before it begins");
    this.#stream = stream;
    this.#skip = skip;
    this.#length = length;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    let skip = this.#skip;
    let left = this.#length;
    for await (const chunk of this.#stream) {
      const wanted = chunk.subarray(skip, skip + left);
      skip = Math.max(0, skip - chunk.length);
      left -= wanted.length;
      if (wanted.length > 0) yield wanted;
      if (left === 0) return;
    }
    throw new OperatingError("store_unavailable", "the store's answer was cut short");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream[Symbol.asyncDispose]();
  }
}
