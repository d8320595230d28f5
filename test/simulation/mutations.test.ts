/**
 * Planted bugs are found by the simulator. Each is hunted first in the world where it was found before; that world must
 * be well without it. When the code has changed so much that many are not found
 * there any more: `npm run simulate -- --mutations --seeds=3000 --keep`.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { tryBug } from "../glue/trial.ts";
import { describeHunt, hunt } from "../harness/simulate/hunt.ts";
import { readCaught } from "./caught.ts";
import { mutations } from "./mutations.ts";
import { Worlds } from "./worlds.ts";

/** Worlds that are tried when a bug is not found where it was before, because the code or the simulator has changed. */
const moreSeeds = 2_000;
const timeoutMs = 250_000;

describe("a planted bug", { concurrency: 2 }, () => {
  const caught = readCaught();
  const threads = [new Worlds(), new Worlds()] as const;
  after(() => Promise.all(threads.map((each) => each[Symbol.asyncDispose]())));

  for (const [index, mutation] of mutations.entries()) {
    it(`of the kind "${mutation.name}" is found`, async (test) => {
      if (mutation.test) {
        const trial = await tryBug({ ...mutation, test: mutation.test });
        assert.equal(trial.kind, "found", `${mutation.breaks}: ${JSON.stringify(trial)}`);
        return;
      }
      const result = await hunt(mutation, {
        caught: caught.get(mutation.name),
        count: moreSeeds,
        timeoutMs,
        worlds: threads[index % 2] as Worlds,
      });
      test.diagnostic(describeHunt(mutation.name, result));
      assert.equal(result.kind, "found", `${mutation.breaks}: ${JSON.stringify(result)}`);
    });
  }

  it("has a name of its own, and was found in a world that is well without it", async () => {
    const names = new Set(mutations.map(({ name }) => name));
    assert.equal(names.size, mutations.length);
    const inWorlds = mutations.filter(({ test }) => test === undefined);
    assert.deepEqual(new Set(caught.keys()), new Set(inWorlds.map(({ name }) => name)));
    const caughtIn = new Map([...caught.values()].map((each) => [JSON.stringify(each), each]));
    const [worlds] = threads;
    const failed: string[] = [];
    for (const [name, { profile, seed }] of caughtIn) {
      const { violations } = await worlds.run({ seed, faults: profile });
      if (violations.length > 0) failed.push(`${name}: ${violations[0]}`);
    }
    assert.deepEqual(failed, []);
  });
});
