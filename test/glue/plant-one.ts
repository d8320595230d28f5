/** Loaded before anything else in a process that is to have a bug: plants the one that the environment names. */

import { plant } from "../simulation/mutate.ts";
import { glueBugs } from "./glue-bugs.ts";
import { plantedVariable } from "./trial.ts";

const name = process.env[plantedVariable];
const bug = glueBugs.find((each) => each.name === name);
if (bug === undefined || !plant(bug)) throw new Error(`the planted bug ${name} is stale, or there is none`);
