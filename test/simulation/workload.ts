/**
 * What clients do: draws their operations, the contents that they write and the conditions that they set, in the
 * proportions of the plan.
 */

import type { ClientAction, RegisterCondition } from "../harness/history.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import type { ScenarioPlan } from "./scenario-plan.ts";
import type { Contents } from "./sim-client.ts";

/** A condition names this many of the newest contents, since a client can't know which of them is the key's. */
const namedContents = 3;

export class Workload {
  readonly #plan: ScenarioPlan;
  readonly #contents: Contents;
  readonly #random: SimRandom;
  /** Draws who waits for the store. */
  readonly #patience: SimRandom;
  #count = 0;

  constructor(plan: ScenarioPlan, contents: Contents, random: SimRandom) {
    this.#plan = plan;
    this.#contents = contents;
    this.#random = random;
    this.#patience = random.fork("stored");
  }

  draw(key: string): ClientAction {
    const { readShare, deleteShare, conditionalShare, storedShare } = this.#plan;
    const luck = this.#random.next();
    if (luck < readShare) return { kind: "get" };
    const conditional = this.#random.chance(conditionalShare) ? { condition: this.#drawCondition(key) } : {};
    const options = { ...conditional, ...(this.#patience.chance(storedShare) ? { stored: true } : {}) };
    if (luck < readShare + deleteShare) return { kind: "delete", ...options };
    return { kind: "put", value: this.#drawContent(key), ...options };
  }

  /** Makes a content for the key, unlike any other; returns its name. */
  makeContent(key: string): string {
    const name = this.nameContent(key);
    this.#contents.make(name, this.#random.whole(0, this.#plan.maxValueBytes));
    return name;
  }

  /** A name for a content of the key, unlike any other. */
  nameContent(key: string): string {
    return `${key}#${++this.#count}`;
  }

  #drawContent(key: string): string {
    const earlier = `${key}#${this.#random.whole(1, Math.max(1, this.#count))}`;
    const repeated = this.#random.chance(this.#plan.repeatShare) && this.#contents.named(earlier)?.isParted === false;
    return repeated ? earlier : this.makeContent(key);
  }

  /** Create only; replace whatever is there; replace what may be there; or replace anything else. */
  #drawCondition(key: string): RegisterCondition {
    const luck = this.#random.next();
    if (luck < 0.4) return { noneMatch: ["*"] };
    if (luck < 0.5) return { match: ["*"] };
    const newest: string[] = [];
    for (let number = this.#count; number > 0 && newest.length < namedContents; number--) {
      if (this.#contents.named(`${key}#${number}`) !== undefined) newest.push(`${key}#${number}`);
    }
    return luck < 0.9 ? { match: newest.length > 0 ? newest : ["none"] } : { noneMatch: newest };
  }
}
