/** The window of writes whose outcomes are kept: who may make one more when a slow one holds it open (W11). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { WriteWindow } from "../../../../src/member/route/write-window.ts";

const capacity = 80;

/** Writes of a router; the oldest one under way may be finished. */
function trial() {
  const window = new WriteWindow(capacity);
  let counter = 0;
  let watermark = 1;
  return {
    write: (holder: string): boolean => {
      if (!window.lets(holder, counter + 1, watermark)) return false;
      counter++;
      return true;
    },
    /** All writes but the last so many are finished. */
    finish: (left: number): void => {
      watermark = counter + 1 - left;
    },
    get size(): number {
      return counter + 1 - watermark;
    },
  };
}

function writeAll(write: (holder: string) => boolean, holder: string): number {
  let count = 0;
  while (write(holder)) count++;
  return count;
}

test("one that makes very many writes is refused before another one is", () => {
  const { write } = trial();
  const most = writeAll(write, "a");
  assert.ok(most < 0.9 * capacity, `${most} of ${capacity}`);
  assert.equal(write("b"), true, "another one writes on");
  assert.equal(write("a"), false);
  assert.ok(writeAll(write, "b") > 0, "and has a share as well");
});

test("the window never has more than its capacity, however many make writes", () => {
  const trialOfMany = trial();
  for (let holder = 0; holder < 1_000; holder++) writeAll(trialOfMany.write, `h${holder}`);
  assert.ok(trialOfMany.size <= capacity);
});

test("what is finished is counted no more, in part or as a whole", () => {
  const { write, finish } = trial();
  const most = writeAll(write, "a");
  finish(most - 30);
  assert.equal(write("a"), true);
  writeAll(write, "a");
  finish(0);
  assert.equal(writeAll(write, "a"), most);
});

test("writes in a small window are let in, whoever makes them", () => {
  const { write, finish } = trial();
  for (let round = 0; round < 1_000; round++) {
    assert.equal(write("a"), true);
    finish(round % 9);
  }
});
