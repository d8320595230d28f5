/**
 * Tenure through sequences of views: never had before activation, never broken by a view that leaves the key where it
 * is, and flushes from F after it began (V33, V34, F5).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { Doubt } from "../../../src/core/doubt.ts";
import { Ring } from "../../../src/core/ring.ts";
import { Tenure } from "../../../src/core/tenure.ts";
import { seedOf } from "../../harness/seed.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { keyWhere, keyWith, memberOf, pastOf, viewOf } from "../../harness/view-fixtures.ts";

const ringOf = (...ids: string[]): Ring =>
  new Ring(
    ids.map((id) => ({ id, weight: 1 })),
    2,
  );
const ab = ringOf("a", "b");
const abc = ringOf("a", "b", "c");
const acd = ringOf("a", "c", "d");
const ad = ringOf("a", "d");

/** No key is. */
const calm = new Doubt(viewOf(2, [memberOf("a")]));
/** Every key is whose owners are b and c. */
const doubtOfBc = new Doubt(
  viewOf(
    8,
    [memberOf("a")],
    [
      pastOf(
        viewOf(
          7,
          ["a", "b", "c"].map((id) => memberOf(id)),
        ),
      ),
    ],
  ),
);

/** Whether `tenure`, of member a, serves `key` now that `ring` is the newest. */
const serves = (tenure: Tenure, ring: Ring, key: string): boolean => tenure.has(key, ring.ownersOf(key)[0]);

/** Of member a, after these views; each is activated with its `flushFrom`, or not at all. */
function tenureAfter(...terms: (readonly [ring: Ring, now: number, flushFrom?: number | undefined])[]): Tenure {
  const tenure = new Tenure("a");
  for (const [ring, now, flushFrom] of terms) {
    tenure.adopt(ring, calm, now);
    if (flushFrom !== undefined) tenure.activate(flushFrom);
  }
  return tenure;
}

