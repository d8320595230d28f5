/** The store's time: derived from its answers, never too late (F4). */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../../../src/base/clock.ts";
import { StoreTime } from "../../../../src/store/http/store-time.ts";

class HandClock implements Clock {
  instant = 5_000;
  now(): number {
    return this.instant;
  }
  wallMs(): number {
    return 1_000_000 + this.instant;
  }
  after(): never {
    throw new Error("no timers here");
  }
}

/** What a server puts into `Date` at that time. */
function date(ms: number): string {
  return new Date(ms).toUTCString();
}

test("StoreTime, before any answer, is the host's wall clock", () => {
  const clock = new HandClock();
  assert.equal(new StoreTime(clock).at(4_000), 1_004_000);
});

test("StoreTime, over many answers, comes close to the store's time and never passes it", () => {
  const clock = new HandClock();
  const time = new StoreTime(clock);
  const ahead = 1_700_000_000_123;
  for (let i = 0; i < 300; i += 1) {
    clock.instant += 37;
    // The answer was on its way for 10 ms.
    time.learn(date(ahead + clock.instant - 10));
    assert(time.at(clock.instant) <= ahead + clock.instant);
  }
  assert(ahead + clock.instant - time.at(clock.instant) < 60);
});

test("StoreTime, when the store's clock was set back, follows within 20 seconds", () => {
  const clock = new HandClock();
  const time = new StoreTime(clock);
  let ahead = 1_700_000_000_000;
  for (let i = 0; i < 100; i += 1) {
    clock.instant += 500;
    if (i === 50) ahead -= 3_600_000;
    time.learn(date(ahead + clock.instant));
  }
  assert(time.at(clock.instant) <= ahead + clock.instant);
});

test("StoreTime, when its own clock stood still, follows at once", () => {
  const clock = new HandClock();
  const time = new StoreTime(clock);
  time.learn(date(1_700_000_000_000));
  time.learn(date(1_700_000_090_000));
  assert.equal(time.at(clock.instant), 1_700_000_090_000);
});

test("StoreTime, given no date or one that can't be read, learns nothing", () => {
  const clock = new HandClock();
  const time = new StoreTime(clock);
  assert.equal(time.learn(undefined), undefined);
  assert.equal(time.learn("yesterday"), undefined);
  assert.equal(time.at(clock.instant), 1_005_000);
});
