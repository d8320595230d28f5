/**
 * First looks at objects whose keys were gained with a state that the store may lack (F26). A predecessor may have left
 * a request under way, of which nobody knows. Its condition is one that was told, or what the first look finds, or
 * absence.
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
    late.extend(record.key, record.newest, clock.now());
    record.gained();
  }

  /** The object was seen like this. */
  saw(record: KeyState, store: StoreKnowledge): void {
    if (store.kind === "unknown" || !record.looked()) return;
    const { late, clock } = this.#context;
    late.add(record.key, undefined, store, clock.now());
    // A primary that does not know the object sends a value as if there was none.
    late.add(record.key, undefined, { kind: "absent" }, clock.now());
  }

  /** The object has the very version that was gained. The request for it was the last one, and has taken effect. */
  sawSame(record: KeyState): void {
    record.looked();
  }
}
