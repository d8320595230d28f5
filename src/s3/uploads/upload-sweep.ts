/**
 * Removes records of multipart uploads that nobody needs any more: now and then, on every node. To remove a record
 * twice does no harm, so nodes need not agree on who does it.
 *
 * - Uploads that are older than `large.leftoverMs`. The store's own part of them is aborted as a leftover (L12).
 * - Parts of uploads of that age, and of uploads that have ended: parts that the client has not listed, or that a node
 *   which was lost had to remove.
 * - That an upload was completed, after an hour: no client repeats a request for so long.
 *
 * The age of an upload is that of its id, by the clock of another node. So an hour is added.
 */

import { type Clock, sleep, type Timer } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { Operations } from "../../core/operation.ts";
import { ownFolders, ownNames } from "./own-names.ts";
import { beganMsOf, donePrefix, isId, partsPrefix, uploadsPrefix } from "./upload-names.ts";
import type { UploadRecords } from "./upload-records.ts";

const hourMs = 3_600_000;
/** By so much the clocks of nodes may differ. */
const clockMarginMs = hourMs;
/** How long a completed upload is remembered. */
const doneMs = hourMs + clockMarginMs;
/** Between two sweeps, and a random part of it more: nodes take turns. The first one comes after such a pause, too. */
const pauseMs = hourMs;
/** After each removal. The requests of clients go first. */
const removalPauseMs = 5;

export interface UploadSweepParts {
  readonly operations: () => Operations;
  readonly records: UploadRecords;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly complaints: Complaints;
  readonly leftoverMs: number;
}

export class UploadSweep implements Disposable {
  readonly #parts: UploadSweepParts;
  readonly #abort = new AbortController();
  #timer: Timer | undefined;

  constructor(parts: UploadSweepParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#abort.signal.aborted) return;
    const { clock, random } = this.#parts;
    this.#timer = clock.after(pauseMs * (1 + random.next()), () => {
      void this.sweep().then(() => this.start());
    });
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new OperatingError("shutting_down", "the node is stopping"));
    this.#timer?.cancel();
  }

  /** Sweeps once. Resolves to how many records were removed. */
  async sweep(): Promise<number> {
    const { log, complaints } = this.#parts;
    let count = 0;
    try {
      for await (const name of this.#outdated()) {
        await this.#parts.records.remove(name);
        count++;
        await sleep(this.#parts.clock, removalPauseMs, this.#abort.signal);
      }
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      if (!this.#abort.signal.aborted) {
        complaints.warn("s3-sweep", "records of old multipart uploads cannot be removed", { error });
      }
    }
    if (count > 0) log.info("records of old multipart uploads were removed", { count });
    return count;
  }

  async *#outdated(): AsyncGenerator<string, void> {
    const { operations, clock, leftoverMs } = this.#parts;
    const underWay = new Set<string>();
    for await (const { key } of ownNames(operations, uploadsPrefix)) {
      const id = key.slice(uploadsPrefix.length);
      if (this.#isOlder(id, leftoverMs)) yield key;
      else underWay.add(id);
    }
    for await (const folder of ownFolders(operations, partsPrefix)) {
      const id = folder.slice(partsPrefix.length, -1);
      // One that was begun since then is not among those under way.
      if (underWay.has(id) || !this.#isOlder(id, 0)) continue;
      for await (const { key } of ownNames(operations, folder)) yield key;
    }
    for await (const { key, modifiedMs } of ownNames(operations, donePrefix)) {
      if (clock.wallMs() - modifiedMs > doneMs) yield key;
    }
  }

  /** What has no id is none of ours. */
  #isOlder(id: string, ms: number): boolean {
    return isId(id) && this.#parts.clock.wallMs() - beganMsOf(id) > ms + clockMarginMs;
  }
}
