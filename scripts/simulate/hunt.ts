/** Plants a bug in a process of its own and runs seeds there until one fails. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Mutation } from "../../test/simulation/mutate.ts";
import { root } from "../steps.ts";

/** How the hunt for a planted bug ended. */
export type Hunt =
  /** By so many runs; `seed` of `profile` shows it. */
  | {
      readonly kind: "found";
      readonly profile: string;
      readonly seed: number;
      readonly runs: number;
      readonly how: string;
    }
  | { readonly kind: "survived"; readonly runs: number }
  /** What it replaces is not in the source any more. */
  | { readonly kind: "stale" }
  /** The process ended in another way: what it said last. */
  | { readonly kind: "broken"; readonly detail: string };

const firstFailure = /^seed (\d+) \((.+?)\): (.*)$/m;
const runsLine = /^(\d+) runs/m;
const staleCode = 3;

/**
 * First the worlds in which it was caught before, then `count` others. A world that fails without the bug, too, proves nothing, and is passed over.
 *
 * @param timeoutMs - for each process
 */
export async function hunt(mutation: Mutation, count: number, timeoutMs: number): Promise<Hunt> {
  for (const { profile, seed } of mutation.caught) {
    const known = await search(mutation.name, profile, seed, 1, timeoutMs);
    if (known.kind !== "survived") return known;
  }
  const profile = mutation.caught[0]?.profile;
  for (let from = 1; from <= count; ) {
    const result = await search(mutation.name, profile, from, count + 1 - from, timeoutMs);
    if (result.kind === "survived") break;
    if (result.kind !== "found") return result;
    const innocent = await search(undefined, result.profile, result.seed, 1, timeoutMs);
    if (innocent.kind === "survived") return { ...result, runs: result.seed };
    from = result.seed + 1;
  }
  return { kind: "survived", runs: mutation.caught.length + count };
}

async function search(
  name: string | undefined,
  profile: string | undefined,
  from: number,
  count: number,
  timeoutMs: number,
): Promise<Hunt> {
  const args = [
    join(root, "scripts", "simulate.ts"),
    `--from=${from}`,
    `--seeds=${count}`,
    "--stop-at-first",
    ...(name === undefined ? [] : [`--mutation=${name}`]),
    ...(profile === undefined ? [] : [`--profile=${profile}`]),
  ];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  if (code === staleCode) return { kind: "stale" };
  const runs = Number(runsLine.exec(output)?.[1] ?? 0);
  if (code === 0) return { kind: "survived", runs };
  const [, seed, where, how] = firstFailure.exec(output) ?? [];
  if (code !== 1 || seed === undefined || where === undefined) {
    return { kind: "broken", detail: `exit code ${code}: ${output.trim().split("\n").at(-1) ?? ""}` };
  }
  return { kind: "found", profile: where, seed: Number(seed), runs, how: how ?? "" };
}

/** A person's line for it. */
export function describeHunt(name: string, result: Hunt): string {
  const text = name.padEnd(44);
  switch (result.kind) {
    case "found":
      return `${text} found by run ${result.runs}: seed ${result.seed} of ${result.profile}: ${result.how}`;
    case "survived":
      return `${text} SURVIVED ${result.runs} runs`;
    case "stale":
      return `${text} STALE: what it replaces is not in the source, or not once`;
    default:
      return `${text} BROKEN: ${result.detail}`;
  }
}
