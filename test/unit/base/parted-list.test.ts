/** A list in parts does what an array does, and never moves what it has. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { PartedList } from "../../../src/base/parted-list.ts";
import { HeapGrowth } from "../../harness/heap-growth.ts";

describe("PartedList", () => {
  it("has what an array has, over several parts", () => {
    const [list, model] = [new PartedList<number>(), [] as number[]];
    for (let index = 0; index < 20_000; index++) {
      list.push(index);
      model.push(index);
      if (index % 3 === 0) {
        list.set(index >>> 1, -index);
        model[index >>> 1] = -index;
      }
    }
    assert.equal(list.length, model.length);
    assert.deepEqual([...list], model);
    for (const index of [0, 4_095, 4_096, 8_191, 8_192, 19_999, 20_000, -1]) assert.equal(list.at(index), model[index]);
  });

  it("gives up its last items, and takes others after them", () => {
    const [list, model] = [new PartedList<number>(), [] as number[]];
    for (let round = 1; round <= 30; round++) {
      for (let index = 0; index < 900 * (round % 7); index++) {
        list.push(index * round);
        model.push(index * round);
      }
      for (let count = 0; count < 700 * (round % 5); count++) assert.equal(list.pop(), model.pop());
      assert.deepEqual([list.length, list.at(list.length - 1)], [model.length, model.at(-1)]);
    }
    while (model.length > 0) assert.equal(list.pop(), model.pop());
    assert.deepEqual([list.pop(), list.length, [...list]], [undefined, 0, []]);
  });

  it("tells some of its items, as far as there are any", () => {
    const list = new PartedList<number>();
    for (let index = 0; index < 9_000; index++) list.push(index);
    assert.deepEqual(list.slice(4_094, 4_098), [4_094, 4_095, 4_096, 4_097]);
    assert.deepEqual(list.slice(8_998, 9_100), [8_998, 8_999]);
    assert.deepEqual(list.slice(9_000, 9_100), []);
  });

  it("is empty at first", () => {
    const list = new PartedList<string>();
    assert.deepEqual([list.length, list.at(0), [...list]], [0, undefined, []]);
  });

  it("takes an item in the place of another one only", () => {
    const list = new PartedList<string>();
    list.push("a");
    assert.throws(() => list.set(1, "b"), AssertionError);
    assert.throws(() => list.set(-1, "b"), AssertionError);
    assert.deepEqual([...list], ["a"]);
  });

  it("comes to what is added meanwhile", () => {
    const list = new PartedList<number>();
    list.push(0);
    const met: number[] = [];
    for (const item of list) {
      met.push(item);
      if (item < 9_000) list.push(item + 1);
    }
    assert.equal(met.length, 9_001);
  });

  it("never moves all that it has at once", () => {
    const list = new PartedList<number>();
    const growth = new HeapGrowth();
    for (let index = 0; index < 400_000; index++) {
      list.push(index);
      if (index % 64 === 0) growth.look();
    }
    assert.ok(growth.largest < 2_000_000, `${growth.largest} bytes at once`);
  });
});
