/**
 * The progress of a command that takes a while. On a terminal it is one line that changes in place, elsewhere a line
 * for each stage. It goes to standard error, so that the results stay apart.
 */

import type { Terminal } from "./terminal.ts";

/** Moves to the start of the line and clears it. */
const clearLine = "\r\u001b[K";

export class StageProgress implements Disposable {
  readonly #terminal: Terminal;
  #stage = "";
  #isShown = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** @param detail Figures, which change too often for lines of their own. */
  show(stage: string, detail = ""): void {
    const { stderr } = this.#terminal;
    const line = `${stage}${detail === "" ? "" : ` (${detail})`}`;
    // A line that wraps could not be cleared again.
    if (stderr.isTTY) stderr.write(`${clearLine}${stderr.columns ? line.slice(0, stderr.columns - 1) : line}`);
    else if (stage !== this.#stage) stderr.write(`${stage}\n`);
    this.#stage = stage;
    this.#isShown = stderr.isTTY === true;
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    if (this.#isShown) this.#terminal.stderr.write(clearLine);
    this.#isShown = false;
  }
}
