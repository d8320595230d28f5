/**
 * Answers to requests that were assigned before. A router sends a request again when a link broke before its answer, to
 * the member that is the primary then (W10).
 */

import { OperatingError } from "../../base/errors.ts";
import type { Upload } from "../../core/entry.ts";
import type { RequestOutcome, WriteRequest } from "../../core/message.ts";
import type { WriteOutcome } from "../../core/operation.ts";
import { compareVersions, type Version } from "../../core/version.ts";
import type { ContextOf } from "../context.ts";
import { ignoreLost } from "./inheritance.ts";
import { requireTenure } from "./not-ready.ts";
import type { ReadPath } from "./read-path.ts";
import { written } from "./write-answer.ts";

type RepeatsContext = ContextOf<"membership" | "buffer">;

export class Repeats {
  readonly #context: RepeatsContext;
  readonly #reads: Pick<ReadPath, "tagOfUpload">;

  constructor(context: RepeatsContext, reads: Pick<ReadPath, "tagOfUpload">) {
    this.#context = context;
    this.#reads = reads;
  }

  /** The answer of the first time, once it is known. */
  async answer(
    known: RequestOutcome,
    { upload, discards }: Pick<WriteRequest, "upload" | "discards">,
  ): Promise<WriteOutcome> {
    const { membership, buffer } = this.#context;
    const { key, version } = known;
    for (;;) {
      const record = buffer.get(key);
      const pending = record?.pending.find(({ entry }) => compareVersions(entry, version) === 0);
      if (pending) return written(await pending.outcome);
      const inherited = record?.inherited;
      if (!inherited || compareVersions(inherited.entry, version) < 0) break;
      // A later write took its place when a tenure ended. Until every owner has the later one, this member may be the
      // only one that has either (W15).
      await inherited.outcome.catch(ignoreLost);
      requireTenure(membership, key);
    }
    return upload && !discards ? await this.#upload(key, version, upload) : written({ ...version, tag: "" });
  }

  /**
   * The outcome says that the write was assigned. Whether it was done, or the store has lost it, can be told as long as
   * it is the newest (L8).
   */
  async #upload(key: string, version: Version, upload: Upload): Promise<WriteOutcome> {
    const tag = await this.#reads.tagOfUpload(key, upload);
    requireTenure(this.#context.membership, key);
    if (tag !== undefined) return written({ ...version, tag });
    throw new OperatingError("deadline_exceeded", "whether this write was done cannot be told any more");
  }
}
