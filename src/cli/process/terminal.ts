/**
 * What a command reads and writes: the process's streams and environment. It is an argument, so that commands can be
 * tested.
 */

import { plain, plainJson } from "../../base/quantity-text.ts";

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
}

export const processTerminal: Terminal = {
  env: process.env,
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
};

/** Characters in a line of the terminal on the standard output. Without a terminal there is no limit. */
export function outputWidth({ stdout }: Terminal): number {
  return (stdout.isTTY === true && stdout.columns) || Number.POSITIVE_INFINITY;
}

/** Prints a line, or several. Nodes' and the store's words in it do nothing to a terminal. */
export function printLine(terminal: Terminal, text = ""): void {
  terminal.stdout.write(`${text.split("\n").map(plain).join("\n")}\n`);
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.stdout.write(`${plainJson(JSON.stringify(value, null, 2))}\n`);
}
