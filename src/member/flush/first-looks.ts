/**
 * First looks at objects whose keys were gained from a lost primary with a state that the store may lack (F26). That
 * one may have left a request under way, of which nobody knows. Its condition is one that was told, or what the first
 * look finds, or absence. Until then the key's state says so, and is handed on so.
 */

import type { KeyState, StoreKnowledge } from "../../core/key-state.ts";
import type { ContextOf } from "../context.ts";

export class FirstLooks {
  readonly #context: ContextOf<"late" | "clock">;

  constructor(context: ContextOf<"late" | "clock">) {
    this.#context = context;
  }

  /** This member has gained the key, and a predecessor may have a request under way. */
  gained(record: KeyState): void {
    const { late, clock } = this.#context;
    const now = clock.now();
    late.extend(record.key, record.newest, now);
    record.mayHaveUnknown(late.until(now));
  }

  /** The object was seen like this. */
  saw(record: KeyState, store: StoreKnowledge): void {
    const { late, clock } = this.#context;
    const now = clock.now();
    if ((store.kind !== "absent" && store.kind !== "present") || !record.looked(now)) return;
    late.add(record.key, undefined, store, now);
    // A primary that does not know the object sends a value as if there was none.
    late.add(record.key, undefined, { kind: "absent" }, now);
  }

  /** The object has the very version that was gained. The request for it was the last one, and has taken effect. */
  sawSame(record: KeyState): void {
    record.looked(this.#context.clock.now());
  }
}
