/** How far a command is that takes a while: on a terminal one line that changes in place, elsewhere a line for each stage. On standard error, so that results stay apart. */

import type { Terminal } from "./terminal.ts";

/** To the start of the line, and clear it. */
const clearLine = "\r\u001b[K";

export class Progress implements Disposable {
  readonly #terminal: Terminal;
  #stage = "";
  #isShown = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** @param detail figures, which change too often for lines of their own */
  show(stage: string, detail = ""): void {
    const { stderr } = this.#terminal;
    const line = `${stage}${detail === "" ? "" : ` (${detail})`}`;
    // What wraps can't be taken away again.
    if (stderr.isTTY) stderr.write(`${clearLine}${stderr.columns ? line.slice(0, stderr.columns - 1) : line}`);
    else if (stage !== this.#stage) stderr.write(`${stage}\n`);
    this.#stage = stage;
    this.#isShown = stderr.isTTY === true;
  }

  /** Takes the line away. */
  [Symbol.dispose](): void {
    if (this.#isShown) this.#terminal.stderr.write(clearLine);
    this.#isShown = false;
  }
}
