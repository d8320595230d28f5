/**
 * The seed of a random test: another one in each run, printed with the test, and set to a number by WEIR_TEST_SEED when
 * a run is to be repeated.
 */

import type { TestContext } from "node:test";
import { assert } from "../../src/base/assert.ts";

export function seedOf(test: TestContext): number {
  const wanted = process.env["WEIR_TEST_SEED"];
  const seed = wanted === undefined ? Date.now() % 2 ** 32 : Number(wanted);
  assert(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32, "WEIR_TEST_SEED is a whole number of 32 bits");
  test.diagnostic(`seed ${seed}`);
  return seed;
}
