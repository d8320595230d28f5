/**
 * The cluster under the simulator: kept seeds, a fixed number of new ones of each profile, and the proof that a seed
 * decides everything. To replay a failing one: `npm run simulate -- --seed=N --profile=NAME`.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { profileNames } from "./fault-kinds.ts";
import { keptSeeds } from "./kept-seeds.ts";
import { runScenario } from "./scenario.ts";
import { planFor } from "./scenario-plan.ts";
import { startMember } from "./sim-member.ts";
import { Worlds } from "./worlds.ts";

/** So many, and of all profiles together about 20 s on one core. */
const seedsPerProfile = 20;
const firstSeed = 1;

describe("a simulated cluster", () => {
  const worlds = new Worlds();
  after(() => worlds[Symbol.asyncDispose]());

  for (const profile of profileNames) {
    it(`keeps its promises in ${seedsPerProfile} worlds of the profile "${profile}"`, async () => {
      const failed: string[] = [];
      let answered = 0;
      for (let seed = firstSeed; seed < firstSeed + seedsPerProfile; seed++) {
        const result = await worlds.run({ seed, faults: profile });
        answered += result.answered;
        for (const violation of result.violations) failed.push(`seed ${seed}: ${violation}`);
        if (result.unchecked !== undefined) failed.push(`seed ${seed} is ${result.unchecked}`);
      }
      assert.deepEqual(failed, [], `--profile=${profile}`);
      assert.ok(answered > 30 * seedsPerProfile, `only ${answered} operations were answered`);
    });
  }

  it(`keeps its promises in ${seedsPerProfile} worlds in which a process goes on when its journal fails`, async () => {
    const failed: string[] = [];
    for (let seed = firstSeed; seed < firstSeed + seedsPerProfile; seed++) {
      const { violations } = await worlds.run({ seed, faults: ["disks", "crashes", "pauses"], goesOn: true });
      for (const violation of violations) failed.push(`seed ${seed}: ${violation}`);
    }
    assert.deepEqual(failed, []);
  });

  for (const { seed, faults, found } of keptSeeds) {
    it(`keeps its promises in seed ${seed} of ${String(faults)}, which once found: ${found}`, async () => {
      const { violations } = await worlds.run({ seed, faults });
      assert.deepEqual(violations, []);
    });
  }

  it("takes the same course each time from the same seed, and another one from another", async () => {
    const course = async (seed: number): Promise<string> => {
      const { digest, violations } = await worlds.run({ seed, faults: "all" });
      return `${digest} ${violations.join()}`;
    };
    for (const seed of [1, 2, 3]) assert.equal(await course(seed), await course(seed), `seed ${seed}`);
    assert.notEqual(await course(1), await course(2));
  });

  it("takes the same course whether or not somebody reads its trace", async () => {
    const lines: string[] = [];
    const traced = await runScenario(planFor(5, "all"), startMember, (line) => lines.push(line));
    const quiet = await worlds.run({ seed: 5, faults: "all" });
    assert.equal(traced.digest, quiet.digest);
    assert.ok(lines.length > 100);
  });
});
