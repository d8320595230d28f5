/** What is said of a store that does not answer in time, to clients, too. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, OperatingError } from "../../../src/base/errors.ts";
import { beforeSending, inTime } from "../../../src/store/deadline.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

test("a store that does not answer in time is said to have had whole milliseconds", async () => {
  const clock = new ManualClock();
  const answer = inTime(clock, 9999.894062000001, new Promise<void>(() => undefined));
  clock.advance(10_000);
  await assert.rejects(answer, { code: "store_unavailable", message: "the store did not answer within 10000 ms" });
});

test("work that ends in time leaves no timer behind, however it ends", async () => {
  const clock = new ManualClock();
  assert.equal(await inTime(clock, 1_000, Promise.resolve("done")), "done");
  await assert.rejects(inTime(clock, 1_000, Promise.reject(new Error("no"))), /^Error: no$/);
  assert.ok(clock.idle);
});

test("what fails before a change is sent says that it was never sent, unless the store has refused it", async () => {
  const failing = (code: ErrorCode) => beforeSending(Promise.reject(new OperatingError(code, "no")));
  await assert.rejects(failing("store_unavailable"), { code: "store_unavailable", message: "no", neverSent: true });
  await assert.rejects(failing("not_ready"), { code: "not_ready", neverSent: false });
  assert.equal(await beforeSending(Promise.resolve("done")), "done");
});
