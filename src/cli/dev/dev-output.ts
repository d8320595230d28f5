/**
 * What the nodes of `weir dev` print, as its own output. Nodes that start and stop complain about each other. They are
 * right, but it helps no one. So such lines are held back, and shown only if something did go wrong.
 */

import { printLine, type Terminal } from "../process/terminal.ts";

/** The most lines held back. The last ones tell why a node ended. */
const maxHeldLines = 500;

export class DevOutput {
  readonly #terminal: Terminal;
  readonly #isVerbose: boolean;
  #held: string[] | undefined = [];

  /** @param isVerbose Nothing is held back. */
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

  /** From now on lines are shown. Those held back are dropped. */
  show(): void {
    this.#held = undefined;
  }

  /** From now on lines are shown, first those held back. */
  release(): void {
    for (const line of this.#held ?? []) printLine(this.#terminal, line);
    this.#held = undefined;
  }
}
