/**
 * Answers in time: as the work does, or with a refusal once the allowance is over, which then changes nothing any more.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { OperationDeadlines } from "../../../../src/member/route/operation-deadlines.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const allowanceMs = 1_000;

describe("OperationDeadlines.within", () => {
  it("settles as the work does", async () => {
    const deadlines = new OperationDeadlines(new ManualClock(), allowanceMs);
    assert.equal(await deadlines.within(Promise.resolve("done"), allowanceMs), "done");
    await assert.rejects(deadlines.within(Promise.reject(new Error("failed")), 10), { message: "failed" });
  });

  it("rejects when the work takes longer: than the allowance, than what is left of it, and than more", async () => {
    for (const ms of [allowanceMs, allowanceMs - 10, allowanceMs / 2, 2 * allowanceMs]) {
      const clock = new ManualClock();
      const deadlines = new OperationDeadlines(clock, allowanceMs);
      const { promise, resolve } = Promise.withResolvers<string>();
      const told: unknown[] = [];
      const answer = deadlines.within(promise, ms).catch((error: unknown) => told.push(error));
      // What misses little of the allowance gets the whole of it.
      clock.advance(Math.max(ms, ms > allowanceMs / 2 && ms < allowanceMs ? allowanceMs : 0) - 1);
      await Promise.resolve();
      assert.deepEqual(told, [], `${ms}`);
      clock.advance(1);
      await answer;
      assert.ok(isOperatingError(told[0], "deadline_exceeded"), `${ms}`);
      resolve("late");
    }
  });

  it("has nothing left to do once it is stopped", async () => {
    const clock = new ManualClock();
    const deadlines = new OperationDeadlines(clock, allowanceMs);
    const { promise, resolve } = Promise.withResolvers<string>();
    const answer = deadlines.within(promise, allowanceMs);
    deadlines.stop();
    clock.advance(2 * allowanceMs);
    resolve("late");
    assert.equal(await answer, "late");
  });
});
