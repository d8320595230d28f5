/**
 * Writes whose clients want to hear only once the store has them (`Weir-Durability: stored`). Such a write commits like
 * any other. Then it is flushed sooner, and the answer waits until the store has its version or a newer one, for good.
 * A newer one is enough, since the object never goes back (P3, W21).
 *
 * When the tenure ends, the router sends the waiting write on to the key's next primary, under the same request id. The
 * repeat finds the first outcome there, and waits in its turn (W21, W22).
 */

import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import type { WriteRequest } from "../../core/message.ts";
import type { WriteOutcome, Written } from "../../core/operation.ts";
import { compareVersions, type Version } from "../../core/version.ts";
import type { ContextOf } from "../context.ts";
import type { FlushRequests } from "./flush-requests.ts";
import type { Primary } from "./primary.ts";

/** A client that waits for the store to have a version. */
interface Waiting {
  readonly version: Version;
  /** The store has it: true. This member may never hear of that: false. */
  readonly settle: (isStored: boolean) => void;
}

/** The clients that wait for the store, by key. */
export class StoredWaits {
  readonly #waiting = new Map<string, Set<Waiting>>();

  /** Whether a client waits for the store to have the key. */
  isAwaited(key: string): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(key);
  }

  add(key: string, waiting: Waiting): void {
    const all = this.#waiting.get(key);
    if (all) all.add(waiting);
    else this.#waiting.set(key, new Set([waiting]));
  }

  remove(key: string, waiting: Waiting): void {
    const all = this.#waiting.get(key);
    assert(all?.has(waiting) === true, "a client waits until it is removed");
    all.delete(waiting);
    if (all.size === 0) this.#waiting.delete(key);
  }

  /** The store has this version of the key, for good. */
  stored(key: string, version: Version): void {
    if (this.#waiting.size === 0) return;
    for (const each of this.#waiting.get(key) ?? []) if (compareVersions(each.version, version) <= 0) each.settle(true);
  }

  /** Another member may serve what is waited for, or this one has ended. */
  end(): void {
    for (const all of this.#waiting.values()) for (const each of all) each.settle(false);
  }
}

/**
 * Before the router's deadline by so many milliseconds, the wait ends. The answer says then how far the write has come.
 */
const marginMs = 200;

type DurableWritesContext = ContextOf<"membership" | "buffer" | "clock">;

export interface DurableWritesParts {
  readonly primary: Pick<Primary, "write">;
  readonly flush: Pick<FlushRequests, "expediteAwaited">;
  readonly waits: StoredWaits;
}

export class DurableWrites {
  readonly #context: DurableWritesContext;
  readonly #parts: DurableWritesParts;

  constructor(context: DurableWritesContext, parts: DurableWritesParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /**
   * Does a write that was routed here, and says whether the store has it: it waits for that if it was asked to. Fails
   * as {@link Primary.write} does.
   */
  write(request: WriteRequest): Promise<WriteOutcome> {
    const endAt = this.#context.clock.now() + request.deadlineMs - marginMs;
    return this.#parts.primary.write(request).then((answer) => {
      if (answer.kind !== "written") return answer;
      if (this.#isStored(request.key, answer.version)) return { ...answer, durability: "stored" };
      return request.durability === "stored" ? this.#untilStored(request.key, answer, endAt) : answer;
    });
  }

  /** Under a view just adopted another member may serve what is waited for; this member may have ended, too. */
  adoptView(): void {
    this.#parts.waits.end();
  }

  /**
   * Whether the store is known to have the version or a newer one, for good. Of a key that an active primary does not
   * hold, the store has the last acknowledged state: else it would have been handed to that primary.
   */
  #isStored(key: string, version: Version): boolean {
    const { buffer, membership } = this.#context;
    const record = buffer.get(key);
    if (record === undefined) return membership.mayAnswer(key);
    return record.entry !== undefined && !record.dirty && compareVersions(record.entry, version) >= 0;
  }

  async #untilStored(key: string, answer: Written, endAt: number): Promise<Written> {
    const { clock, buffer } = this.#context;
    const { flush, waits } = this.#parts;
    const record = buffer.get(key);
    if (record === undefined) throw ownerChanged();
    const { promise, resolve: settle } = Promise.withResolvers<boolean>();
    const waiting: Waiting = { version: answer.version, settle };
    waits.add(key, waiting);
    let isLate = false;
    const timer = clock.after(Math.max(0, endAt - clock.now()), () => {
      isLate = true;
      settle(false);
    });
    try {
      flush.expediteAwaited(record);
      if (await promise) return { ...answer, durability: "stored" };
      if (isLate) return answer;
      throw ownerChanged();
    } finally {
      timer.cancel();
      waits.remove(key, waiting);
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
