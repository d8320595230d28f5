/** The trial of a planted bug takes nothing for a bug that is found but the failure that its list names. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GlueBug } from "../../glue/glue-bug.ts";
import { runTest, tryBug } from "../../glue/trial.ts";
import { usePackedModules, useSources } from "../../harness/own-pack.ts";

/** A bug of a small file, and the test that finds it. */
const bug: GlueBug = {
  name: "a-bug-of-the-trial",
  breaks: "The wall clock tells the time of day.",
  edits: [
    {
      file: "src/system.ts",
      find: "wallMs: () => Date.now(),",
      replace: "wallMs: () => 0,",
    },
  ],
  test: {
    file: "test/unit/system.test.ts",
    name: "the system's clock does not move when the time of day is set, and its wall clock does",
    says: /the wall clock has not moved/,
  },
};

for (const [from, use] of [
  ["the sources", useSources],
  ["packed modules", usePackedModules],
] as const) {
  describe(`the trial of a planted bug in ${from}`, () => {
    use();

    it("finds it when its test fails for its reason, and the test is well without it", async () => {
      assert.equal((await tryBug(bug)).kind, "found");
      const { verdicts } = await runTest(bug, false);
      assert.deepEqual(verdicts, [{ name: bug.test.name }]);
    });

    it("lets it survive when its test is green all the same", async () => {
      const edits = [
        { file: "src/system.ts", find: "wallMs: () => Date.now(),", replace: "wallMs: () => Date.now() + 0," },
      ];
      assert.equal((await tryBug({ ...bug, edits })).kind, "survived");
    });

    it("is broken when the test fails for another reason, is not there, or the bug is stale", async () => {
      const others: GlueBug[] = [
        { ...bug, test: { ...bug.test, says: /the moon/ } },
        { ...bug, test: { ...bug.test, name: "no such test" } },
        { ...bug, edits: [{ file: "src/system.ts", find: "no such text", replace: "" }] },
      ];
      for (const each of others) assert.equal((await tryBug(each)).kind, "broken", JSON.stringify(each));
    });
  });
}
