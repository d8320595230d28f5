/** A place in the packed modules is told as the place in the sources that it was made from. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { usePackedModules } from "../../harness/own-pack.ts";
import { packedRunner, packVariable } from "../../harness/packed-modules.ts";
import { PackedPlaces } from "../../harness/packed-places.ts";
import { root } from "../../harness/steps.ts";

describe("a place in the packed modules", () => {
  usePackedModules();

  it("is told as its line and column in the sources, and other text as it is", async () => {
    const program = `require(${JSON.stringify(packedRunner)}).load("src/base/assert.ts").assert(false, "it holds");`;
    const { stderr } = spawnSync(process.execPath, ["-e", program], { encoding: "utf8" });
    const told = await new PackedPlaces(process.env[packVariable] as string).inText(stderr);
    const [place = "", line, column] = /\(src\/base\/assert\.ts:(\d+):(\d+)\)/.exec(told) ?? [];
    const text = readFileSync(join(root, "src", "base", "assert.ts"), "utf8").split("\n")[Number(line) - 1];
    assert.match(text?.slice(Number(column) - 1) ?? told, /^new AssertionError/);
    assert.equal(told.indexOf(place), stderr.search(/\([^)]*modules\.cjs:\d+:\d+\)/));
  });
});
