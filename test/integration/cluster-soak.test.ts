/** Twenty seconds of the soak: a flood of requests over a slow store, with small buffers, so that they fill up. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { seedOf } from "../harness/seed.ts";
import { fullPart, runSoak } from "../harness/soak/soak.ts";

const mebibyte = 1024 ** 2;
const server = s3ServerFromEnvironment();

test("cluster that is flooded over a slow store loses nothing, refuses by 503 only, stays within bounds and flushes all", {
  skip: typeof server === "string" ? server : false,
}, async (t) => {
  assert.ok(typeof server !== "string");
  const settings = {
    seconds: 20,
    seed: seedOf(t),
    clients: 36,
    keysPerClient: 20,
    maxValueBytes: 2 * mebibyte,
    dirtyBytes: 12 * mebibyte,
    cacheBytes: 8 * mebibyte,
    inFlightBytes: 16 * mebibyte,
    maxQueueBytes: 8 * mebibyte,
    storeDelayMs: 50,
    storeBytesPerSecond: 4 * mebibyte,
  };
  const result = await runSoak(server, settings, (line) => t.diagnostic(line));
  assert.deepEqual(result.violations, []);
  // That it was a flood: buffers were full, and still values came through.
  assert.ok(
    result.mostDirtyBytes > fullPart * settings.dirtyBytes,
    `${result.mostDirtyBytes} bytes were dirty at most`,
  );
  assert.ok(result.counts.puts > 200 && result.objects > 100);
});
