/**
 * What `npm run simulate` does, once its command line is read: it plants a bug if told to, then replays one seed,
 * explores many, or hunts each planted bug in turn.
 */

import { plant } from "../../simulation/mutate.ts";
import { mutations } from "../../simulation/mutations.ts";
import { usage } from "../script-command.ts";
import type { Choices } from "./choices.ts";

/** The exit code for a planted bug whose place is not in the source any more. */
export const staleCode = 3;

/** @returns whether all went well */
export async function simulate(choices: Choices): Promise<boolean> {
  if (choices.plantsAll) {
    const { plantAll } = await import("./plant-all.ts");
    return await plantAll(choices);
  }
  // A bug must be planted before the code under test is loaded: that is why the rest is imported here and not above.
  if (choices.mutation !== undefined) plantChosen(choices.mutation);
  if (choices.seed !== undefined) {
    const { replay } = await import("./replay.ts");
    return await replay(choices.seed, choices);
  }
  const { explore } = await import("./explore.ts");
  return await explore(choices);
}

function plantChosen(name: string): void {
  const mutation = mutations.find((each) => each.name === name);
  if (mutation === undefined) {
    usage(`there is no mutation "${name}"; there are ${mutations.map((each) => each.name).join(", ")}`);
  }
  if (plant(mutation)) return;
  console.error(`${name} is stale: what it replaces is not in the source exactly once`);
  process.exit(staleCode);
}
