/**
 * What most processes of a whole run load and run of the packed modules: a node's composition, and simulated worlds.
 * The process that runs this leaves the code cache for the others; see scripts/test.ts.
 */

import "../../src/compose.ts";
import { runScenario } from "../simulation/scenario.ts";
import { planFor } from "../simulation/scenario-plan.ts";
import { startMember } from "../simulation/sim-member.ts";

const worlds = 3;

async function warmUp(): Promise<void> {
  for (let seed = 1; seed <= worlds; seed++) await runScenario(planFor(seed, "all"), startMember);
}

void warmUp();
