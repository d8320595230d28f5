/**
 * What a fault's price is: the figures must neither blame the cluster for what clients did not try, nor hide what they
 * did.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Ended, FaultWatch } from "../../harness/chaos/fault-watch.ts";

const well = { isHit: false, isStoreAway: false };

function operation(calledAt: number, endedAt: number, more: Partial<Ended> = {}): Ended {
  return { key: "k", id: "a", calledAt, endedAt, isServed: true, mayNeedStore: false, ...more };
}

describe("watch of a fault", () => {
  test("a gap is counted from the first attempt that failed to the first answer", () => {
    const watch = new FaultWatch();
    watch.open();
    watch.begin({ hit: [], isStoreAway: false }, 100);
    watch.ended(operation(90, 110), well);
    watch.ended(operation(200, 700, { isServed: false }), well);
    watch.ended(operation(750, 1_200), well);
    assert.equal(watch.feeling.longestGapMs, 1_000);
    assert.equal(watch.feeling.longestWaitMs, 500);
    assert.equal(watch.feeling.errors, 1);
    assert.equal(watch.feeling.writeErrors, 1);
  });

  test("time in which nobody tried is no gap, nor is waiting while others are answered", () => {
    const watch = new FaultWatch();
    watch.open();
    watch.ended(operation(0, 10), well);
    watch.ended(operation(5_000, 5_010), well);
    watch.ended(operation(5_005, 6_000), well);
    assert.equal(watch.feeling.longestGapMs, 990);
  });

  test("what goes through a node that is hit is not counted, whether it was hit before the call or since", () => {
    const watch = new FaultWatch();
    watch.open();
    watch.begin({ hit: ["a"], isStoreAway: false }, 0);
    assert.ok(watch.isHit("a"));
    watch.ended(operation(0, 9_000, { isServed: false }), well);
    watch.end();
    assert.ok(!watch.isHit("a"));
    watch.ended(operation(0, 9_000, { isServed: false }), { ...well, isHit: true });
    assert.equal(watch.feeling.errors, 0);
    assert.equal(watch.feeling.longestWaitMs, 0);
  });

  test("what needs a store that is away is counted by itself, writes that do not are errors like any other", () => {
    const watch = new FaultWatch();
    watch.open();
    watch.begin({ hit: [], isStoreAway: true }, 0);
    watch.ended(operation(0, 9_000, { isServed: false, mayNeedStore: true }), well);
    watch.ended(operation(0, 50, { isServed: false }), well);
    watch.end();
    // Called while it was away, and given up only now.
    watch.ended(operation(0, 9_000, { isServed: false, mayNeedStore: true }), { ...well, isStoreAway: true });
    assert.deepEqual(
      [watch.feeling.errors, watch.feeling.storeErrors, watch.feeling.writeErrors, watch.feeling.longestGapMs],
      [3, 2, 1, 0],
    );
  });

  test("times are kept apart for what was called before the fault and since, and forgotten with the next window", () => {
    const watch = new FaultWatch();
    watch.open();
    watch.ended(operation(1, 3), well);
    watch.begin({ hit: [], isStoreAway: false }, 5);
    watch.ended(operation(6, 10), well);
    assert.deepEqual(watch.feeling.before, [{ key: "k", ms: 2 }]);
    assert.deepEqual(watch.feeling.during, [{ key: "k", ms: 4 }]);
    watch.open();
    assert.deepEqual(watch.feeling.before, []);
  });
});
