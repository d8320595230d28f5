/**
 * An end that follows others. `AbortSignal.any` is not used for waits that may never end: while such a signal has a
 * listener, Node keeps it for ever, and all that hangs on it. A simulated process that is killed never ends its waits.
 */

/** Is aborted, with the same reason, as soon as one of the sources is. Disposed, it follows them no more. */
export class LinkedAbort implements Disposable {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  readonly #follow = (event: Event): void => this.#controller.abort((event.target as AbortSignal).reason);

  constructor(...sources: readonly AbortSignal[]) {
    this.#sources = sources;
    for (const source of sources) {
      if (source.aborted) this.#controller.abort(source.reason);
      else source.addEventListener("abort", this.#follow, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const source of this.#sources) source.removeEventListener("abort", this.#follow);
  }
}
