/** When to flush what, how much at once, and how long to pause after a failure (F22). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { backoffMs, type Due, DueQueue, Pace } from "../../../src/core/flush-schedule.ts";
import { HeapGrowth } from "../../harness/heap-growth.ts";
import { seedOf } from "../../harness/seed.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const always = (): boolean => true;

describe("DueQueue", () => {
  it("is empty to begin with, and has nothing to take then", () => {
    const queue = new DueQueue<string>(always);
    assert.deepEqual([queue.size, queue.nextAt], [0, undefined]);
    assert.throws(() => queue.take(), AssertionError);
  });

  it("gives what was due first, with its time, whatever the order in which it came", () => {
    const queue = new DueQueue<string>(always);
    for (const at of [30, 10, 20, Number.NEGATIVE_INFINITY, 40]) queue.add(`due at ${at}`, at);
    const taken: Due<string>[] = [];
    while (queue.nextAt !== undefined) {
      const { nextAt } = queue;
      taken.push(queue.take());
      assert.equal(taken.at(-1)?.at, nextAt);
    }
    const expected = [Number.NEGATIVE_INFINITY, 10, 20, 30, 40].map((at) => ({ item: `due at ${at}`, at }));
    assert.deepEqual(taken, expected);
    assert.equal(queue.size, 0);
  });

  it("never moves all that it has at once", () => {
    const queue = new DueQueue<number>(always);
    const items = 300_000;
    const growth = new HeapGrowth();
    for (let item = 0; item < items; item++) {
      queue.add(item, item % 1_000);
      if (item % 64 === 0) growth.look();
    }
    assert.equal(queue.size, items);
    assert.ok(growth.largest < 1_500_000, `${growth.largest} bytes at once`);
  });

  it("agrees with a sorted array under random operations", (test) => {
    const seed = seedOf(test);
    const random = new SimRandom(seed);
    for (const adding of [0.7, 0.5, 0.3]) {
      const queue = new DueQueue<number>(always);
      const model: Due<number>[] = [];
      for (let step = 0; step < 3000; step++) {
        const context = `seed ${seed}, adding ${adding}, step ${step}`;
        if (model.length === 0 || random.chance(adding)) {
          // Few different times, so that many are due at once.
          const at = random.whole(0, 50);
          queue.add(step, at);
          model.push({ item: step, at });
          model.sort((one, other) => one.at - other.at);
        } else {
          const due = queue.take();
          assert.equal(due.at, model[0]?.at, context);
          // Among those of one time any may come first, but each comes once.
          const index = model.findIndex(({ item, at }) => item === due.item && at === due.at);
          assert.ok(index >= 0, context);
          model.splice(index, 1);
        }
        assert.equal(queue.size, model.length, context);
        assert.equal(queue.nextAt, model[0]?.at, context);
      }
    }
  });
});

describe("DueQueue of items that are due sooner than they were", () => {
  it("keeps no more of their older places than there are items", () => {
    const dueAt = new Map<number, number>();
    const queue = new DueQueue<number>(({ item, at }) => dueAt.get(item) === at);
    const add = (item: number, at: number): void => {
      dueAt.set(item, at);
      queue.add(item, at);
    };
    for (let item = 0; item < 100; item++) add(item, 60_000 + item);
    for (let at = 50_000; at > 0; at--) add(at % 100, at);
    assert.ok(queue.size <= 200, `${queue.size} places of 100 items`);
    const taken: number[] = [];
    while (queue.nextAt !== undefined) {
      const { item, at } = queue.take();
      if (dueAt.get(item) === at) taken.push(at);
    }
    assert.deepEqual(
      taken,
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
  });
});

describe("DueQueue of very many items", () => {
  it("sweeps a few at each addition, keeps the order, and no more older places than there are items", (test) => {
    const random = new SimRandom(seedOf(test));
    const dueAt = new Map<number, number>();
    let looks = 0;
    const queue = new DueQueue<number>(({ item, at }) => {
      looks++;
      return dueAt.get(item) === at;
    });
    let most = 0;
    const count = 20_000;
    for (let step = 0; step < 10 * count; step++) {
      const before = looks;
      const item = random.whole(0, count - 1);
      const at = Math.min(dueAt.get(item) ?? Number.POSITIVE_INFINITY, random.whole(0, 1_000_000));
      if (dueAt.get(item) === at) continue;
      dueAt.set(item, at);
      queue.add(item, at);
      if (queue.size > 10_000) most = Math.max(most, looks - before);
    }
    assert.ok(most <= 4, `${most} looks for one addition`);
    assert.ok(queue.size <= 3 * count, `${queue.size} places of ${count} items`);
    let last = Number.NEGATIVE_INFINITY;
    const taken = new Set<number>();
    while (queue.nextAt !== undefined) {
      const { nextAt } = queue;
      const { item, at } = queue.take();
      assert.ok(at === nextAt && at >= last);
      last = at;
      if (dueAt.get(item) === at) taken.add(item);
    }
    assert.equal(taken.size, dueAt.size);
  });
});

describe("Pace", () => {
  const paceOf = (initialConcurrency: number, maxConcurrency = 64): Pace =>
    new Pace({ initialConcurrency, maxConcurrency });

  it("starts with the setting and goes up by about one for each round that succeeds", () => {
    const pace = paceOf(8);
    assert.equal(pace.concurrency, 8);
    for (let round = 0; round < 20; round++) {
      const { concurrency } = pace;
      for (let request = 0; request < concurrency; request++) pace.succeeded();
      assert.ok(pace.concurrency - concurrency <= 1, `round ${round}`);
    }
    assert.ok(pace.concurrency >= 25 && pace.concurrency <= 28, `${pace.concurrency} after 20 rounds from 8`);
  });

  it("never goes beyond its most", () => {
    const pace = paceOf(8, 10);
    for (let request = 0; request < 1000; request++) pace.succeeded();
    assert.equal(pace.concurrency, 10);
  });

  it("halves once for an overload, however many requests that were under way then fail of it", () => {
    const pace = paceOf(16);
    for (let others = 15; others >= 0; others--) pace.throttled(others);
    assert.equal(pace.concurrency, 8);
  });

  it("halves again when a request fails that was sent after it had slowed down", () => {
    const pace = paceOf(16);
    for (let others = 15; others >= 0; others--) pace.throttled(others);
    pace.throttled(7);
    assert.equal(pace.concurrency, 4);
  });

  it("counts those under way that succeed as landed, too", () => {
    const pace = paceOf(16);
    pace.throttled(15);
    for (let request = 0; request < 10; request++) pace.succeeded();
    for (let request = 0; request < 5; request++) pace.throttled(0);
    assert.ok(pace.concurrency >= 8, "all 15 were of the same overload");
    pace.throttled(7);
    assert.ok(pace.concurrency < 8 && pace.concurrency >= 4, `${pace.concurrency}`);
  });

  it("never stops: one request is always allowed, and success brings it back up", () => {
    const pace = paceOf(4);
    for (let time = 0; time < 20; time++) pace.throttled(0);
    assert.equal(pace.concurrency, 1);
    for (let request = 0; request < 10; request++) pace.succeeded();
    assert.ok(pace.concurrency >= 3, `${pace.concurrency}`);
  });
});

describe("backoffMs", () => {
  const settings = { minMs: 100, maxMs: 30_000 };

  it("doubles from the least pause to the longest, and stays there for ever", () => {
    const full = [1, 2, 3, 4, 9, 10, 31, 32, 1000, 1e9].map((failures) => backoffMs(settings, failures, 0));
    assert.deepEqual(full, [100, 200, 400, 800, 25_600, 30_000, 30_000, 30_000, 30_000, 30_000]);
  });

  it("takes off at most half by chance, evenly", (test) => {
    const seed = seedOf(test);
    const random = new SimRandom(seed);
    for (const failures of [1, 5, 50]) {
      const full = backoffMs(settings, failures, 0);
      let sum = 0;
      for (let time = 0; time < 2000; time++) {
        const pause = backoffMs(settings, failures, random.next());
        assert.ok(pause > full / 2 && pause <= full, `seed ${seed}: ${pause} of ${full}`);
        sum += pause / full;
      }
      // The mean of 2000 even draws from half to one has a standard deviation of 0.0032.
      assert.ok(Math.abs(sum / 2000 - 0.75) < 0.02, `seed ${seed}: ${sum / 2000}`);
    }
  });

  it("never exceeds the longest pause, even when that is below the least", () => {
    assert.equal(backoffMs({ minMs: 100, maxMs: 50 }, 1, 0), 50);
  });

  it("is for after a failure", () => {
    assert.throws(() => backoffMs(settings, 0, 0), AssertionError);
  });
});
