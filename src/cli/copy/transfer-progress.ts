/**
 * The progress of a transfer. On a terminal it is a bar that changes in place, elsewhere a line now and then. It goes
 * to standard error, so that the results stay apart.
 */

import { Presets, SingleBar } from "cli-progress";
import type { Clock, Instant } from "../../base/clock.ts";
import { formatBytes } from "../../base/quantity-text.ts";
import type { Terminal } from "../process/terminal.ts";
import type { Transfer } from "./transfer.ts";

/** What there is to do, as far as it has been counted. */
export interface Total {
  values: number;
  bytes: number;
  isWhole: boolean;
}

/** Milliseconds between two lines without a terminal. */
const lineMs = 10_000;

export class TransferProgress implements Disposable {
  readonly total: Total = { values: 0, bytes: 0, isWhole: false };
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #startedAt: Instant;
  readonly #bar: SingleBar | undefined;
  #lineAt: Instant;

  constructor(terminal: Terminal, clock: Clock) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#lineAt = this.#startedAt + lineMs;
    if (terminal.stderr.isTTY !== true) return;
    this.#bar = new SingleBar(
      {
        format: "{bar} {value} of {goal}  {copied} copied, {rate}/s{rest}  {left}",
        stream: terminal.stderr,
        hideCursor: false,
        clearOnComplete: true,
        barsize: 24,
        fps: 10,
        // The line is cut to the terminal's width. Turning wrapping off would leave it off after Ctrl-C.
        linewrap: true,
        // It would catch signals of its own.
        gracefulExit: false,
      },
      Presets.shades_classic,
    );
    this.#bar.start(1, 0, this.#figures(undefined));
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (this.#clock.now() - this.#startedAt) / 1_000;
  }

  show(transfer: Transfer): void {
    if (this.#bar) {
      this.#bar.setTotal(Math.max(1, this.total.values, transfer.done));
      this.#bar.update(transfer.done, this.#figures(transfer));
    } else if (this.#clock.now() >= this.#lineAt) {
      this.#lineAt = this.#clock.now() + lineMs;
      const { goal, copied, rate, rest } = this.#figures(transfer);
      this.#terminal.stderr.write(`${transfer.done} of ${goal}, ${copied} copied, ${rate}/s${rest}\n`);
    }
  }

  /** Clears the bar. */
  [Symbol.dispose](): void {
    this.#bar?.stop();
  }

  #figures(transfer: Transfer | undefined): { goal: string; copied: string; rate: string; rest: string; left: string } {
    const { values, bytes, isWhole } = this.total;
    const { copiedBytes = 0, sameBytes = 0, failed = 0 } = transfer?.counts ?? {};
    const perSecond = copiedBytes / Math.max(this.seconds, 0.001);
    const leftSeconds = (bytes - copiedBytes - sameBytes) / perSecond;
    return {
      goal: `${values}${isWhole ? "" : " or more"}`,
      copied: formatBytes(copiedBytes),
      rate: formatBytes(perSecond),
      rest: failed === 0 ? "" : `, ${failed} FAILED`,
      left: isWhole && Number.isFinite(leftSeconds) ? `${Math.max(0, Math.ceil(leftSeconds))} s left` : "",
    };
  }
}
