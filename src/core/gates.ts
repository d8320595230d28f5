/**
 * Gates: while one of a key's writes waits for its turn, later writes of that key wait behind it, or it would never
 * have its turn (W20). The write that waits closes the key's gate and opens it again. Others pass while it is open.
 */

import { assert } from "../base/assert.ts";

export class Gates {
  /** Of the closed ones: resolves when it opens. */
  readonly #closed = new Map<string, Promise<void>>();

  isClosed(key: string): boolean {
    return this.#closed.size > 0 && this.#closed.has(key);
  }

  /** Resolves when the key's gate is, or was just now, open. */
  async passed(key: string): Promise<void> {
    for (let gate = this.#closed.get(key); gate; gate = this.#closed.get(key)) await gate;
  }

  /** Closes the key's gate as soon as it is open; as {@link close}. */
  async enter(key: string): Promise<() => void> {
    // Not by `passed`: another write could close the gate before that promise resolves here.
    for (let gate = this.#closed.get(key); gate; gate = this.#closed.get(key)) await gate;
    return this.close(key);
  }

  /** Closes the key's gate, which is open; the result opens it again, and does nothing the second time. */
  close(key: string): () => void {
    assert(!this.#closed.has(key), "a gate is closed by one at a time");
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed.set(key, promise);
    return () => {
      if (this.#closed.get(key) !== promise) return;
      this.#closed.delete(key);
      resolve();
    };
  }
}
