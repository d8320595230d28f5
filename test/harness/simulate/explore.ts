/** Runs many seeds and says which of them fail. */

import { framesOfWorlds, runScenario, type Unchecked } from "../../simulation/scenario.ts";
import { planFor } from "../../simulation/scenario-plan.ts";
import { startMember } from "../../simulation/sim-member.ts";
import { type Choices, replayCommand } from "./choices.ts";

/** Between two lines of progress on a terminal. */
const progressMs = 500;

/** @returns whether all went well */
export async function explore(choices: Choices): Promise<boolean> {
  const { from, count, untilMs, faults, mutation, stopsAtFirst } = choices;
  Error.stackTraceLimit = framesOfWorlds;
  const startedMs = performance.now();
  const counts = new Map<string, number>();
  const unchecked: Record<Unchecked, number> = { void: 0, tangled: 0 };
  let failed = 0;
  let runs = 0;
  let shownMs = startedMs;
  const sum = (name: string, by: number): void => void counts.set(name, (counts.get(name) ?? 0) + by);
  while (runs < count && performance.now() - startedMs < untilMs) {
    const plan = planFor(from + runs, faults);
    const result = await runScenario(plan, startMember);
    runs++;
    sum("operations", result.answered);
    sum("events", result.events);
    for (const [name, times] of result.counts) sum(name, times);
    const [violation] = result.violations;
    if (violation === undefined && result.unchecked !== undefined) unchecked[result.unchecked]++;
    if (violation !== undefined) {
      failed++;
      clearProgress();
      console.log(`seed ${plan.seed} (${plan.profile}): ${violation.split("\n")[0]}`);
      console.log(`    ${replayCommand(plan.seed, faults, mutation)}`);
      if (stopsAtFirst) break;
    }
    if (performance.now() - shownMs > progressMs) {
      shownMs = performance.now();
      showProgress(`${runs} runs, ${failed} failed, seed ${from + runs}`);
    }
  }
  clearProgress();
  const minutes = (performance.now() - startedMs) / 60_000;
  console.log(`${runs} runs, ${Math.round(runs / minutes)} a minute; per run on average:`);
  console.log(`    ${[...counts].map(([name, times]) => `${rounded(times / runs)} ${name}`).join(", ")}`);
  console.log(`${runs - unchecked.void - unchecked.tangled} runs checked, ${failed === 0 ? "none" : failed} failed`);
  if (unchecked.tangled > 0) console.log(`${unchecked.tangled} not checked: too many operations of unknown outcome`);
  if (unchecked.void > 0) console.log(`${unchecked.void} not checked: more was lost than may be`);
  return failed === 0;
}

function rounded(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toFixed(1);
}

function showProgress(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
}

function clearProgress(): void {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
}
