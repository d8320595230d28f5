/** Every file of tests runs in one lane of a whole run. */

import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { sep } from "node:path";
import { test } from "node:test";
import { planLanes, plannedFiles, shortReal } from "../../harness/lane-plan.ts";
import { root } from "../../harness/steps.ts";

test("each file of tests is in one lane, once, and those that have a place in it are there", () => {
  const files = globSync("test/**/*.test.ts", { cwd: root }).map((file) => file.replaceAll(sep, "/"));
  const { busy, waiting, small, simulation } = planLanes(files);
  assert.deepEqual([...busy, ...waiting, ...small, ...simulation].toSorted(), files.toSorted());
  assert.deepEqual(
    [...plannedFiles, ...shortReal].filter((file) => !files.includes(file)),
    [],
  );
  for (const lane of [busy, waiting, small, simulation]) {
    const planned = plannedFiles.filter((file) => lane.includes(file));
    assert.deepEqual(lane.slice(0, planned.length), planned, "what takes long begins first");
  }
});
