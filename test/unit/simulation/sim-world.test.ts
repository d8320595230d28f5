/**
 * The simulated world's own promises: order, time, quiescence between events, and the same course for the same seed.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sleep } from "../../../src/base/clock.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { SimProcess } from "../../simulation/sim-process.ts";
import { SimWorld } from "../../simulation/sim-world.ts";

const exactClock = { maxRateError: 0, maxTimerDelayMs: 0 };

describe("the simulated world", () => {
  it("runs events by time, and those of one instant in the order in which they were planned", async () => {
    const world = new SimWorld({ seed: 1 });
    const seen: string[] = [];
    world.schedule(20, () => seen.push("late"));
    world.schedule(10, () => seen.push("first"));
    world.schedule(10, () => seen.push("second"));
    world.schedule(5, () => world.schedule(5, () => seen.push("third")));
    await world.run(100);
    assert.deepEqual(seen, ["first", "second", "third", "late"]);
    assert.equal(world.now, 100);
  });

  it("keeps the order of a thousand events at random times, some cancelled", async () => {
    const seed = 42;
    const random = new SimRandom(seed);
    const world = new SimWorld({ seed });
    const seen: number[] = [];
    let expected = 0;
    for (let i = 0; i < 1_000; i++) {
      const ms = random.whole(0, 300);
      const timer = world.schedule(ms, () => seen.push(ms));
      if (random.chance(0.3)) timer.cancel();
      else expected++;
    }
    await world.run(1_000);
    assert.equal(seen.length, expected, `seed ${seed}`);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
      `seed ${seed}`,
    );
  });

  it("finishes all that follows from an event, however many promises long, before the next one", async () => {
    const world = new SimWorld({ seed: 1 });
    const seen: string[] = [];
    world.schedule(1, () => {
      void (async () => {
        for (let turn = 0; turn < 5_000; turn++) await Promise.resolve();
        seen.push("chain of the first event");
      })();
    });
    world.schedule(1, () => seen.push("second event"));
    await world.run(10);
    assert.deepEqual(seen, ["chain of the first event", "second event"]);
  });

  it("stops at the condition, and says so when time ran out before it", async () => {
    const world = new SimWorld({ seed: 1 });
    let done = false;
    world.schedule(7, () => {
      done = true;
    });
    assert.equal(await world.run(5, () => done), false);
    assert.equal(await world.run(50, () => done), true);
    assert.equal(world.now, 7);
  });

  it("fails the run on an error thrown in an event, and on a rejection that nobody handles", async () => {
    const thrown = new SimWorld({ seed: 1 });
    thrown.schedule(1, () => {
      throw new Error("thrown");
    });
    await assert.rejects(thrown.run(10), /thrown/);

    const world = new SimWorld({ seed: 1 });
    world.schedule(1, () => world.fail(new Error("failed")));
    world.schedule(2, () => assert.fail("the run goes on after a failure"));
    await assert.rejects(world.run(10), /failed/);
  });

  it("is looked at when it is time, after what was planned for then earlier, until the look ends or the condition holds", async () => {
    const world = new SimWorld({ seed: 1 });
    const seen: string[] = [];
    for (const ms of [5, 10, 22]) world.schedule(ms, () => seen.push(`event at ${world.now}`));
    const looks = world.lookEvery(10, () => seen.push(`look at ${world.now}`));
    await world.run(25);
    assert.deepEqual(seen, ["event at 5", "event at 10", "look at 10", "look at 20", "event at 22"]);
    assert.equal(await world.run(100, () => seen.length === 7), true);
    assert.equal(world.now, 40);
    looks.cancel();
    await world.run(100);
    assert.equal(seen.length, 7);
    assert.equal(world.events, 3);
  });

  it("fails the run on an error thrown in a look, and looks no more", async () => {
    const world = new SimWorld({ seed: 1 });
    let looks = 0;
    world.lookEvery(10, () => {
      looks++;
      throw new Error("seen");
    });
    await assert.rejects(world.run(100), /seen/);
    assert.equal(looks, 1);
  });

  it("gives another course to another seed and the same one to the same", async () => {
    const course = async (seed: number): Promise<string> => {
      const world = new SimWorld({ seed });
      const process = new SimProcess(world, "a/1", { maxRateError: 0.01, maxTimerDelayMs: 1 });
      const tick = (): void => {
        world.note("tick", () => "");
        process.after(process.random.exponential(10), tick);
      };
      tick();
      await world.run(1_000);
      return world.trace.digest;
    };
    assert.equal(await course(3), await course(3));
    assert.notEqual(await course(3), await course(4));
  });

  it("never fires a process's timer early by that process's clock, whatever its rate", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const world = new SimWorld({ seed });
      const process = new SimProcess(world, "a/1", { maxRateError: 0.05, maxTimerDelayMs: 0 });
      for (const ms of [0, 0.1, 1, 333, 10_000]) {
        const before = process.now();
        process.after(ms, () => assert.ok(process.now() >= before + ms, `seed ${seed}, ${ms} ms`));
      }
      await world.run(20_000);
    }
  });

  it("delivers nothing to a crashed process, not even what was due", async () => {
    const world = new SimWorld({ seed: 1 });
    const process = new SimProcess(world, "a/1", exactClock);
    const seen: string[] = [];
    void sleep(process, 10).then(() => seen.push("woke"));
    process.schedule(5, () => seen.push("message"));
    world.schedule(7, () => process.crash());
    await world.run(100);
    assert.deepEqual(seen, ["message"]);
  });

  it("holds back everything of a paused process and delivers it when it goes on, in order, or timers first", async () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const world = new SimWorld({ seed });
      const process = new SimProcess(world, "a/1", exactClock);
      const seen: string[] = [];
      process.after(20, () => seen.push(`timer at ${world.now}`));
      for (const ms of [10, 15, 30]) process.schedule(ms, () => seen.push(`message ${ms} at ${world.now}`));
      world.schedule(5, () => process.pause());
      world.schedule(25, () => process.resume());
      await world.run(100);
      orders.add(seen.join(", "));
    }
    assert.deepEqual([...orders].toSorted(), [
      "message 10 at 25, message 15 at 25, timer at 25, message 30 at 30",
      "timer at 25, message 10 at 25, message 15 at 25, message 30 at 30",
    ]);
  });

  it("stops the monotonic clock of a host that sleeps, and its timers with it, but not the wall clock", async () => {
    const world = new SimWorld({ seed: 1 });
    const process = new SimProcess(world, "a/1", { maxRateError: 0.02, maxTimerDelayMs: 0 });
    const [monotonic, wall] = [process.now(), process.wallMs()];
    const fired: number[] = [];
    process.after(100, () => fired.push(world.now));
    world.schedule(50, () => process.pause(true));
    world.schedule(1_050, () => process.resume());
    await world.run(2_000);
    assert.ok(Math.abs(process.now() - monotonic - 1_000) < 20);
    assert.ok(Math.abs(process.wallMs() - wall - 2_000) <= 1);
    assert.equal(fired.length, 1);
    assert.ok(Math.abs((fired[0] ?? 0) - 1_100) < 2, `fired at ${fired[0]} ms`);
  });

  it("never sets the monotonic clock back, not even by a rounding error when a host wakes", async () => {
    for (let seed = 0; seed < 300; seed++) {
      const world = new SimWorld({ seed });
      const process = new SimProcess(world, "a/1", { maxRateError: 0.02, maxTimerDelayMs: 0 });
      let latest = process.now();
      const look = (): void => {
        assert.ok(process.now() >= latest, `seed ${seed}: back by ${latest - process.now()} ms at ${world.now}`);
        latest = process.now();
      };
      const sleep = (): void => {
        process.pause(true);
        look();
        // What came meanwhile comes in the very instant in which the host wakes.
        process.schedule(0, look);
        world.schedule(process.random.between(1, 5_000), () => {
          process.resume();
          world.schedule(process.random.between(1, 100), sleep);
        });
      };
      sleep();
      await world.run(60_000);
    }
  });

  it("draws numbers of sfc32 that never change, so that a kept seed stays the same world", () => {
    const random = new SimRandom(12_345);
    assert.deepEqual([random.word(), random.word(), random.word()], expectedWords);
    assert.equal(new SimRandom(12_345).fork("x").id(), expectedId);
  });
});

/** The words were computed by another implementation of both generators, in another language. */
const expectedWords = [3_076_463_725, 2_793_540_761, 2_096_405_357];
const expectedId = "19d1778ef9eee8e915aefcdd8decffc5";
