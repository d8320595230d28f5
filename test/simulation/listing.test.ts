/** Listings under the simulator: whatever happens, each has what was acknowledged before it began. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Profile } from "./fault-kinds.ts";
import { runScenario } from "./scenario.ts";
import { planFor } from "./scenario-plan.ts";
import { startMember } from "./sim-member.ts";

/** Where keys change their owners, in all the ways that there are, and where entries come and go. */
const profiles: readonly Profile[] = [
  "healthy",
  "members",
  "members+store",
  "store",
  "failures",
  "power",
  "isolation",
  "pauses",
];

const seedsPerProfile = 8;

describe("a listing in a simulated cluster", () => {
  for (const profile of profiles) {
    it(`shows what was acknowledged before it began, in ${seedsPerProfile} worlds of the profile "${profile}"`, async () => {
      const failed: string[] = [];
      let listings = 0;
      for (let seed = 1; seed <= seedsPerProfile; seed++) {
        const result = await runScenario({ ...planFor(seed, profile), listMs: 60 }, startMember);
        listings += result.listings;
        for (const violation of result.violations) failed.push(`seed ${seed}: ${violation}`);
      }
      assert.deepEqual(failed, [], profile);
      assert.ok(listings > 20 * seedsPerProfile, `only ${listings} listings were answered`);
    });
  }
});
