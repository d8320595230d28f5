/**
 * One body on its way into an upload. It is cut into parts of one size, in buffers that are used again; a few parts are
 * under way at a time. While no buffer is free nothing is read: the sender is held back.
 */

import { assert } from "../../base/assert.ts";
import { type Clock, sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError, transientCodes } from "../../base/errors.ts";
import { free } from "../../base/memory.ts";
import type { StreamOperation } from "../../core/operation.ts";
import type { OpenUpload } from "../../store/blob-store.ts";
import type { Borrower, UploadRoom } from "./upload-room.ts";

export interface UploadRunParts {
  readonly upload: OpenUpload;
  readonly body: StreamOperation["body"];
  /** In the body, at most. */
  readonly maxBytes: number;
  readonly clock: Clock;
  /** Bytes in each part but the last. The upload has room for one, as long as it lasts. */
  readonly partBytes: number;
  /** Lends room for more. */
  readonly room: Pick<UploadRoom, "forget" | "giveBack" | "isWanted" | "lend">;
  /** For a request to the store, in milliseconds. */
  readonly deadlineMs: number;
}

/** Parts in memory at a time: one is filled while two are sent. */
export const partsUnderWay = 3;

/** How often a request that may be repeated is tried, and the pause before the second time, in milliseconds. */
const maxTries = 6;
const firstPauseMs = 100;

export class UploadRun implements Borrower {
  readonly #parts: UploadRunParts;
  readonly #tags: string[] = [];
  readonly #buffers: Buffer[] = [];
  /** Those of them that are neither filled nor sent. */
  readonly #idle: Buffer[] = [];
  readonly #sending = new Set<Promise<void>>();
  #size = 0;
  /** Why it has failed; undefined while it has not. */
  #failure: unknown;

  constructor(parts: UploadRunParts) {
    this.#parts = parts;
  }

  /**
   * Sends the body; the tags of its parts and its size. When it rejects, nothing is under way any more.
   * @throws OperatingError `value_too_large`, what the body rejects with, or the store's.
   */
  async send(): Promise<{ tags: string[]; size: number }> {
    const { body, maxBytes } = this.#parts;
    try {
      let buffer = await this.#nextBuffer();
      let filled = 0;
      for await (const chunk of body) {
        if (this.#size + filled + chunk.length > maxBytes) throw tooLarge(maxBytes);
        for (let offset = 0; offset < chunk.length; ) {
          if (filled === buffer.length) {
            this.#begin(buffer, filled);
            buffer = await this.#nextBuffer();
            filled = 0;
          }
          const piece = chunk.subarray(offset, offset + buffer.length - filled);
          buffer.set(piece, filled);
          filled += piece.length;
          offset += piece.length;
        }
      }
      this.#requireNoFailure();
      if (filled > 0) this.#begin(buffer, filled);
    } catch (error) {
      this.#failure ??= error;
    } finally {
      await Promise.all(this.#sending);
      this.#end();
    }
    this.#requireNoFailure();
    assert(this.#sending.size === 0 && this.#size <= maxBytes, "a body that was sent is all there, within its limit");
    return { tags: this.#tags, size: this.#size };
  }

  async #nextBuffer(): Promise<Buffer> {
    for (;;) {
      this.#requireNoFailure();
      const idle = this.#idle.pop();
      if (idle) return idle;
      const count = this.#buffers.length;
      const { partBytes, room } = this.#parts;
      if (count === 0 || (count < partsUnderWay && room.lend(this, partBytes))) {
        const buffer = Buffer.allocUnsafeSlow(partBytes);
        this.#buffers.push(buffer);
        return buffer;
      }
      await Promise.race(this.#sending);
    }
  }

  #begin(buffer: Buffer, length: number): void {
    assert(length > 0 && length <= buffer.length, "a part has bytes, no more than its buffer");
    const index = this.#tags.push("") - 1;
    const offset = this.#size;
    this.#size += length;
    const sending = this.#sendPart(index + 1, offset, buffer.subarray(0, length)).then(
      (tag) => {
        this.#tags[index] = tag;
        this.#idle.push(buffer);
        if (this.#parts.room.isWanted) this.giveBackIdle();
      },
      (error: unknown) => {
        this.#failure ??= error;
        // A slow sender hears of the failure now, not at the end of its body.
        void this.#parts.body.return?.();
      },
    );
    const done = sending.finally(() => this.#sending.delete(done));
    this.#sending.add(done);
  }

  async #sendPart(number: number, offset: number, body: Buffer): Promise<string> {
    const { upload, clock, deadlineMs } = this.#parts;
    return await tried(
      clock,
      () => upload.sendPart({ number, offset, body }, { deadlineMs }),
      () => this.#failure === undefined,
    );
  }

  giveBackIdle(): void {
    const { partBytes, room } = this.#parts;
    while (this.#buffers.length > 1) {
      const idle = this.#idle.pop();
      if (idle === undefined) return;
      this.#buffers.splice(this.#buffers.indexOf(idle), 1);
      free(idle);
      room.giveBack(partBytes);
    }
  }

  /** Nothing is being sent any more. */
  #end(): void {
    const { partBytes, room } = this.#parts;
    const lent = Math.max(0, this.#buffers.length - 1);
    for (const buffer of this.#buffers.splice(0)) free(buffer);
    room.forget(this);
    room.giveBack(lent * partBytes);
  }

  #requireNoFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** How long {@link tried} takes at most, with attempts that take `deadlineMs` at most each, in milliseconds. */
export function longestTriesMs(deadlineMs: number): number {
  return maxTries * deadlineMs + firstPauseMs * (2 ** (maxTries - 1) - 1);
}

/**
 * Makes an attempt that does no harm if it is made twice. Makes it again when the store does not answer or wants a
 * pause, as long as it is worth it.
 */
export async function tried<T>(
  clock: Clock,
  attempt: () => Promise<T>,
  isWorthIt: () => boolean = () => true,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      const mayPass = isOperatingError(error, ...transientCodes);
      if (!mayPass || tries === maxTries || !isWorthIt()) throw error;
    }
    await sleep(clock, firstPauseMs * 2 ** (tries - 1));
  }
}

export function tooLarge(maxBytes: number): OperatingError {
  return new OperatingError("value_too_large", `a value may have ${maxBytes} bytes at most`);
}
