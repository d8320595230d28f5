/** Work over many items in slices: what is done at once, what waits, and what comes in between. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Breaks, type Lane, Slices } from "../../../src/base/slices.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

const nothing = (): undefined => undefined;

function trial(items: number, clock = new ManualClock()) {
  const slices = new Slices(clock, { items, pauseMs: 0 });
  const seen: string[] = [];
  const visit = (item: string): unknown => seen.push(item);
  const over = (lane: Lane, of: Iterable<string>): void => lane.over(of, visit, () => seen.push("done"));
  return { clock, slices, seen, over };
}

describe("Slices", () => {
  it("do at once what fits into one, and what follows from its end", () => {
    const { clock, slices, seen } = trial(100);
    const lane = slices.lane();
    lane.over(
      ["a", "b"],
      (item) => seen.push(item),
      () => lane.over(["c"], (item) => seen.push(item), nothing),
    );
    assert.deepEqual([seen, clock.idle, lane.isBusy], [["a", "b", "c"], true, false]);
  });

  it("have a turn of the event loop each, and see what has come and gone in between", () => {
    const { clock, slices, seen, over } = trial(2);
    const items = new Set(["a", "b", "c", "d"]);
    over(slices.lane(), items);
    assert.deepEqual(seen, ["a", "b"]);
    items.delete("c");
    items.add("e");
    clock.advance(0);
    assert.deepEqual(seen, ["a", "b", "d", "e", "done"]);
  });

  it("end by the clock, however few items they had", () => {
    const clock = new ManualClock();
    const slices = new Slices(clock, { items: 1_000, pauseMs: 0 });
    let seen = 0;
    let first = 0;
    const slow = { now: () => seen, wallMs: () => 0, after: clock.after.bind(clock) };
    new Slices(slow, { items: 1_000, pauseMs: 0 }).lane().over(
      Array.from({ length: 100 }),
      () => seen++,
      () => undefined,
    );
    first = seen;
    assert.ok(first >= 4 && first < 40, `${first} items of a millisecond each`);
    assert.equal(slices.lane().isBusy, false);
  });

  it("take turns where several jobs are under way, one in a turn", () => {
    const { clock, slices, seen, over } = trial(1);
    over(slices.lane(), ["a1", "a2"]);
    over(slices.lane(), ["b1", "b2"]);
    assert.deepEqual(seen, ["a1"]);
    clock.advance(0);
    assert.deepEqual(seen, ["a1", "a2", "b1", "done", "b2", "done"].slice(0, seen.length));
    assert.ok(seen.includes("b2"));
  });

  it("end with their lane, and with the next job in it", () => {
    const { clock, slices, seen, over } = trial(1);
    const lane = slices.lane();
    over(lane, ["a1", "a2", "a3"]);
    over(lane, ["b1"]);
    clock.advance(0);
    assert.deepEqual(seen, ["a1", "b1", "done"]);
    over(lane, ["c1", "c2"]);
    lane.stop();
    clock.advance(0);
    assert.deepEqual(seen, ["a1", "b1", "done", "c1"]);
    const self = slices.lane();
    self.over(
      ["d1", "d2"],
      () => self.stop(),
      () => assert.fail("it was stopped"),
    );
    clock.advance(0);
  });

  it("pause for as long as they are told to", () => {
    const clock = new ManualClock();
    const lane = new Slices(clock, { items: 1, pauseMs: 20 }).lane();
    let seen = 0;
    lane.over([1, 2], () => seen++, nothing);
    clock.advance(19);
    assert.equal(seen, 1);
    clock.advance(1);
    assert.equal(seen, 2);
  });
});

describe("Breaks", () => {
  it("are due when a slice has taken its time, and give the event loop a turn", async () => {
    const clock = new ManualClock();
    const breaks = new Breaks(clock);
    const dueWithin = (items: number): boolean => Array.from({ length: items }, () => breaks.isDue()).includes(true);
    assert.equal(dueWithin(1_000), false);
    clock.advance(5);
    assert.equal(dueWithin(16), true);
    const taken = breaks.take();
    assert.equal(clock.idle, false);
    clock.advance(0);
    await taken;
    assert.equal(dueWithin(1_000), false);
    clock.advance(5);
    breaks.restart();
    assert.equal(dueWithin(1_000), false);
  });
});
