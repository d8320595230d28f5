/**
 * What the nodes of `weir dev` print, as its own output. While they start and stop they complain about each other, rightly and of
 * no use to anyone: such lines are held back, and shown only if something did go wrong.
 */

import { printLine, type Terminal } from "../process/terminal.ts";

/** Lines held back, at most: the last ones tell why a node ended. */
const maxHeldLines = 500;

export class DevOutput {
  readonly #terminal: Terminal;
  readonly #isVerbose: boolean;
  #held: string[] | undefined = [];

  /** @param isVerbose nothing is held back. */
  constructor(terminal: Terminal, isVerbose: boolean) {
    this.#terminal = terminal;
    this.#isVerbose = isVerbose;
  }

  line(node: string, text: string): void {
    const line = `${node} | ${text}`;
    if (this.#isVerbose || this.#held === undefined) printLine(this.#terminal, line);
    else if (this.#held.push(line) > maxHeldLines) this.#held.shift();
  }

  /** From now on lines are held back. */
  hold(): void {
    this.#held = [];
  }

  /** From now on lines are shown; those held back are forgotten. */
  show(): void {
    this.#held = undefined;
  }

  /** From now on lines are shown; first those held back. */
  release(): void {
    for (const line of this.#held ?? []) printLine(this.#terminal, line);
    this.#held = undefined;
  }
}
