/** Plants a bug and runs seeds until one fails: in a process of its own, or what is known in a thread. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { CaughtIn } from "../../simulation/caught.ts";
import type { Profile } from "../../simulation/fault-kinds.ts";
import type { Mutation } from "../../simulation/mutate.ts";
import type { Worlds } from "../../simulation/worlds.ts";
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

export interface HuntOptions {
  /** Where the bug was found before. */
  readonly caught?: CaughtIn | undefined;
  /** Worlds that are tried besides. */
  readonly count: number;
  /** Milliseconds for each process. */
  readonly timeoutMs: number;
  /** Whether the world in which it was caught before is not taken for well, either. */
  readonly isStrict?: boolean;
  /** Runs the world in which it was caught before, if it can: that takes a fifth of what a process takes. */
  readonly worlds?: Worlds;
}

/**
 * First the world in which it was caught before, then others. A world that fails without the bug, too, proves nothing,
 * and is passed over.
 */
export async function hunt(mutation: Mutation, options: HuntOptions): Promise<Hunt> {
  const { caught, count, timeoutMs, isStrict = false, worlds } = options;
  using planted = await PlantedBug.of(mutation);
  if (planted === undefined) return { kind: "stale" };
  const { world } = mutation;
  if (caught !== undefined) {
    const inThread = worlds?.canPlant === true ? await runInThread(worlds, planted, caught) : undefined;
    const known = inThread ?? (await search(planted, caught.profile, caught.seed, 1, timeoutMs));
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

/** Undefined unless the bug is found there: it may also end the thread, and then a process tells how. */
async function runInThread(
  worlds: Worlds,
  planted: PlantedBug,
  { profile, seed }: CaughtIn,
): Promise<Hunt | undefined> {
  const { functions } = planted;
  const result = await worlds.run({ seed, faults: profile, planted: functions }).catch(() => undefined);
  const [violation] = result?.violations ?? [];
  return violation === undefined
    ? undefined
    : { kind: "found", profile, seed, runs: 1, how: violation.split("\n")[0] as string };
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
