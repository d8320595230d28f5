/**
 * The real clock and the real chance: which of the system's they are, since a lease depends on one and a proof on the
 * other.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openFilesLimit, systemClock, systemRandom } from "../../src/system.ts";

test("the system's clock does not move when the time of day is set, and its wall clock does", (t) => {
  const now = systemClock.now();
  const wallMs = systemClock.wallMs();
  const hourMs = 3_600_000;
  const dayClock = Date.now.bind(Date);
  t.mock.method(Date, "now", () => dayClock() + hourMs);
  assert.ok(Math.abs(systemClock.now() - now) < 10_000, "an instant has moved with the time of day");
  assert.ok(systemClock.wallMs() - wallMs >= hourMs, "the wall clock has not moved with the time of day");
});

test("the system's wall clock tells milliseconds since 1970, and its other clock does not go back", () => {
  assert.ok(Math.abs(systemClock.wallMs() - Date.parse(new Date().toISOString())) < 1_000);
  let last = systemClock.now();
  for (let look = 0; look < 1_000; look += 1) {
    const now = systemClock.now();
    assert.ok(now >= last);
    last = now;
  }
});

test("a timer of the system's clock runs out once, not before its time, and never when it is cancelled", async () => {
  const ran: string[] = [];
  const began = systemClock.now();
  systemClock.after(20, () => ran.push("cancelled")).cancel();
  await new Promise<void>((resolve) => {
    systemClock.after(40, () => {
      ran.push("due");
      resolve();
    });
  });
  // A timer may be a millisecond early, since it counts in whole ones.
  assert.ok(systemClock.now() - began >= 38);
  assert.deepEqual(ran, ["due"]);
});

test("the system's ids are 32 hexadecimal digits that nobody can predict, whatever its plain chance gives", (t) => {
  t.mock.method(Math, "random", () => 0.5);
  const ids = new Set(Array.from({ length: 100 }, () => systemRandom.id()));
  assert.equal(ids.size, 100);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal(systemRandom.next(), 0.5);
});

test("a process may have as many files open as the system's soft limit says, and any number where it says none", (t) => {
  const withLimits = (userLimits: object | undefined): number => {
    const mocked = t.mock.method(process.report, "getReport", () => ({ userLimits }));
    const limit = openFilesLimit();
    mocked.mock.restore();
    return limit;
  };
  assert.equal(withLimits({ open_files: { soft: 1_024, hard: 4_096 } }), 1_024);
  assert.equal(withLimits({ open_files: { soft: "unlimited", hard: "unlimited" } }), Number.POSITIVE_INFINITY);
  assert.equal(withLimits(undefined), Number.POSITIVE_INFINITY);
});
