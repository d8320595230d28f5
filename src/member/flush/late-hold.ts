/** What must not be sent yet: an earlier request, whose outcome nobody knows, may take effect late (F24). */

import type { Instant } from "../../base/clock.ts";
import { type Entry, isTombstone } from "../../core/entry.ts";
import { type Flight, type KeyState, type StoreKnowledge, storeUnknown } from "../../core/key-state.ts";
import type { LateEffects, ObjectState } from "../../core/late-effects.ts";
import { parseManifest, tagOfParts } from "../../core/upload-manifest.ts";
import type { ContextOf } from "../context.ts";
import type { LateNotices } from "./late-notices.ts";

/**
 * After a failure nothing is sent for so long, in milliseconds, for keys whose condition could not be remembered.
 */
const fullPauseMs = 1_000;

export class LateHold {
  readonly #context: ContextOf<"late" | "clock">;
  readonly #notices: Pick<LateNotices, "tell">;
  /** What the store has had, and an earlier request may undo yet. */
  readonly #undoable = new WeakSet<Entry>();
  /** Whether the store has given an upload another tag than S3 makes of its parts. */
  #hasOtherTags = false;
  #stopped = false;

  constructor(context: ContextOf<"late" | "clock">, notices: Pick<LateNotices, "tell">) {
    this.#context = context;
    this.#notices = notices;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Until when the entry is held back, since under it the condition of an earlier request would hold. */
  heldUntil({ store }: KeyState, entry: Entry): Instant | undefined {
    return this.#until(entry, this.#undoable.has(entry) ? store : storeUnknown);
  }

  /** The store has the flight's entry. Whether an earlier request may undo that yet. */
  mayBeUndone({ record, entry }: Flight): boolean {
    this.#compareTag(entry, record.store);
    const isUndoable = this.#until(entry, record.store) !== undefined;
    if (isUndoable) this.#undoable.add(entry);
    return isUndoable;
  }

  /** What the store may yet do is known to the key's other owners before its next request (F25). */
  async tell(flight: Flight): Promise<void> {
    const { record } = flight;
    const { late, clock } = this.#context;
    if (!late.mayChange(record.key, clock.now())) return;
    await this.#notices.tell(record.key, () => record.flight === flight && !this.#stopped);
  }

  /**
   * Whether the flight goes on with a request after a look. That may have found what a predecessor's request waits for:
   * that is told first, and no state is sent that would make it come true (F26). If not, the record lands and is held
   * back.
   */
  async mayGoOn(flight: Flight): Promise<boolean> {
    await this.tell(flight);
    return flight.record.flight === flight && this.#until(flight.entry, storeUnknown) === undefined;
  }

  /** @param store - what the object is, if it has the entry; not every store's tags are known before */
  #until(entry: Entry, store: StoreKnowledge): Instant | undefined {
    const { late, clock } = this.#context;
    const now = clock.now();
    if (!late.mayChange(entry.key, now)) return undefined;
    const expected = this.#stateOf(entry);
    const states = store.kind === "present" && !isTombstone(entry) ? [expected, store] : [expected];
    const times = states.flatMap((state) => late.heldUntil(entry.key, entry, state, now) ?? []);
    return times.length === 0 ? undefined : Math.max(...times);
  }

  /** What the object will be with this entry. */
  #stateOf(entry: Entry): ObjectState {
    if (entry.upload) {
      const { parts } = parseManifest(entry.upload.manifest);
      return { kind: "completed", partTag: parts.at(-1), wholeTag: this.#hasOtherTags ? undefined : tagOfParts(parts) };
    }
    return isTombstone(entry) ? { kind: "absent" } : { kind: "present", tag: entry.md5 };
  }

  /**
   * The object has the entry. Its tag tells whether the store makes tags of parts as S3 does. Another store may make
   * them of the content in another way. Then any tag of an upload may be the one that comes back.
   */
  #compareTag({ upload }: Entry, store: StoreKnowledge): void {
    if (!upload || store.kind !== "present") return;
    const expected = tagOfParts(parseManifest(upload.manifest).parts);
    if (expected !== undefined && store.tag !== expected) this.#hasOtherTags = true;
  }
}

/**
 * Until when nothing is sent for the key because no more conditions can be remembered, and the store has failed at
 * `failedAt`. If it does not fail there is none to remember.
 */
export function fullUntil(late: LateEffects, key: string, failedAt: Instant, now: Instant): Instant | undefined {
  const until = failedAt + fullPauseMs;
  return late.isFull && until > now && !late.mayChange(key, now) ? until : undefined;
}
