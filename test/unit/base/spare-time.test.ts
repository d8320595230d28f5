/** Large work leaves time to small requests, and has all of it where there are none. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SpareTime } from "../../../src/base/spare-time.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

/** A loop that is as busy as the test says. */
class Loop {
  busy = 1;
  /** What it says before that. */
  next: number[] = [];
  begun = 0;
  looks = 0;

  begin(): () => number {
    this.begun++;
    return () => {
      this.looks++;
      return this.next.shift() ?? this.busy;
    };
  }
}

/** Milliseconds of the clock until the promise resolves. */
async function waited(clock: ManualClock, waits: Promise<void>): Promise<number> {
  let isOver = false;
  void waits.then(() => {
    isOver = true;
  });
  for (let ms = 0; ; ms++) {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    if (isOver) return ms;
    assert.ok(ms < 1_000, "it waits for ever");
    clock.advance(1);
  }
}

test("streams have the whole loop while no requests are served, and again soon after the last one", async () => {
  const clock = new ManualClock();
  const loop = new Loop();
  const spare = new SpareTime(clock, loop);
  assert.equal(await waited(clock, spare.wait()), 0);
  assert.equal(loop.looks, 0);
  spare.served(clock.now());
  assert.equal(await waited(clock, spare.wait()), 20);
  clock.advance(40);
  assert.equal(await waited(clock, spare.wait()), 0);
});

test("while requests are served, they wait until the loop has been idle for a part of the time, and not for long", async () => {
  const clock = new ManualClock();
  const loop = new Loop();
  const spare = new SpareTime(clock, loop);
  spare.served(clock.now());
  loop.next = [0.9, 0.61, 0.6];
  assert.equal(await waited(clock, spare.wait()), 2);
  // It is measured anew from each turn on.
  assert.equal(loop.begun, 2);
  loop.busy = 1;
  spare.served(clock.now());
  assert.equal(await waited(clock, spare.wait()), 20);
  loop.busy = 0.5;
  spare.served(clock.now());
  assert.equal(await waited(clock, spare.wait()), 0);
});
