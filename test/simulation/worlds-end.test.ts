/** Runs of tens of thousands of worlds keep their pace only if none of them stays in memory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { queryObjects } from "node:v8";
import { Member } from "../../src/member/member.ts";
import { runScenario } from "./scenario.ts";
import { planFor } from "./scenario-plan.ts";
import { startMember } from "./sim-member.ts";

test("no member of a simulated world stays in memory when the world has ended", async () => {
  for (let seed = 77000000; seed < 77000020; seed++) await runScenario(planFor(seed, undefined), startMember);
  await setImmediate();
  assert.equal(queryObjects(Member, { format: "count" }), 0);
});
