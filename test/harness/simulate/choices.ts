/** What the command line of the simulator says, checked. */

import { parseArgs } from "node:util";
import { type FaultKind, faultKinds, type Profile, profileNames } from "../../simulation/fault-kinds.ts";

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

export function readChoices(args: readonly string[]): Choices {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      seeds: { type: "string", default: "100" },
      from: { type: "string", default: "1" },
      minutes: { type: "string" },
      profile: { type: "string" },
      faults: { type: "string" },
      quiet: { type: "boolean", default: false },
      verbose: { type: "boolean", default: false },
      "stop-at-first": { type: "boolean", default: false },
      mutation: { type: "string" },
      mutations: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
    },
  });
  const { minutes } = values;
  return {
    seed: values.seed === undefined ? undefined : wholeNumber("seed", values.seed),
    from: wholeNumber("from", values.from),
    count: minutes === undefined ? wholeNumber("seeds", values.seeds) : Number.POSITIVE_INFINITY,
    untilMs: minutes === undefined ? Number.POSITIVE_INFINITY : wholeNumber("minutes", minutes) * 60_000,
    faults: values.faults === undefined ? chosenProfile(values.profile) : chosenFaults(values.faults),
    isQuiet: values.quiet,
    isVerbose: values.verbose,
    stopsAtFirst: values["stop-at-first"],
    mutation: values.mutation,
    plantsAll: values.mutations,
    keeps: values.keep,
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

/** Ends the process: the command cannot be obeyed. */
export function usage(message: string): never {
  console.error(message);
  process.exit(2);
}