describe("Tenure", () => {
  const own = keyWith([ab], ["a"]);
  const other = keyWith([ab], ["b"]);

  it("is of no key before a view is adopted", () => {
    const tenure = tenureAfter();
    assert.equal(tenure.activated, false);
    assert.equal(tenure.has(own, undefined), false);
    assert.equal(tenure.flushFrom(own), undefined);
  });

  it("is of no key while the first view is not activated", () => {
    const tenure = tenureAfter([ab, 0]);
    assert.equal(tenure.activated, false);
    assert.equal(serves(tenure, ab, own), false);
    assert.equal(tenure.flushFrom(own), undefined);
  });

  it("is of exactly the keys whose primary the member is once the view is activated", () => {
    const tenure = tenureAfter([ab, 0, 10_000]);
    assert.equal(tenure.activated, true);
    assert.equal(serves(tenure, ab, own), true);
    assert.equal(tenure.flushFrom(own), 10_000);
    assert.equal(serves(tenure, ab, other), false);
    assert.equal(tenure.flushFrom(other), undefined);
  });

  it("is kept without a break by a view that leaves the key its primary, before that view is activated and after", () => {
    const key = keyWith([ab, abc], ["a", "a"]);
    const tenure = tenureAfter([ab, 0, 10_000], [abc, 15_000]);
    assert.equal(tenure.activated, false);
    assert.equal(serves(tenure, abc, key), true);
    assert.equal(tenure.flushFrom(key), 10_000);
    tenure.activate(26_000);
    assert.equal(serves(tenure, abc, key), true);
    assert.ok((tenure.flushFrom(key) ?? Number.NaN) <= 15_000, "what could be flushed before can be flushed still");
  });

  it("is kept through any number of views that are never activated", () => {
    const key = keyWith([ab, abc, acd], ["a", "a", "a"]);
    const tenure = tenureAfter([ab, 0, 10_000], [abc, 15_000], [ab, 15_001], [acd, 15_002]);
    assert.equal(serves(tenure, acd, key), true);
    assert.equal(tenure.flushFrom(key), 10_000);
  });

  it("that began while its wait for flushing still runs keeps that wait through the next views", () => {
    const key = keyWith([ab, abc], ["a", "a"]);
    const tenure = tenureAfter([ab, 0, 10_000], [abc, 2000, 13_000], [ab, 4000]);
    assert.equal(tenure.flushFrom(key), 10_000);
  });

  it("of a key that comes with a view is gained only on activation, and flushes from then", () => {
    const key = keyWith([abc, acd], ["b", "a"]);
    const tenure = tenureAfter([abc, 0, 10_000], [acd, 15_000]);
    assert.equal(serves(tenure, acd, key), false);
    assert.equal(tenure.flushFrom(key), undefined);
    tenure.activate(26_000);
    assert.equal(serves(tenure, acd, key), true);
    assert.equal(tenure.flushFrom(key), 26_000);
  });

  it("of a key that came with a view which was never activated is not had under the next one either", () => {
    const key = keyWith([abc, acd, ad], ["b", "a", "a"]);
    const tenure = tenureAfter([abc, 0, 10_000], [acd, 15_000], [ad, 16_000]);
    assert.equal(serves(tenure, ad, key), false);
    tenure.activate(27_000);
    assert.equal(tenure.flushFrom(key), 27_000);
  });

  it("of every key stays as it was with a view that leaves all keys at their primaries: there is nothing to wait for", () => {
    const tenure = tenureAfter([ab, 0, 10_000], [abc, 2_000, 15_000], [ringOf("c", "b", "a"), 20_000, 33_000]);
    assert.equal(tenure.waits(20_000), false);
    const later = tenureAfter([ab, 0, 10_000], [abc, 2_000, 15_000], [ringOf("c", "b", "a"), 4_000, 17_000]);
    assert.equal(later.waits(14_999), true);
    assert.equal(later.waits(15_000), false);
  });

  it("ends at once when another becomes primary, and does not come back with the key", () => {
    const key = keyWith([ab, abc], ["a", "c"]);
    for (const between of [undefined, 26_000]) {
      const tenure = tenureAfter([ab, 0, 10_000], [abc, 15_000, between]);
      assert.equal(serves(tenure, abc, key), false);
      assert.equal(tenure.flushFrom(key), undefined);
      tenure.adopt(ab, calm, 30_000);
      assert.equal(serves(tenure, ab, key), false);
      assert.equal(tenure.flushFrom(key), undefined);
      tenure.activate(41_000);
      assert.equal(serves(tenure, ab, key), true);
      assert.equal(tenure.flushFrom(key), 41_000);
    }
  });

  it("gained from a quiet predecessor flushes at once", () => {
    const key = keyWith([abc, acd], ["b", "a"]);
    const tenure = tenureAfter([abc, 0, 10_000], [acd, 15_000, Number.NEGATIVE_INFINITY]);
    assert.equal(tenure.flushFrom(key), Number.NEGATIVE_INFINITY);
  });

  it("waits to flush for as long as anything that was gained under any of its terms does", () => {
    const tenure = tenureAfter([ab, 0, 10_000], [abc, 200, Number.NEGATIVE_INFINITY]);
    assert.deepEqual([tenure.waits(9_999), tenure.waits(10_000)], [true, false]);
    assert.equal(tenureAfter([ab, 0]).waits(0), false);
  });

  it("is of no key in doubt, however it was had before, and of all others as ever", () => {
    const inDoubt = keyWhere((key) => doubtOfBc.has(key));
    const certain = keyWhere((key) => !doubtOfBc.has(key));
    const alone = ringOf("a");
    const tenure = tenureAfter([alone, 0, 10_000]);
    assert.equal(serves(tenure, alone, inDoubt), true);
    tenure.adopt(alone, doubtOfBc, 20_000);
    for (const flushFrom of [undefined, 31_000]) {
      if (flushFrom !== undefined) tenure.activate(flushFrom);
      assert.deepEqual([serves(tenure, alone, inDoubt), serves(tenure, alone, certain)], [false, true]);
      assert.equal(tenure.flushFrom(inDoubt), undefined);
    }
  });

  it("of a key whose doubt has ended begins anew when that view is activated", () => {
    const inDoubt = keyWhere((key) => doubtOfBc.has(key));
    const alone = ringOf("a");
    const tenure = tenureAfter([alone, 0, 10_000]);
    tenure.adopt(alone, doubtOfBc, 20_000);
    tenure.activate(31_000);
    tenure.adopt(alone, calm, 40_000);
    assert.equal(serves(tenure, alone, inDoubt), false);
    tenure.activate(51_000);
    assert.equal(tenure.flushFrom(inDoubt), 51_000);
  });

  it("refuses to activate what is not there or is activated already", () => {
    assert.throws(() => tenureAfter().activate(0), AssertionError);
    assert.throws(() => tenureAfter([ab, 0, 10_000]).activate(20_000), AssertionError);
  });

  it("agrees under random views with a model that keeps it per key", (test) => {
    agreesWithModel(seedOf(test), 0);
  });

  it("keeps its wait for flushing through a later view that was activated as quiet", () => {
    const key = keyWith([ab, abc], ["a", "a"]);
    const tenure = tenureAfter([ab, 0, 10_000], [abc, 200, Number.NEGATIVE_INFINITY]);
    assert.equal(tenure.flushFrom(key), 10_000);
    tenure.adopt(ab, calm, 300);
    assert.equal(tenure.flushFrom(key), 10_000);
  });

  it("agrees under random views, quiet ones among them, with the model", (test) => {
    agreesWithModel(seedOf(test), 0.5);
  });
});

const modelRings = [ab, abc, acd, ringOf("b", "c"), ad, ringOf("a", "b", "c", "d")];
const modelKeys = Array.from({ length: 60 }, (_, index) => `key-${index}`);
const deadlineMs = 10_000;

/** By the rule: what is had is kept while the member stays primary; what is new begins with the activation. */
function agreesWithModel(seed: number, quiet: number): void {
  const random = new SimRandom(seed);
  const tenure = new Tenure("a");
  const since = new Map<string, number>();
  let now = 0;
  for (let round = 0; round < 300; round++) {
    const ring = random.pick(modelRings);
    const isPrimary = (key: string): boolean => ring.ownersOf(key)[0] === "a";
    now += random.whole(0, deadlineMs);
    tenure.adopt(ring, calm, now);
    for (const key of modelKeys) if (!isPrimary(key)) since.delete(key);
    if (random.chance(0.6)) {
      now += random.whole(0, 100);
      const from = random.chance(quiet) ? Number.NEGATIVE_INFINITY : now + deadlineMs;
      tenure.activate(from);
      for (const key of modelKeys) if (isPrimary(key) && !since.has(key)) since.set(key, from);
    }
    for (const key of modelKeys) {
      const context = `seed ${seed}, round ${round}, ${key}`;
      assert.equal(serves(tenure, ring, key), since.has(key), context);
      // When exactly it began is forgotten once it is past.
      const [from, expected] = [tenure.flushFrom(key), since.get(key)].map((at) => at && Math.max(at, now));
      assert.equal(from, expected, context);
    }
  }
}
