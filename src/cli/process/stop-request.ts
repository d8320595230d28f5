/**
 * When a long-running command should stop. The first signal asks for an orderly stop, the second stops at once. A child
 * of `weir dev` is also asked when its parent is gone in any way, so that no node outlives it.
 *
 * SIGHUP has two meanings. To a daemon: read the configuration again. To a process on a terminal: the terminal is gone.
 */

import { isatty } from "node:tty";
import type { Clock, Instant } from "../../base/clock.ts";
import { endEarlySignals } from "./early-signals.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/** The descriptor of the standard output. */
const outputFd = 1;

/** What shells show for a process that SIGTERM ended: 128 and the signal's number. */
const stoppedAtOnce = 143;

/**
 * A second signal within so many milliseconds counts as the first one. npm passes Ctrl-C on to a process that already
 * had it from the terminal.
 */
const echoMs = 300;

export interface StopRequestOptions {
  /** Runs on a second request, before the process exits. */
  readonly stopAtOnce: () => void;
  /** Runs on SIGHUP if the terminal is still there, or there was none. Without it SIGHUP asks to stop. */
  readonly onHangup?: () => void;
}

export class StopRequest implements Disposable {
  /** Resolves at the first request to stop, with the reason in words. */
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
      // A parent that has sent SIGTERM may then go. That is no second request.
      if (requestedAt === undefined) request("the parent process is gone");
    };
    for (const signal of signals) process.on(signal, this.#onSignal);
    endEarlySignals();
    process.on("SIGHUP", this.#onHangup);
    process.on("disconnect", this.#onDisconnect);
    // The channel to the parent must not keep this process alive once everything else is done.
    process.channel?.unref();
  }

  [Symbol.dispose](): void {
    for (const signal of signals) process.off(signal, this.#onSignal);
    process.off("SIGHUP", this.#onHangup);
    process.off("disconnect", this.#onDisconnect);
  }
}
