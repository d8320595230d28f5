/** The store's time: derived from its answers, never too late (F4). */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../../../src/base/clock.ts";
import { Complaints } from "../../../../src/base/complaints.ts";
import { StoreTime } from "../../../../src/store/http/store-time.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";

class HandClock implements Clock {
  instant = 5_000;
  wallOffsetMs = 1_000_000;
  now(): number {
    return this.instant;
  }
  wallMs(): number {
    return this.wallOffsetMs + this.instant;
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
    time.learn(date(ahead + clock.instant - 10), clock.instant - 20);
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
    time.learn(date(ahead + clock.instant), clock.instant);
  }
  assert(time.at(clock.instant) <= ahead + clock.instant);
});

test("StoreTime, when its own clock stood still, follows at once", () => {
  const clock = new HandClock();
  const time = new StoreTime(clock);
  time.learn(date(1_700_000_000_000), clock.instant);
  assert.equal(time.isIdle, false);
  clock.wallOffsetMs += 90_000;
  assert.equal(time.isIdle, true, "the store is to be asked before anything is signed");
  time.learn(date(1_700_000_090_000), clock.instant);
  assert.equal(time.isIdle, false);
  assert.equal(time.at(clock.instant), 1_700_000_090_000);
});

test("StoreTime, when all clocks of its host stood still, follows within 20 seconds and is too low until then", () => {
  const clock = new HandClock();
  const time = new StoreTime(clock);
  time.learn(date(1_700_000_000_000), clock.instant);
  const ahead = 1_700_000_090_000 - clock.instant;
  for (let i = 0; i < 41; i += 1) {
    time.learn(date(ahead + clock.instant), clock.instant);
    assert(time.at(clock.instant) <= ahead + clock.instant);
    clock.instant += 500;
  }
  assert(ahead + clock.instant - time.at(clock.instant) < 1_000);
});

test("StoreTime, with front ends that differ by more than a second, goes by the earliest and says so", () => {
  const clock = new HandClock();
  const log = new RecordedLog();
  const time = new StoreTime(clock, new Complaints(log, clock, 60_000));
  const earliest = clock.wallOffsetMs;
  for (let i = 0; i < 300; i += 1) {
    clock.instant += 100;
    const ahead = i % 30 === 7 ? 0 : i % 2 === 0 ? 60_000 : 2_500;
    time.learn(date(earliest + ahead + clock.instant - 10), clock.instant - 20);
    if (i < 8) continue;
    assert(time.at(clock.instant) <= earliest + clock.instant);
    assert(time.at(clock.instant) > earliest + clock.instant - 1_100);
  }
  assert.deepEqual(log.messages("warn"), [
    "this host's time of day and that of the store's answers differ",
    "the store's answers differ in their time of day; requests are signed for the earliest",
  ]);
  const differenceMs = Number(log.lines[1]?.fields?.["differenceMs"]);
  assert(differenceMs > 56_000 && differenceMs <= 60_000, String(differenceMs));
});

test("StoreTime, with one front end whose dates come late or are put together ahead, warns of nothing", () => {
  const clock = new HandClock();
  const log = new RecordedLog();
  const time = new StoreTime(clock, new Complaints(log, clock, 60_000));
  for (let i = 0; i < 300; i += 1) {
    clock.instant += 137;
    // Every fifth answer took 25 s. Some dates are 200 ms old when they are sent.
    const tookMs = i % 5 === 0 ? 25_000 : 3;
    const agedMs = i % 3 === 0 ? 200 : 0;
    time.learn(date(clock.wallOffsetMs + clock.instant - tookMs / 2 - agedMs), clock.instant - tookMs);
    const lateMs = time.at(clock.instant) - clock.wallMs();
    assert(lateMs <= 0, `${lateMs} ms late`);
    if (i > 20) assert(lateMs > -400, `${-lateMs} ms early`);
  }
  assert.deepEqual(log.lines, []);
});

test("StoreTime that has heard nothing for a minute is idle until the next answer", () => {
  const clock = new HandClock();
  const time = new StoreTime(clock);
  assert.equal(time.isIdle, false, "before any answer there is nothing to go by but the host's clock");
  time.learn(date(1_700_000_000_000), clock.instant);
  clock.instant += 59_000;
  assert.equal(time.isIdle, false);
  clock.instant += 1_000;
  assert.equal(time.isIdle, true);
  time.learn(date(1_700_000_060_000), clock.instant);
  assert.equal(time.isIdle, false);
});

test("StoreTime, given no date or one that can't be read, learns nothing", () => {
  const clock = new HandClock();
  const time = new StoreTime(clock);
  assert.equal(time.learn(undefined, clock.instant), undefined);
  assert.equal(time.learn("yesterday", clock.instant), undefined);
  assert.equal(time.at(clock.instant), 1_005_000);
});
