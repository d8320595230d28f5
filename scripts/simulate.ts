/**
 * Runs simulated clusters from the command line: one seed with its whole story, or many seeds to see which of them
 * fail. `npm run simulate -- --help` says how.
 */

import { readChoices } from "../test/harness/simulate/choices.ts";
import { simulate } from "../test/harness/simulate/simulate.ts";

// Without a wait of the module itself, which a packed one cannot have.
void simulate(readChoices(process.argv.slice(2))).then((isWell) => {
  process.exitCode = isWell ? 0 : 1;
});
