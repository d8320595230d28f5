/** Complaints: each once in a while, and no more of them than the log can bear, whatever callers do. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Complaints } from "../../../src/base/complaints.ts";
import type { Log, LogFields } from "../../../src/base/log.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

function setUp(): { clock: ManualClock; complaints: Complaints; lines: LogFields[] } {
  const clock = new ManualClock();
  const lines: LogFields[] = [];
  const warn = (_message: string, fields: LogFields = {}): void => void lines.push(fields);
  const log: Log = { debug() {}, info() {}, warn, error() {}, child: () => log };
  return { clock, complaints: new Complaints(log, clock, 1000), lines };
}

test("complaints: the same one is logged once in a while, then with the number held back", () => {
  const { clock, complaints, lines } = setUp();
  for (let count = 0; count < 5; count += 1) complaints.warn("a", "refused", { who: "a" });
  complaints.warn("b", "refused", { who: "b" });
  clock.advance(1000);
  complaints.warn("a", "refused", { who: "a" });
  assert.deepEqual(lines, [{ who: "a" }, { who: "b" }, { who: "a", heldBack: 4 }]);
});

test("complaints: thousands of different ones at a time are no thousands of lines", () => {
  const { clock, complaints, lines } = setUp();
  for (let count = 0; count < 5000; count += 1) complaints.warn(String(count), "refused", {});
  assert.equal(lines.length, 256);
  clock.advance(1000);
  complaints.warn("new", "refused", {});
  assert.equal(lines.length, 257);
});
