/** The segments as files: the newest, which grows, and the oldest, which are deleted. */

import { assert } from "../base/assert.ts";
import type { Batch } from "./batch.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { segmentName } from "./segment-name.ts";

export class SegmentFiles {
  readonly #disk: Disk;
  /** The newest segment and its number. */
  #file: DiskFile;
  #number: number;
  /** The lowest number of a segment that is there, or is about to be deleted. */
  #first: number;
  #deletion: Promise<void> = Promise.resolve();

  /** Segments `first` to `number` are there. `file` is the last of them. */
  constructor(disk: Disk, first: number, number: number, file: DiskFile) {
    this.#disk = disk;
    this.#first = first;
    this.#number = number;
    this.#file = file;
  }

  /** Resolves when the batch is durable. Write one batch at a time. */
  async write(batch: Batch): Promise<void> {
    if (batch.segment !== this.#number) await this.#begin(batch.segment);
    assert(this.#file.size === batch.offset, "a batch is written where it was meant to be");
    await this.#file.append(batch.buffers());
    await this.#file.sync();
    assert(this.#file.size === batch.offset + batch.bytes, "a batch is written whole");
  }

  /**
   * Deletes the segments below `end`, one after the other. Each is gone for good before the next, so none is ever
   * missing between others. Resolves when they are gone.
   */
  deleteBelow(end: number): Promise<void> {
    assert(end <= this.#number, "the newest segment is never deleted");
    const first = this.#first;
    if (first < end) {
      this.#first = end;
      this.#deletion = this.#deletion.then(async () => {
        for (let number = first; number < end; number += 1) {
          await this.#disk.remove(segmentName(number));
          await this.#disk.syncFolder();
        }
      });
    }
    return this.#deletion;
  }

  /** Waits for deletions, and closes the newest segment. */
  async close(): Promise<void> {
    try {
      await this.#deletion;
    } finally {
      await this.#file.close();
    }
  }

  /** Begins the next segment. What the segment before holds is synced. */
  async #begin(number: number): Promise<void> {
    assert(number === this.#number + 1, "segments are written one after the other");
    // It waits for deletions, so that the disk does not fill with what is about to go.
    await this.#deletion;
    await this.#file.close();
    this.#file = await this.#disk.create(segmentName(number));
    this.#number = number;
    await this.#disk.syncFolder();
  }
}
