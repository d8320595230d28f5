/**
 * Runs simulated clusters from the command line: one seed with its whole story, or many seeds to see which of them fail.
 *
 *     npm run simulate -- --seed=17                  replays seed 17 with a readable trace (--verbose: pings, too; --quiet: none)
 *     npm run simulate -- --seeds=1000 --from=1      explores; prints the failing seeds, and how to replay them
 *     npm run simulate -- --minutes=10               explores until time is up
 *     npm run simulate -- --mutation=NAME            explores with a bug planted (see test/simulation/mutations.ts)
 *     npm run simulate -- --mutations --seeds=3000   plants each of the bugs in turn and says which are found, and how soon (--keep: and keeps the worlds for the tests;
 *                                                    --mutation=PART: only those with this in their names)
 *
 * `--profile=NAME` or `--faults=crashes,links` chooses what goes wrong (by default the seed does); `--stop-at-first` ends at the first failure. Exit code 1 when a run failed, or a
 * planted bug was not found; 2 for a wrong option, 3 for a planted bug whose place is not in the source any more.
 */

import { readChoices, usage } from "../test/harness/simulate/choices.ts";
import { plant } from "../test/simulation/mutate.ts";
import { mutations } from "../test/simulation/mutations.ts";

const choices = readChoices(process.argv.slice(2));

function plantChosen(name: string): void {
  const mutation = mutations.find((each) => each.name === name);
  if (mutation === undefined)
    usage(`there is no mutation "${name}"; there are ${mutations.map((each) => each.name).join(", ")}`);
  if (plant(mutation)) return;
  console.error(`${name} is stale: what it replaces is not in the source exactly once`);
  process.exit(3);
}

async function run(): Promise<boolean> {
  if (choices.plantsAll) {
    const { plantAll } = await import("../test/harness/simulate/plant-all.ts");
    return await plantAll(choices);
  }
  // What is planted must be so before the code under test is loaded.
  if (choices.mutation !== undefined) plantChosen(choices.mutation);
  if (choices.seed !== undefined) {
    const { replay } = await import("../test/harness/simulate/replay.ts");
    return await replay(choices.seed, choices);
  }
  const { explore } = await import("../test/harness/simulate/explore.ts");
  return await explore(choices);
}

process.exitCode = (await run()) ? 0 : 1;
