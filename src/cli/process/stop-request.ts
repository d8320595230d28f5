/**
 * When a long-running command should stop: a signal asks for it in order, a second one at once. A child of `weir dev` is also
 * asked when its parent is gone, however that ended, so that no node outlives it. SIGHUP means to daemons that they should read their configuration
 * again, and to what runs on a terminal that this is gone.
 */

import { isatty } from "node:tty";
import type { Clock, Instant } from "../../base/clock.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/** The descriptor of the standard output. */
const outputFd = 1;

/** What shells show for a process that a signal ended: 128 and the signal's number, of SIGTERM. */
const stoppedAtOnce = 143;

/** Milliseconds within which a second signal is the first one again: npm passes Ctrl-C on to a process that has had it from the terminal. */
const echoMs = 300;

export interface StopRequestOptions {
  /** Runs on a second request, before the process exits. */
  readonly stopAtOnce: () => void;
  /** Runs on SIGHUP while the terminal, if there was one, is still there. Without it SIGHUP asks to stop. */
  readonly onHangup?: () => void;
}

export class StopRequest implements Disposable {
  /** Resolves with the reason, in words, when the first request to stop comes. */
  readonly requested: Promise<string>;
  readonly #onSignal: (signal: NodeJS.Signals) => void;
  readonly #onHangup: () => void;
  readonly #onDisconnect: () => void;

  constructor(clock: Clock, { stopAtOnce, onHangup }: StopRequestOptions) {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.requested = promise;
    let requestedAt: Instant | undefined;
    const request = (reason: string): void => {
      if (requestedAt === undefined) {
        requestedAt = clock.now();
        resolve(reason);
      } else if (clock.now() - requestedAt > echoMs) {
        stopAtOnce();
        process.exit(stoppedAtOnce);
      }
    };
    this.#onSignal = (signal) => request(signal);
    const hadTerminal = isatty(outputFd);
    this.#onHangup = () => {
      if (onHangup === undefined) request("SIGHUP");
      else if (hadTerminal && !isatty(outputFd)) request("the terminal is gone");
      else onHangup();
    };
    this.#onDisconnect = () => {
      // A parent that has sent SIGTERM may then go; that is no second request.
      if (requestedAt === undefined) request("the parent process is gone");
    };
    for (const signal of signals) process.on(signal, this.#onSignal);
    process.on("SIGHUP", this.#onHangup);
    process.on("disconnect", this.#onDisconnect);
    // The channel to the parent must not keep this process alive once all else is done.
    process.channel?.unref();
  }

  [Symbol.dispose](): void {
    for (const signal of signals) process.off(signal, this.#onSignal);
    process.off("SIGHUP", this.#onHangup);
    process.off("disconnect", this.#onDisconnect);
  }
}
