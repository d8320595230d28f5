/** Loaded before anything else in a process that is to have a bug: plants the one that the environment describes. */

import { plant, type SourceBug } from "../simulation/mutate.ts";
import { plantedVariable } from "./trial.ts";

const bug = JSON.parse(process.env[plantedVariable] ?? "") as SourceBug;
if (!plant(bug)) throw new Error(`the planted bug ${bug.name} is stale`);
