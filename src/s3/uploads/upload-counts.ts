/**
 * Bounds the uploads that one caller has under way. Each costs space in the store, and a look at it in every listing of
 * uploads. The names in the cluster are counted now and then: when a caller has begun many since, and after a while. So
 * a caller may have some more than the limit: as many as it can begin on each node between two counts.
 */

import type { Clock, Instant } from "../../base/clock.ts";
import type { Operations } from "../../core/operation.ts";
import { S3Error } from "../words/s3-error.ts";
import { ownNames } from "./own-names.ts";
import { uploadsPrefix } from "./upload-names.ts";

/** Uploads that one caller may have under way in the cluster. */
export const maxUploadsEach = 10_000;

/** After so many uploads of a caller on this node, and after so long, a count is too old. */
const uploadsPerCount = 1_000;
const countMs = 600_000;
/** The same for one who has as many as it may. */
const fullCountMs = 1_000;

/** Callers whose counts are kept. */
const maxKept = 1_000;

interface Count {
  /** When it was counted. */
  at: Instant;
  uploads: number;
  /** Begun on this node since then. */
  begun: number;
}

export class UploadCounts {
  readonly #operations: () => Operations;
  readonly #clock: Clock;
  readonly #counts = new Map<string, Promise<Count>>();

  constructor(operations: () => Operations, clock: Clock) {
    this.#operations = operations;
    this.#clock = clock;
  }

  /**
   * Counts one more upload of the caller.
   *
   * @param owner As it stands in the ids of its uploads.
   * @throws S3Error `QuotaExceeded`, and OperatingError as a listing does.
   */
  async add(owner: string): Promise<void> {
    const known = this.#counts.get(owner);
    let count = known && (await known);
    if (count === undefined || !this.#isFresh(count)) {
      const latest = this.#counts.get(owner);
      // Somebody may have begun to count anew meanwhile.
      count = await (latest === undefined || latest === known ? this.#countAgain(owner) : latest);
    }
    if (count.uploads + count.begun >= maxUploadsEach) {
      throw new S3Error(
        "QuotaExceeded",
        `${maxUploadsEach} multipart uploads are under way that were begun with this key: complete or abort some`,
      );
    }
    count.begun++;
  }

  #isFresh({ at, uploads, begun }: Count): boolean {
    // Who has too many may have ended some since.
    const isOver = uploads + begun >= maxUploadsEach;
    return begun < uploadsPerCount && this.#clock.now() - at < (isOver ? fullCountMs : countMs);
  }

  #countAgain(owner: string): Promise<Count> {
    const counting = this.#count(owner);
    this.#counts.delete(owner);
    const [oldest] = this.#counts.keys();
    if (oldest !== undefined && this.#counts.size >= maxKept) this.#counts.delete(oldest);
    this.#counts.set(owner, counting);
    counting.catch(() => {
      if (this.#counts.get(owner) === counting) this.#counts.delete(owner);
    });
    return counting;
  }

  async #count(owner: string): Promise<Count> {
    const at = this.#clock.now();
    let uploads = 0;
    for await (const _ of ownNames(this.#operations, uploadsPrefix + owner)) {
      if (++uploads >= maxUploadsEach) break;
    }
    return { at, uploads, begun: 0 };
  }
}
