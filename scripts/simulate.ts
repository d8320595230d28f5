/**
 * Runs simulated clusters from the command line: one seed with its whole story, or many seeds to see which of them
 * fail.
 *
 *     npm run simulate -- --seed=17                  replays seed 17 with a readable trace
 *                                                    (--verbose: pings, too; --quiet: none)
 *     npm run simulate -- --seeds=1000 --from=1      explores; prints the failing seeds, and how to replay them
 *     npm run simulate -- --minutes=10               explores until time is up
 *     npm run simulate -- --mutation=NAME            explores with a bug planted (see test/simulation/mutations.ts)
 *     npm run simulate -- --mutations --seeds=3000   plants each of the bugs in turn and says which are found, and how
 *                                                    soon (--keep: and keeps the worlds for the tests;
 *                                                    --mutation=PART: only those with this in their names)
 *
 * `--profile=NAME` or `--faults=crashes,links` chooses what goes wrong; by default the seed does. `--stop-at-first`
 * ends at the first failure. The exit code is 1 when a run failed or a planted bug was not found, 2 for a wrong option,
 * and 3 for a planted bug whose place is not in the source any more.
 */

import { readChoices } from "../test/harness/simulate/choices.ts";
import { simulate } from "../test/harness/simulate/simulate.ts";

process.exitCode = (await simulate(readChoices(process.argv.slice(2)))) ? 0 : 1;
