/** Answers to requests that were assigned before: a router sends one again when a link broke before its answer, to whoever is the primary then. */

import { OperatingError } from "../../base/errors.ts";
import type { Upload } from "../../core/entry.ts";
import type { RequestOutcome, WriteRequest } from "../../core/message.ts";
import { compareVersions, type Version } from "../../core/version.ts";
import type { WriteBuffer } from "../../core/write-buffer.ts";
import { ignoreLost } from "./inheritance.ts";
import type { ReadPath } from "./read-path.ts";
import { type WriteAnswer, written } from "./write-answer.ts";

export interface RepeatsParts {
  readonly buffer: WriteBuffer;
  readonly reads: ReadPath;
  /** @throws OperatingError `not_ready` when this member does not answer for the key. */
  readonly requireTenure: (key: string) => void;
}

export class Repeats {
  readonly #parts: RepeatsParts;

  constructor(parts: RepeatsParts) {
    this.#parts = parts;
  }

  /** The answer of the first time, once it is known. */
  async answer(
    known: RequestOutcome,
    { upload, discards }: Pick<WriteRequest, "upload" | "discards">,
  ): Promise<WriteAnswer> {
    const { key, version } = known;
    for (;;) {
      const writes = this.#parts.buffer.get(key)?.pending ?? [];
      const pending = writes.find(({ entry }) => compareVersions(entry, version) === 0);
      if (pending) return written(await pending.outcome);
      const [first] = writes;
      if (!first?.inherited || compareVersions(first.entry, version) < 0) break;
      // A later write took its place when a tenure ended: until every owner has that one, this member may be the only one that has either.
      await first.outcome.catch(ignoreLost);
      this.#parts.requireTenure(key);
    }
    return upload && !discards ? await this.#upload(key, version, upload) : written({ ...version, tag: "" });
  }

  /** Its outcome says that it was assigned; whether it was done, or the store has lost it, can be told as long as it is the newest. */
  async #upload(key: string, version: Version, { token }: Upload): Promise<WriteAnswer> {
    const tag = await this.#parts.reads.tagOfUpload(key, token);
    this.#parts.requireTenure(key);
    if (tag !== undefined) return written({ ...version, tag });
    throw new OperatingError("deadline_exceeded", "whether this write was done cannot be told any more");
  }
}
