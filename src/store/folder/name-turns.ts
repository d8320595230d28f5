/**
 * Turns for changes of a name, within one process. Names that a file system may take for one another share their turns:
 * they may have the same natural place.
 */

import { foldName } from "./file-names.ts";

export class NameTurns {
  /** By folded name: ends with the last of those that wait for it. */
  readonly #turns = new Map<string, Promise<void>>();

  /** Does `work` once all that came before it for this name is done. */
  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const folded = foldName(name);
    const before = this.#turns.get(folded);
    const turn = Promise.withResolvers<void>();
    this.#turns.set(folded, turn.promise);
    try {
      await before;
      return await work();
    } finally {
      if (this.#turns.get(folded) === turn.promise) this.#turns.delete(folded);
      turn.resolve();
    }
  }

  /** Waits until no name has work. */
  async end(): Promise<void> {
    while (this.#turns.size > 0) await Promise.all(this.#turns.values());
  }
}
