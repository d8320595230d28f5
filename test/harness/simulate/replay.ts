/**
 * Runs one seed and tells its story, for a person to follow: faults and views stand out, and what happens all the time
 * is left out.
 */

import { runScenario } from "../../simulation/scenario.ts";
import { planFor } from "../../simulation/scenario-plan.ts";
import { startMember } from "../../simulation/sim-member.ts";
import type { Choices } from "./choices.ts";

/** Where a line's kind begins and ends; see `SimTrace`. */
const kindColumn = 11;
const kindLength = 12;

const dull = new Set(["ping", "pong", "log debug"]);
const loud = new Set(["FAULT", "VIEW", "failure"]);

/** @returns whether all went well */
export async function replay(seed: number, choices: Choices): Promise<boolean> {
  const plan = planFor(seed, choices.faults);
  console.log(JSON.stringify(plan, null, 1));
  const isColored = process.stdout.isTTY;
  const print = (line: string): void => {
    const kind = line.slice(kindColumn, kindColumn + kindLength).trim();
    if (dull.has(kind) && !choices.isVerbose) return;
    console.log(isColored && loud.has(kind) ? `\x1b[1m${line}\x1b[0m` : line);
  };
  const result = await runScenario(plan, startMember, choices.isQuiet ? undefined : print);
  const { violations, counts, unchecked, ...figures } = result;
  console.log(JSON.stringify({ ...figures, ...Object.fromEntries(counts) }));
  for (const violation of violations) console.log(`\nVIOLATION ${violation}`);
  if (unchecked !== undefined) console.log(`not checked: ${unchecked}`);
  console.log(violations.length === 0 ? "all is well" : `\nseed ${seed} (${plan.profile}) failed`);
  return violations.length === 0;
}
