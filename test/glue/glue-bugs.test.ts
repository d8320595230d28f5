/**
 * Planted bugs of adapters and of the composition are found, each by its test and for its reason. The tests are well
 * without the bugs: they are part of every run.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { glueBugs } from "./glue-bugs.ts";
import { tryBug } from "./trial.ts";

const timeout = 200_000;

describe("a planted bug of the glue", { concurrency: 2 }, () => {
  for (const bug of glueBugs) {
    it(`of the kind "${bug.name}" is found`, { timeout }, async (t) => {
      const trial = await tryBug(bug);
      if (trial.kind === "found") t.diagnostic(trial.failure.split("\n")[0] as string);
      assert.equal(trial.kind, "found", `${bug.breaks}: ${JSON.stringify(trial)}`);
    });
  }
});
