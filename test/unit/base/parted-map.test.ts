/** A map in parts does what a Map does, and its parts are about equal. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PartedMap } from "../../../src/base/parted-map.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import { processorMs } from "../../harness/turn-times.ts";

describe("PartedMap", () => {
  it("has what a Map has after any sequence of steps", () => {
    const random = new SimRandom(1);
    const [map, model] = [new PartedMap<number>(), new Map<string, number>()];
    for (let step = 0; step < 20_000; step++) {
      const key = `k${Math.floor(random.between(0, 400))}`;
      if (random.chance(0.5)) {
        map.set(key, step);
        model.set(key, step);
      } else assert.equal(map.delete(key), model.delete(key));
      assert.equal(map.size, model.size);
      assert.deepEqual([map.get(key), map.has(key)], [model.get(key), model.has(key)]);
    }
    const ascending = (a: number, b: number): number => a - b;
    assert.deepEqual([...map.values()].toSorted(ascending), [...model.values()].toSorted(ascending));
  });

  it("meets each entry that stays once, whatever comes and goes meanwhile", () => {
    const map = new PartedMap<number>();
    for (let index = 0; index < 1_000; index++) map.set(`k${index}`, index);
    const met: number[] = [];
    for (const value of map.values()) {
      met.push(value);
      if (value % 2 === 1) map.delete(`k${value}`);
      if (met.length < 1_000) map.set(`n${value}`, -1);
    }
    const old = met.filter((value) => value >= 0);
    assert.deepEqual(new Set(old), new Set(Array.from({ length: 1_000 }, (_, index) => index)));
    assert.equal(old.length, 1_000);
  });

  it("has first in each part what came first", () => {
    const map = new PartedMap<number>();
    for (let index = 0; index < 1_000; index++) map.set(`k${index}`, index);
    assert.equal(Math.min(...map.firsts()), 0);
    for (let index = 0; index < 500; index++) map.delete(`k${index}`);
    assert.equal(Math.min(...map.firsts()), 500);
  });

  for (const [what, keyOf] of [
    ["numbers at the end", (index: number) => `some/prefix/${index}`],
    ["one ending", (index: number) => `users/${index.toString(16).padStart(8, "0")}/avatar.png`],
    ["long names", (index: number) => `${"a-long-folder/".repeat(20)}${index}/${"x".repeat(40)}`],
  ] as const) {
    it(`has about equal parts for keys with ${what}`, () => {
      const map = new PartedMap<string>();
      for (let index = 0; index < 64_000; index++) map.set(keyOf(index), keyOf(index));
      // The values come part by part: neighbours in one part are told by the part's first.
      const firsts = new Set(map.firsts());
      let [longest, length] = [0, 0];
      for (const key of map.values()) {
        length = firsts.has(key) ? 1 : length + 1;
        longest = Math.max(longest, length);
      }
      assert.ok(firsts.size === 64 && longest < 3_000, `${firsts.size} parts, the largest of ${longest}`);
    });
  }

  it("has nothing once it is cleared, and takes entries again", () => {
    const map = new PartedMap<number>();
    for (const key of ["a", "b", "c"]) map.set(key, 1);
    map.clear();
    assert.deepEqual([map.size, map.get("a"), [...map.values()]], [0, undefined, []]);
    map.set("a", 2);
    assert.deepEqual([map.size, map.get("a"), [...map.values()]], [1, 2, [2]]);
  });

  it("never moves all that it has at once", () => {
    const times: number[] = [];
    // The collector takes its time, too: one try in five is enough. A Map takes over 20 ms each time.
    for (let attempt = 0; attempt < 5 && (times.at(-1) ?? 100) > 10; attempt++) times.push(longestStep(600_000));
    assert.ok((times.at(-1) ?? 100) <= 10, `${times.map((time) => time.toFixed(1)).join(", ")} ms`);
  });
});

/** The longest time that 16 new entries take, of so many, in milliseconds of this thread's processor time. */
function longestStep(count: number): number {
  const map = new PartedMap<number>();
  let [longest, last] = [0, processorMs()];
  for (let index = 0; index < count; index++) {
    map.set(`some/key/${index}`, index);
    if (index % 16 > 0) continue;
    const now = processorMs();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}
