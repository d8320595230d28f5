/**
 * Writes whose clients want to hear only once the store has them (`Weir-Durability: stored`). Such a write commits like any other; then its
 * flush is hastened, and the answer waits until the store has its version or a newer one, for good. A newer one is enough, since the object never
 * goes back (P3): whatever this write was to outlive, its successor outlives. Whoever waits here when the tenure ends is sent on to the key's next primary by
 * the router, under the same request id: the repeat finds the first outcome there and waits in its turn.
 */

import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Membership } from "../../core/membership.ts";
import type { PreconditionFailedAnswer, WriteRequest, WrittenAnswer } from "../../core/message.ts";
import { compareVersions, type Version } from "../../core/version.ts";
import type { KeyRecord, WriteBuffer } from "../../core/write-buffer.ts";
import type { Primary } from "./primary.ts";

export interface DurableWritesParts {
  readonly membership: Membership;
  readonly primary: Pick<Primary, "write">;
  readonly buffer: WriteBuffer;
  readonly clock: Clock;
  /** Sends the record's state to the store without a delay. */
  readonly urge: (record: KeyRecord) => void;
}

/** One who waits for the store to have a version. */
interface Waiting {
  readonly version: Version;
  /** It has: true. It may never hear of that here: false. */
  readonly settle: (isStored: boolean) => void;
}

/** Before the router's deadline by so many milliseconds, the wait ends with an answer that says how far the write has come. */
const marginMs = 200;

export class DurableWrites {
  readonly #parts: DurableWritesParts;
  readonly #waiting = new Map<string, Set<Waiting>>();

  constructor(parts: DurableWritesParts) {
    this.#parts = parts;
  }

  /** Does a write that was routed here, and says whether the store has it: it waits for that if it was asked to. Fails as {@link Primary.write} does. */
  write(request: WriteRequest): Promise<WrittenAnswer | PreconditionFailedAnswer> {
    const { primary, clock } = this.#parts;
    const endAt = clock.now() + request.deadlineMs - marginMs;
    return primary.write(request).then((answer) => {
      if (answer.kind !== "written") return answer;
      if (this.#isStored(request.key, answer.version)) return { ...answer, durability: "stored" };
      return request.durability === "stored" ? this.#untilStored(request.key, answer, endAt) : answer;
    });
  }

  /** Whether somebody waits for the store to have the key. */
  isAwaited(key: string): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(key);
  }

  /** The store has this version of the key, for good. */
  stored(key: string, version: Version): void {
    if (this.#waiting.size === 0) return;
    for (const each of this.#waiting.get(key) ?? []) if (compareVersions(each.version, version) <= 0) each.settle(true);
  }

  /** Under a view just adopted another member may serve what is waited for; the member may have ended, too. */
  adoptView(): void {
    for (const all of this.#waiting.values()) for (const each of all) each.settle(false);
  }

  /**
   * Whether the store is known to have the version or a newer one, for good. Of what an active primary does not hold, the store has the last
   * acknowledged state: else it would have been handed to it.
   */
  #isStored(key: string, version: Version): boolean {
    const { buffer, membership } = this.#parts;
    const record = buffer.get(key);
    if (record === undefined) return membership.mayAnswer(key);
    return record.entry !== undefined && !record.dirty && compareVersions(record.entry, version) >= 0;
  }

  async #untilStored(key: string, answer: WrittenAnswer, endAt: number): Promise<WrittenAnswer> {
    const { clock, buffer, urge } = this.#parts;
    const record = buffer.get(key);
    if (record === undefined) throw ownerChanged();
    const { promise, resolve: settle } = Promise.withResolvers<boolean>();
    const waiting: Waiting = { version: answer.version, settle };
    const all = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, all.add(waiting));
    let isLate = false;
    const timer = clock.after(Math.max(0, endAt - clock.now()), () => {
      isLate = true;
      settle(false);
    });
    try {
      urge(record);
      if (await promise) return { ...answer, durability: "stored" };
      if (isLate) return answer;
      throw ownerChanged();
    } finally {
      timer.cancel();
      all.delete(waiting);
      if (all.size === 0) this.#waiting.delete(key);
    }
  }
}

/** Not `not_ready`: the write has taken effect, whatever becomes of a copy that is sent to the next owner. */
function ownerChanged(): OperatingError {
  return new OperatingError(
    "peer_unreachable",
    "the write has taken effect, and its key has another owner now, which has not said whether the store has it",
  );
}
