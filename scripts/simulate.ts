/**
 * Runs simulated clusters from the command line: one seed with its whole story, or many seeds to see which of them fail.
 *
 *     node scripts/simulate.ts --seed=17            replays seed 17 with a readable trace
 *     node scripts/simulate.ts --seeds=1000 --from=1     explores; prints the failing seeds and runs a minute
 *
 * `--profile=NAME` or `--faults=restarts,links` chooses what goes wrong (by default the seed does); `--minutes=N` explores until time is up; `--quiet` replays
 * without the trace. Exit code 1 when a run failed, 2 for a wrong option.
 */

import { parseArgs } from "node:util";
import { runScenario } from "../test/simulation/scenario.ts";
import { type FaultKind, faultKinds, type Profile, planFor, profileNames } from "../test/simulation/scenario-plan.ts";
import { startMember } from "../test/simulation/sim-member.ts";

const { values: options } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    minutes: { type: "string" },
    profile: { type: "string" },
    faults: { type: "string" },
    quiet: { type: "boolean", default: false },
  },
});

function chosenFaults(): Profile | FaultKind[] | undefined {
  if (options.faults !== undefined) {
    const chosen = options.faults.split(",").filter((name) => name !== "");
    const wrong = chosen.find((name) => !(faultKinds as readonly string[]).includes(name));
    if (wrong !== undefined) usage(`there is no fault "${wrong}"; there are ${faultKinds.join(", ")}`);
    return chosen as FaultKind[];
  }
  if (options.profile === undefined) return undefined;
  const profile = profileNames.find((name) => name === options.profile);
  return profile ?? usage(`there is no profile "${options.profile}"; there are ${profileNames.join(", ")}`);
}

function wholeNumber(name: "seed" | "seeds" | "from" | "minutes"): number {
  const value = Number(options[name]);
  return Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? value : usage(`--${name} must be a whole number`);
}

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}

async function replay(seed: number): Promise<boolean> {
  const plan = planFor(seed, chosenFaults());
  console.log(JSON.stringify(plan, null, 1));
  const result = await runScenario(plan, startMember, options.quiet ? undefined : (line) => console.log(line));
  const { violations, ...figures } = result;
  console.log(JSON.stringify(figures));
  for (const violation of violations) console.log(`\nVIOLATION ${violation}`);
  console.log(violations.length === 0 ? "all is well" : `\nseed ${seed} (${plan.profile}) failed`);
  return violations.length === 0;
}

async function explore(from: number): Promise<boolean> {
  const untilMs =
    options.minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + wholeNumber("minutes") * 60_000;
  const count = options.minutes === undefined ? wholeNumber("seeds") : Number.POSITIVE_INFINITY;
  const started = performance.now();
  const failed: number[] = [];
  let runs = 0;
  let events = 0;
  let answered = 0;
  let restarts = 0;
  for (; runs < count && performance.now() < untilMs; runs++) {
    const plan = planFor(from + runs, chosenFaults());
    const result = await runScenario(plan, startMember);
    events += result.events;
    answered += result.answered;
    restarts += result.restarts;
    const [violation] = result.violations;
    if (violation === undefined) continue;
    failed.push(plan.seed);
    console.log(`seed ${plan.seed} (${plan.profile}): ${violation.split("\n")[0]}`);
  }
  const minutes = (performance.now() - started) / 60_000;
  const per = (value: number): number => Math.round(value / runs);
  console.log(
    `${runs} runs, ${Math.round(runs / minutes)} a minute; per run ${per(answered)} operations answered, ${per(events)} events, ${(restarts / runs).toFixed(1)} restarts`,
  );
  console.log(failed.length === 0 ? "no run failed" : `${failed.length} runs failed: ${failed.join(" ")}`);
  return failed.length === 0;
}

const well = options.seed === undefined ? await explore(wholeNumber("from")) : await replay(wholeNumber("seed"));
process.exitCode = well ? 0 : 1;
