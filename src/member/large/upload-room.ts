/**
 * The memory of parts on their way to the store: so many bytes at a time, at most (L14). Who finds no room waits, and
 * is let in by turns.
 */

import { assert } from "../../base/assert.ts";
import type { ContextOf } from "../context.ts";
import type { MemberSettings } from "../settings.ts";

type UploadRoomContext = ContextOf<"clock"> & {
  readonly settings: Pick<MemberSettings, "large" | "operationMs">;
};

export class UploadRoom {
  readonly #context: UploadRoomContext;
  #takenBytes = 0;
  /** Those that wait, in order. Each takes its room if there is enough. */
  readonly #waiting = new Set<() => boolean>();

  constructor(context: UploadRoomContext) {
    this.#context = context;
  }

  /** The most that can be had. */
  get bytes(): number {
    return this.#context.settings.large.inFlightBytes;
  }

  /** Takes room at once. False, and nothing taken, if somebody waits, or if fewer bytes than `others` would be left. */
  tryTake(bytes: number, others = 0): boolean {
    return this.#waiting.size === 0 && this.#take(bytes, others);
  }

  /** Takes room as soon as there is some. False if there is none in time. */
  async take(bytes: number): Promise<boolean> {
    if (this.tryTake(bytes)) return true;
    const { clock, settings } = this.#context;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const take = (): boolean => {
      if (!this.#take(bytes)) return false;
      resolve(true);
      return true;
    };
    this.#waiting.add(take);
    const timer = clock.after(settings.operationMs, () => {
      this.#waiting.delete(take);
      this.#letIn();
      resolve(false);
    });
    const isIn = await promise;
    timer.cancel();
    return isIn;
  }

  giveBack(bytes: number): void {
    assert(this.#takenBytes >= bytes, "no more room is given back than was taken");
    this.#takenBytes -= bytes;
    this.#letIn();
  }

  /** Lets those in who wait, in order, as far as there is room. */
  #letIn(): void {
    for (const take of this.#waiting) {
      if (!take()) return;
      this.#waiting.delete(take);
    }
  }

  #take(bytes: number, others = 0): boolean {
    assert(bytes > 0, "a part has room");
    if (this.#takenBytes + bytes + others > this.bytes) return false;
    this.#takenBytes += bytes;
    return true;
  }
}
