/**
 * A span of an open file as a stream. The stream is of the body that was opened, even if another file takes its name.
 */

import { OperatingError } from "../../base/errors.ts";
import type { BlobStream, ReadSpan } from "../blob-store.ts";
import { fileError, readPieces } from "./durable-files.ts";
import type { OpenFile } from "./files.ts";

export class FileStream implements BlobStream {
  readonly #handle: OpenFile;
  readonly #span: ReadSpan;
  readonly #folder: string;

  /** The stream owns the handle from now on. */
  constructor(handle: OpenFile, span: ReadSpan, folder: string) {
    this.#handle = handle;
    this.#span = span;
    this.#folder = folder;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    const { start, end } = this.#span;
    let read = start;
    try {
      for await (const piece of readPieces(this.#handle, start, end)) {
        read += piece.length;
        yield piece;
      }
    } catch (error) {
      throw fileError(error, this.#folder);
    }
    if (read !== end) throw new OperatingError("store_unavailable", "the file is shorter than it was");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
