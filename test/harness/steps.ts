/** Running the project's tools one after the other: a line each when all is well, their output when it isn't. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export const root = join(import.meta.dirname, "..", "..");

/** The path of a program that npm has installed for this project. */
export function installed(name: string): string {
  return join(root, "node_modules", ".bin", name);
}

/** Runs `program` quietly; shows what it printed if it fails. Resolves with whether it went well. */
export async function step(name: string, program: string, args: readonly string[]): Promise<boolean> {
  const startedAt = performance.now();
  const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => output.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  process.stdout.write(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)\n`);
  if (code !== 0) process.stdout.write(Buffer.concat(output));
  return code === 0;
}
