/** The list whose links are in its items. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Linked, LinkedList } from "../../../src/base/linked-list.ts";
import { SimRandom } from "../../harness/sim-random.ts";

class Item implements Linked<Item> {
  before: Item | undefined = undefined;
  after: Item | undefined = undefined;
}

test("a list has what was added and not removed, in that order, as a Set has", () => {
  const random = new SimRandom(7);
  const list = new LinkedList<Item>();
  const expected = new Set<Item>();
  const all = Array.from({ length: 12 }, () => new Item());
  for (let step = 0; step < 5_000; step++) {
    const item = random.pick(all);
    if (expected.has(item) || random.chance(0.3)) assert.equal(list.remove(item), expected.delete(item));
    else {
      list.add(item);
      expected.add(item);
    }
    assert.deepEqual([...list], [...expected]);
    assert.equal(list.first, [...expected][0]);
    for (const each of all) assert.equal(list.has(each), expected.has(each));
  }
  list.clear();
  assert.deepEqual([...list], []);
});

test("what has left a list refers to nothing of it any more", () => {
  const list = new LinkedList<Item>();
  const [a, b, c] = [new Item(), new Item(), new Item()];
  for (const item of [a, b, c]) list.add(item);
  list.remove(b);
  list.clear();
  for (const item of [a, b, c]) assert.deepEqual([item.before, item.after], [undefined, undefined]);
});

test("an item is in a list once", () => {
  const list = new LinkedList<Item>();
  const item = new Item();
  list.add(item);
  assert.throws(() => list.add(item), { name: "AssertionError" });
});
