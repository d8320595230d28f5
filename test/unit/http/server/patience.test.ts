/** How long a slow client is waited for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Patience } from "../../../../src/http/server/patience.ts";

test("a client may be silent for a while, and earns its waits by what it moves, no more than one such while", () => {
  const patience = new Patience({ bodyIdleMs: 1_000, leastBytesPerSecond: 10 });
  assert.equal(patience.leftMs, 1_000);
  patience.moved(1, 600);
  assert.equal(patience.leftMs, 500, "a byte is worth 100 ms");
  patience.moved(1, 500);
  assert.equal(patience.leftMs, 100);
  patience.moved(1_000, 0);
  assert.equal(patience.leftMs, 1_000, "it is not saved up");
  patience.moved(0, 2_000);
  assert.equal(patience.leftMs, 0);
});
