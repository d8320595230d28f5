/**
 * What clients do and to which keys. Keys take turns: each fault has a fresh set, so that every history stays short
 * enough to be checked, and those of earlier faults are still touched now and then, since what comes back from the dead
 * mostly is old.
 */

import type { ClientAction, RegisterCondition } from "../history.ts";
import type { SimRandom } from "../sim-random.ts";

/** Parts of all operations. */
const readShare = 0.45;
const deleteShare = 0.07;
/** Parts of the writes. */
const conditionalShare = 0.2;
const repeatShare = 0.1;
/** Part of the operations that touch a key of an earlier set. */
const earlierShare = 0.1;

/**
 * Writes of unknown outcome of one key: a checker has to think of each as done at any later time or never, which soon
 * is too much.
 */
const maxUnsure = 16;

interface KeyState {
  /** Contents made for the key so far. */
  made: number;
  /** The content that was seen last. */
  seen: string | undefined;
  /** Writes of unknown outcome so far. */
  unsure: number;
}

function newKey(): KeyState {
  return { made: 0, seen: undefined, unsure: 0 };
}

export class Workload {
  readonly #states = new Map<string, KeyState>();
  readonly #earlier: string[] = [];
  #sets = 0;
  #current: string[] = [];

  /** Every key that there was. */
  get keys(): readonly string[] {
    return [...this.#states.keys()];
  }

  /** The present set. */
  get current(): readonly string[] {
    return this.#current;
  }

  /** From now on clients work on a fresh set of keys, so many of them. */
  rotate(size: number): void {
    this.#earlier.push(...this.#current);
    const set = this.#sets++;
    this.#current = Array.from({ length: size }, (_, index) => `k${set}/${index}`);
    for (const key of this.#current) this.#states.set(key, newKey());
  }

  /** A key that no client draws. */
  addKey(key: string): void {
    this.#states.set(key, newKey());
  }

  /** A write of the key had no answer. A key with many of these is used no more, and another one takes its place. */
  isUnsure(key: string): void {
    const state = this.#states.get(key) as KeyState;
    if (++state.unsure !== maxUnsure) return;
    replace(this.#earlier, key, []);
    const fresh = `${key}+`;
    if (replace(this.#current, key, [fresh])) this.addKey(fresh);
  }

  drawKey(random: SimRandom): string {
    const isEarlier = this.#earlier.length > 0 && random.chance(earlierShare);
    return random.pick(isEarlier ? this.#earlier : this.#current);
  }

  draw(random: SimRandom, key: string): ClientAction {
    const luck = random.next();
    if (luck < readShare) return { kind: "get" };
    const state = this.#states.get(key) as KeyState;
    const conditional = random.chance(conditionalShare) ? { condition: drawCondition(random, state) } : {};
    if (luck < readShare + deleteShare) return { kind: "delete", ...conditional };
    const isRepeated = state.made > 0 && random.chance(repeatShare);
    const number = isRepeated ? random.whole(1, state.made) : ++state.made;
    return { kind: "put", value: `${key}#${number}`, ...conditional };
  }

  /** A client has read this content under the key. */
  sees(key: string, content: string): void {
    (this.#states.get(key) as KeyState).seen = content;
  }
}

/** Create only; replace whatever is there; or replace what was there a moment ago. */
function drawCondition(random: SimRandom, { seen }: KeyState): RegisterCondition {
  const luck = random.next();
  if (luck < 0.4) return { noneMatch: ["*"] };
  return { match: [luck < 0.5 || seen === undefined ? "*" : seen] };
}

/** Whether `list` had `item`, which is `others` now. */
function replace(list: string[], item: string, others: readonly string[]): boolean {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1, ...others);
  return at >= 0;
}
