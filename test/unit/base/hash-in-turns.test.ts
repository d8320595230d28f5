/** Hashing of long bytes: it is the same hash, and no turn of the event loop has more than a piece of it. */

import assert from "node:assert/strict";
import { createHash, hash } from "node:crypto";
import { test } from "node:test";
import { md5InTurns, updateInTurns } from "../../../src/base/hash-in-turns.ts";
import { systemClock } from "../../../src/system.ts";
import { noise } from "../../harness/noise.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { assertShortTurns } from "../../harness/turn-times.ts";

const piece = 64 * 1024;

test("bytes of any length have the hash that they have at once", async () => {
  const bytes = noise(new SimRandom(1), 3 * piece + 1);
  for (const length of [0, 1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece, bytes.length]) {
    const part = bytes.subarray(0, length);
    assert.equal(await md5InTurns(part, systemClock), hash("md5", part, "base64"), `${length} bytes`);
    const digest = createHash("md5").update("before");
    await updateInTurns(digest, part, systemClock);
    assert.equal(digest.digest("hex"), createHash("md5").update("before").update(part).digest("hex"));
  }
});

test("eight hash 16 MiB each at a time in short turns", async () => {
  const bytes = Buffer.alloc(16 * 1024 * 1024, "x");
  await assertShortTurns(() => Promise.all(Array.from({ length: 8 }, () => md5InTurns(bytes, systemClock))));
});
