/** Worlds in a thread: a planted bug is in the world that is asked for with it, and in no later one. */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { usePackedModules } from "../../harness/own-pack.ts";
import { PlantedBug } from "../../harness/planted-process.ts";
import { readCaught } from "../../simulation/caught.ts";
import { mutations } from "../../simulation/mutations.ts";
import { Worlds } from "../../simulation/worlds.ts";

const name = "activated-before-all-have-delivered";

describe("worlds in a thread", () => {
  usePackedModules();
  const worlds = new Worlds();
  after(() => worlds[Symbol.asyncDispose]());

  it("have the bug that is planted in them, and the next one has none", async () => {
    const mutation = mutations.find((each) => each.name === name);
    const caught = readCaught().get(name);
    assert.ok(mutation !== undefined && caught !== undefined);
    using planted = await PlantedBug.of(mutation);
    const world = { seed: caught.seed, faults: caught.profile };
    const [well, ill, again] = await Promise.all([
      worlds.run(world),
      worlds.run({ ...world, planted: planted?.functions ?? {} }),
      worlds.run(world),
    ]);
    assert.deepEqual(well.violations, []);
    assert.notDeepEqual(ill.violations, []);
    assert.deepEqual([again.violations, again.digest], [[], well.digest]);
  });

  it("go on after one that has ended the thread", async () => {
    const planted = { "test/simulation/scenario.ts": "function () { throw new Error('a bug'); }" };
    await assert.rejects(worlds.run({ seed: 1, faults: "all", planted }), /a bug/);
    assert.deepEqual((await worlds.run({ seed: 1, faults: "all" })).violations, []);
  });
});
