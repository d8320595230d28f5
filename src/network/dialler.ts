/**
 * Keeps trying to reach one peer: at once, then after waits that double. The waits have chance in them, so that two
 * members that lost each other do not collide again and again. It decides only when; its owner makes the link.
 */

import { assert } from "../base/assert.ts";
import type { Clock, Instant, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { LinkSettings } from "./link-settings.ts";

/** The result of an attempt: `hopeless` when only an operator can help. */
export type DialOutcome = "linked" | "failed" | "hopeless";

export interface DiallerOptions {
  readonly settings: LinkSettings;
  readonly clock: Clock;
  readonly random: Random;
  /** Tries once. It must not reject, and ends soon after `signal` is aborted. */
  readonly attempt: (signal: AbortSignal) => Promise<DialOutcome>;
}

export class Dialler {
  readonly #options: DiallerOptions;
  #attempt: { readonly since: Instant; readonly abort: AbortController } | undefined;
  #timer: Timer | undefined;
  /** Attempts since the last good link. */
  #failures = 0;
  #linkedSince: Instant | undefined;

  constructor(options: DiallerOptions) {
    this.#options = options;
  }

  /** Whether an attempt is under way that began less than `ms` ago. */
  tryingSince(ms: number): boolean {
    return this.#attempt !== undefined && this.#options.clock.now() - this.#attempt.since < ms;
  }

  /** Whether it has failed so often that its waits are the longest there are. A restart would be over by now. */
  get isPersistent(): boolean {
    return this.#failures >= this.#failuresUntilLongest;
  }

  /** There is no link. Call it at first, and when a link was lost. */
  begin(): void {
    const { settings, clock } = this.#options;
    if (this.#linkedSince !== undefined && clock.now() - this.#linkedSince >= settings.steadyMs) this.#failures = 0;
    this.#linkedSince = undefined;
    if (this.#attempt !== undefined || this.#timer !== undefined) return;
    if (this.#failures === 0) this.#try();
    else this.#wait();
  }

  /** There is a link; either end may have made it. The attempt that is under way is given up. */
  linked(): void {
    this.#linkedSince = this.#options.clock.now();
    this.stop();
  }

  /** Tries no more until {@link begin}. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#attempt?.abort.abort(new Error("the dial was given up"));
    this.#attempt = undefined;
  }

  /** Stops, and forgets what failed. */
  reset(): void {
    this.stop();
    this.#failures = 0;
  }

  get #failuresUntilLongest(): number {
    const { redialMinMs, redialMaxMs } = this.#options.settings;
    return Math.ceil(Math.log2(redialMaxMs / redialMinMs)) + 1;
  }

  #wait(): void {
    assert(this.#timer === undefined && this.#attempt === undefined, "a wait is alone, between two attempts");
    assert(this.#failures > 0, "the first attempt does not wait");
    const { settings, clock, random } = this.#options;
    const fullMs = Math.min(settings.redialMaxMs, settings.redialMinMs * 2 ** (this.#failures - 1));
    // A random wait between half of it and all of it.
    const waitMs = fullMs * (0.5 + random.next() / 2);
    this.#timer = clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#try();
    });
  }

  #try(): void {
    assert(this.#attempt === undefined, "one attempt at a time");
    const { clock, attempt } = this.#options;
    const abort = new AbortController();
    const current = { since: clock.now(), abort };
    this.#attempt = current;
    this.#failures += 1;
    void attempt(abort.signal).then((outcome) => {
      // A later attempt, a link or a stop may have taken its place.
      if (this.#attempt !== current) return;
      this.#attempt = undefined;
      if (outcome === "linked") return;
      if (outcome === "hopeless") this.#failures = this.#failuresUntilLongest;
      this.#wait();
    });
  }
}
