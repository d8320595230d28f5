/**
 * All that can be checked without running the program: house rules, types, format and lint. Exits with 1 if anything is
 * wrong.
 */

import { join } from "node:path";
import { installed, root, step } from "../test/harness/steps.ts";

const results = [
  await step("tidy", process.execPath, [join(root, "scripts", "tidy.ts")]),
  await step("tsc", installed("tsc"), ["-p", "."]),
  await step("biome", installed("biome"), ["check", "--error-on-warnings", "."]),
  await step("oxlint", installed("oxlint"), ["--type-aware", "src", "test", "scripts"]),
];
if (!results.every(Boolean)) process.exitCode = 1;
