/** What the command line of the simulator says, checked. */

import { type FaultKind, faultKinds, type Profile, profileNames } from "../../simulation/fault-kinds.ts";
import { scriptCommand, usage } from "../script-command.ts";

export interface Choices {
  /** To be replayed; undefined to explore. */
  readonly seed: number | undefined;
  readonly from: number;
  /** How many seeds to explore. */
  readonly count: number;
  /** For how long at most. */
  readonly untilMs: number;
  readonly faults: Profile | readonly FaultKind[] | undefined;
  /** Replays tell nothing but the result. */
  readonly isQuiet: boolean;
  /** Replays tell all, pings too. */
  readonly isVerbose: boolean;
  readonly stopsAtFirst: boolean;
  /** A bug to plant. */
  readonly mutation: string | undefined;
  /** Whether to plant each bug of the list in turn. */
  readonly plantsAll: boolean;
  /** Whether the worlds in which they are found are kept. */
  readonly keeps: boolean;
}

const summary = "Runs simulated clusters: a seed is a world, and replays exactly.";
const exitCodes = `
Exit codes: 0 all is well, 1 a world failed or a planted bug was not found, 2 a wrong option, 3 a planted bug whose
place is not in the source any more.`;

interface Values {
  readonly seed?: string;
  readonly seeds: string;
  readonly from: string;
  readonly minutes?: string;
  readonly profile?: string;
  readonly faults?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly stopAtFirst?: boolean;
  readonly mutation?: string;
  readonly mutations?: boolean;
  readonly keep?: boolean;
}

export function readChoices(args: readonly string[]): Choices {
  const values = scriptCommand("simulate", summary)
    .option("--seed <number>", "replay this world, with a readable trace")
    .option("--quiet", "replay without a trace")
    .option("--verbose", "replay with pings in the trace, too")
    .option("--seeds <number>", "explore so many worlds, and print those that fail", "100")
    .option("--from <number>", "the first of them", "1")
    .option("--minutes <number>", "explore for so long instead")
    .option("--profile <name>", `what goes wrong: ${profileNames.join(", ")} (default: by the seed)`)
    .option("--faults <kinds>", `the same, one by one, separated by commas: ${faultKinds.join(", ")}`)
    .option("--stop-at-first", "end at the first failure")
    .option("--mutation <name>", "plant this bug (see test/simulation/mutations.ts)")
    .option("--mutations", "plant each bug in turn, or those with what --mutation says in their names")
    .option("--keep", "keep the worlds in which bugs are found, for the tests")
    .addHelpText("after", exitCodes)
    .parse([...args], { from: "user" })
    .opts<Values>();
  const { minutes } = values;
  return {
    seed: values.seed === undefined ? undefined : wholeNumber("seed", values.seed),
    from: wholeNumber("from", values.from),
    count: minutes === undefined ? wholeNumber("seeds", values.seeds) : Number.POSITIVE_INFINITY,
    untilMs: minutes === undefined ? Number.POSITIVE_INFINITY : wholeNumber("minutes", minutes) * 60_000,
    faults: values.faults === undefined ? chosenProfile(values.profile) : chosenFaults(values.faults),
    isQuiet: values.quiet === true,
    isVerbose: values.verbose === true,
    stopsAtFirst: values.stopAtFirst === true,
    mutation: values.mutation,
    plantsAll: values.mutations === true,
    keeps: values.keep === true,
  };
}

/** How to ask for the same again, for a person to copy. */
export function replayCommand(seed: number, faults: Choices["faults"], mutation: string | undefined): string {
  const chosen =
    faults === undefined ? "" : typeof faults === "string" ? ` --profile=${faults}` : ` --faults=${faults.join(",")}`;
  return `npm run simulate -- --seed=${seed}${chosen}${mutation === undefined ? "" : ` --mutation=${mutation}`}`;
}

function chosenProfile(name: string | undefined): Profile | undefined {
  if (name === undefined) return undefined;
  const profile = profileNames.find((each) => each === name);
  return profile ?? usage(`there is no profile "${name}"; there are ${profileNames.join(", ")}`);
}

function chosenFaults(list: string): readonly FaultKind[] {
  return list
    .split(",")
    .filter((name) => name !== "")
    .map((name) => {
      const kind = faultKinds.find((each) => each === name);
      return kind ?? usage(`there is no fault "${name}"; there are ${faultKinds.join(", ")}`);
    });
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  return Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? value : usage(`--${name} must be a whole number`);
}
