/**
 * Admission against a model under random operations: its accounts are exact after each, and who waits is treated by the
 * rules.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Admission } from "../../../src/core/admission.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { seedOf } from "../../harness/seed.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const settings = { dirtyBytes: 1000, refusedBytes: 750, waitMs: 500 };

/** Lets every promise that is resolved already reach those who wait for it. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("Admission, under random operations", () => {
  it("has exactly the bytes in use that were taken and not given back, and serves in order who fits", async (test) => {
    const seed = seedOf(test);
    const random = new SimRandom(seed);
    const clock = new ManualClock();
    const admission = new Admission(settings, clock);
    const held: number[] = [];
    /** Who waits, in order of arrival. */
    const waits: { readonly bytes: number; readonly since: number; readonly number: number }[] = [];
    const served: number[] = [];
    const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
    for (let step = 0; step < 3000; step++) {
      const context = `seed ${seed}, step ${step}`;
      const bytes = random.whole(1, 120);
      const before = admission.usedBytes;
      const roll = random.next();
      if (roll < 0.25) {
        const fits = waits.length === 0 && before + bytes <= 1000;
        assert.equal(admission.tryTake(bytes), fits, context);
        if (fits) held.push(bytes);
      } else if (roll < 0.35) {
        const fits = before <= 1000 || before + bytes <= 1100;
        assert.equal(admission.tryTakeForReplica(bytes), fits, context);
        if (fits) held.push(bytes);
      } else if (roll < 0.4) {
        admission.take(bytes);
        held.push(bytes);
      } else if (roll < 0.6) {
        const wait = { bytes, since: clock.now(), number: step };
        const refused = sum(waits.map((each) => each.bytes)) + bytes > 250;
        waits.push(wait);
        const ended = admission.waitAndTake(bytes).then((taken) => {
          waits.splice(waits.indexOf(wait), 1);
          if (!taken) return;
          served.push(step);
          held.push(bytes);
        });
        await Promise.race([ended, turn()]);
        assert.equal(waits.includes(wait), !refused, context);
      } else if (roll < 0.9 && held.length > 0) {
        admission.give(held.splice(random.whole(0, held.length - 1), 1)[0] as number);
        const servedBefore = served.length;
        await turn();
        if (served.length > servedBefore) assert.ok(admission.usedBytes <= 1000, context);
        if (waits[0]) assert.ok(admission.usedBytes + waits[0].bytes > 1000, context);
      } else {
        clock.advance(random.whole(0, 200));
      }
      await turn();
      assert.equal(admission.usedBytes, sum(held), context);
      assert.ok(
        waits.every(({ since }) => clock.now() - since < settings.waitMs),
        context,
      );
      assert.deepEqual(
        served,
        served.toSorted((one, other) => one - other),
        context,
      );
    }
    assert.ok(served.length > 20, `seed ${seed}: hardly any wait was served (${served.length})`);
  });
});
