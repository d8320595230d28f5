/**
 * Keeps trying to reach one peer: at once, then after waits that double, with chance in them so that two members that lost each
 * other do not collide again and again. It only decides when; how a link is made is its owner's business.
 */

import { assert } from "../base/assert.ts";
import type { Clock, Instant, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { LinkSettings } from "./link-settings.ts";

/** What became of an attempt: `hopeless` when only an operator can help. */
export type DialOutcome = "linked" | "failed" | "hopeless";

export interface DiallerOptions {
  readonly settings: LinkSettings;
  readonly clock: Clock;
  readonly random: Random;
  /** Tries once; it must not reject, and ends soon after `signal` is aborted. */
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

  /** Whether it has failed so often that it waits as long as it ever does: a restart would be over by now. */
  get isPersistent(): boolean {
    return this.#failures >= this.#failuresUntilLongest;
  }

  /** There is no link: to be called at first, and when one was lost. */
  begin(): void {
    const { settings, clock } = this.#options;
    if (this.#linkedSince !== undefined && clock.now() - this.#linkedSince >= settings.steadyMs) this.#failures = 0;
    this.#linkedSince = undefined;
    if (this.#attempt !== undefined || this.#timer !== undefined) return;
    if (this.#failures === 0) this.#try();
    else this.#wait();
  }

  /** There is a link, whoever made it: gives up what is under way. */
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
    const { settings, clock, random } = this.#options;
    const fullMs = Math.min(settings.redialMaxMs, settings.redialMinMs * 2 ** (this.#failures - 1));
    // Between half of it and all of it.
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
      // A later attempt, a link or a stop has taken its place.
      if (this.#attempt !== current) return;
      this.#attempt = undefined;
      if (outcome === "linked") return;
      if (outcome === "hopeless") this.#failures = this.#failuresUntilLongest;
      this.#wait();
    });
  }
}
