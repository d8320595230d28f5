/** Plants a bug in a process of its own and runs seeds there until one fails. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { CaughtIn } from "../../simulation/caught.ts";
import type { Profile } from "../../simulation/fault-kinds.ts";
import type { Mutation } from "../../simulation/mutate.ts";
import { commandOf } from "../packed-modules.ts";
import { PlantedBug } from "../planted-process.ts";
import { root } from "../steps.ts";

/** How the hunt for a planted bug ended. */
export type Hunt =
  /** By so many runs; `seed` of `profile` shows it. */
  | {
      readonly kind: "found";
      readonly profile: Profile;
      readonly seed: number;
      readonly runs: number;
      readonly how: string;
    }
  | { readonly kind: "survived"; readonly runs: number }
  /** What it replaces is not in the source any more. */
  | { readonly kind: "stale" }
  /** The process ended in another way: what it said last. */
  | { readonly kind: "broken"; readonly detail: string };

const firstFailure = /^seed (\d+) \(.+?\): (.*)$/m;
const runsLine = /^(\d+) runs/m;

/**
 * First the world in which it was caught before, then `count` others. A world that fails without the bug, too, proves
 * nothing, and is passed over.
 *
 * @param timeoutMs - for each process
 * @param isStrict - whether the world in which it was caught before is not taken for well, either
 */
export async function hunt(
  mutation: Mutation,
  caught: CaughtIn | undefined,
  count: number,
  timeoutMs: number,
  isStrict = false,
): Promise<Hunt> {
  using planted = await PlantedBug.of(mutation);
  if (planted === undefined) return { kind: "stale" };
  const { world } = mutation;
  if (caught !== undefined) {
    const known = await search(planted, caught.profile, caught.seed, 1, timeoutMs);
    const isProof = known.kind !== "found" || !isStrict || (await isInnocent(caught.profile, caught.seed, timeoutMs));
    if (known.kind !== "survived" && isProof) return known;
  }
  for (let from = 1; from <= count; ) {
    const result = await search(planted, world, from, count + 1 - from, timeoutMs);
    if (result.kind === "survived") break;
    if (result.kind !== "found") return result;
    if (await isInnocent(world, result.seed, timeoutMs)) return { ...result, runs: result.seed };
    from = result.seed + 1;
  }
  return { kind: "survived", runs: count };
}

/** Whether the world is well without a bug. */
async function isInnocent(profile: Profile, seed: number, timeoutMs: number): Promise<boolean> {
  return (await search(undefined, profile, seed, 1, timeoutMs)).kind === "survived";
}

async function search(
  planted: PlantedBug | undefined,
  profile: Profile,
  from: number,
  count: number,
  timeoutMs: number,
): Promise<Hunt> {
  const args = [`--from=${from}`, `--seeds=${count}`, "--stop-at-first", `--profile=${profile}`];
  const child = spawn(process.execPath, [...commandOf("scripts/simulate.ts"), ...args], {
    cwd: root,
    env: { ...process.env, ...planted?.env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  const runs = Number(runsLine.exec(output)?.[1] ?? 0);
  if (code === 0) return { kind: "survived", runs };
  const [, seed, how] = firstFailure.exec(output) ?? [];
  if (code !== 1 || seed === undefined) {
    return { kind: "broken", detail: `exit code ${code}: ${output.trim().split("\n").at(-1) ?? ""}` };
  }
  return { kind: "found", profile, seed: Number(seed), runs, how: how ?? "" };
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
