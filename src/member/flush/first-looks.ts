/**
 * First looks at objects whose keys were gained from a lost primary with a state that the store may lack (F26), or from
 * owners that were forgotten (V69). Those may have left a request under way, of which nobody knows. Its condition is
 * one that was told, or what the first look finds, or absence. Until then the key's state says so. It is handed on so.
 */

import type { KeyState, StoreKnowledge } from "../../core/key-state.ts";
import type { OpenCondition } from "../../core/late-effects.ts";
import type { Membership } from "../../core/membership.ts";
import type { ContextOf } from "../context.ts";
import type { HeededConditions } from "./flight.ts";

type FirstLooksContext = ContextOf<"late" | "clock"> & {
  readonly membership: Pick<Membership, "mayForgottenSendSince">;
};

export class FirstLooks {
  readonly #context: FirstLooksContext;
  readonly #heeds: HeededConditions;

  constructor(context: FirstLooksContext, heeds: HeededConditions) {
    this.#context = context;
    this.#heeds = heeds;
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
    if (store.kind === "absent" || store.kind === "present") this.#looked(record, [store]);
  }

  /**
   * The object has the very version that was gained. The request for it was the last one, and has taken effect.
   * This member was told of those before it, unless all who were told have been forgotten.
   */
  sawSame(record: KeyState): void {
    if (this.#hasForgotten(record)) this.#looked(record, []);
    else record.looked(this.#context.clock.now());
  }

  #looked(record: KeyState, found: readonly OpenCondition[]): void {
    const { late, clock } = this.#context;
    const now = clock.now();
    const hasForgotten = this.#hasForgotten(record);
    if (!record.looked(now)) return;
    // A primary that does not know the object sends a value as if there was none.
    late.addLook(record.key, [...found, { kind: "absent" }, ...(hasForgotten ? this.#ignored() : [])], now);
  }

  /** Whether owners that were forgotten may have a request for the key under way (V69). */
  #hasForgotten({ key }: KeyState): boolean {
    const { membership, late, clock } = this.#context;
    return membership.mayForgottenSendSince(key, late.since(clock.now()));
  }

  /** What a request waits for where the store ignores its condition. Only the owners knew of such requests (F27). */
  #ignored(): OpenCondition[] {
    if (!this.#heeds.onCompletions) return [{ kind: "any" }];
    return this.#heeds.onRemovals ? [] : [{ kind: "any_present" }];
  }
}
