/** Memory that is given back: all of a buffer's own, and nobody else's (L14). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { free } from "../../../src/base/memory.ts";

test("bytes that have their memory for themselves are gone, and those that share it stay", () => {
  const own = Buffer.alloc(100_000, 1);
  free(own);
  assert.equal(own.length, 0);
  free(own);
  const shared = Buffer.alloc(100_000, 1);
  free(shared.subarray(1));
  free(Buffer.from("from the pool"));
  assert.equal(shared.length, 100_000);
});
