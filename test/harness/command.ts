/** The command line as a process, for tests. */

import { execFile } from "node:child_process";
import { program } from "./program.ts";

/** For a process whose environment is otherwise its own: what makes it start sooner; see scripts/test.ts. */
const { NODE_COMPILE_CACHE } = process.env;
export const compileCache: Readonly<Record<string, string>> =
  NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** All of its environment, but for the folder of compiled modules. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
}

/** Runs `weir` with these arguments to its end. */
export function weir(args: readonly string[], { env = {}, input = "", cwd }: CommandOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { env: { ...compileCache, ...env }, cwd },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
    child.stdin?.end(input);
  });
}
