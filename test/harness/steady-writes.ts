/** A client that writes one value after the other, until it is disposed of, however the test ends. */

import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import type { Answer } from "./http-client.ts";

/** Milliseconds between two writes: one that is refused is seen, and the processors are for the rest of the test. */
const pauseMs = 10;

export class SteadyWrites implements AsyncDisposable {
  sent = 0;
  /** Those that were not answered 204. */
  failed = 0;
  #isDone = false;
  readonly #ended: Promise<void>;

  /** @param write - sends the `index`th */
  constructor(write: (index: number) => Promise<Answer>) {
    this.#ended = this.#run(write);
  }

  /** Ends with the answer to the write under way. */
  async stop(): Promise<void> {
    this.#isDone = true;
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(write: (index: number) => Promise<Answer>): Promise<void> {
    while (!this.#isDone) {
      const status = await write(this.sent).then(
        (answer) => answer.status,
        () => undefined,
      );
      this.sent += 1;
      if (status !== 204) this.failed += 1;
      if (!this.#isDone) await sleep(systemClock, pauseMs);
    }
  }
}
