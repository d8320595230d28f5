/**
 * Removes the records of parts that nobody needs any more, after their request has been answered. What it does not get
 * to, since the node is stopped or lost or there is too much, the sweep removes some days later.
 */

import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Operations } from "../../core/operation.ts";
import { forEachOf } from "./in-turn.ts";
import { ownNames } from "./own-names.ts";
import { partName, partsOf } from "./upload-names.ts";
import type { UploadRecords } from "./upload-records.ts";

/** Records that wait to be removed on this node: a few MB. */
const maxWaiting = 100_000;
/** Records that are removed at a time: the requests of clients go first. */
const removalsAtOnce = 8;

export class PartRemovals implements Disposable {
  readonly #operations: () => Operations;
  readonly #records: UploadRecords;
  readonly #complaints: Complaints;
  /** What is to be removed, in order. Each resolves to names. */
  readonly #waiting: { readonly count: number; readonly names: () => Promise<readonly string[]> }[] = [];
  #count = 0;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(operations: () => Operations, records: UploadRecords, complaints: Complaints) {
    this.#operations = operations;
    this.#records = records;
    this.#complaints = complaints;
  }

  /** Those of the upload's parts with these numbers. */
  add(id: string, numbers: readonly number[]): void {
    this.#add(numbers.length, () => Promise.resolve(numbers.map((number) => partName(id, number))));
  }

  /** All of the upload's parts. They are looked up. */
  addAll(id: string): void {
    this.#add(1, async () => {
      const names: string[] = [];
      for await (const { key } of ownNames(this.#operations, partsOf(id))) names.push(key);
      return names;
    });
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** What is under way is not waited for. */
  [Symbol.dispose](): void {
    this.#isStopped = true;
    this.#waiting.length = 0;
  }

  #add(count: number, names: () => Promise<readonly string[]>): void {
    if (this.#isStopped || this.#count + count > maxWaiting) return;
    this.#waiting.push({ count, names });
    this.#count += count;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#count -= next.count;
      try {
        await forEachOf(await next.names(), removalsAtOnce, async (name) => {
          if (!this.#isStopped) await this.#records.remove(name);
        });
      } catch (error) {
        if (!isOperatingError(error)) throw error;
        if (this.#isStopped) break;
        this.#complaints.warn("s3-parts", "records of an upload that has ended are left for later", { error });
      }
    }
    this.#running = undefined;
  }
}
