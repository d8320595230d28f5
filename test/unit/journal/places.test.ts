/** The places of very many keys: none is mixed up with another, and they grow without moving what is there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Places } from "../../../src/journal/places.ts";
import { HeapGrowth } from "../../harness/heap-growth.ts";
import { SimRandom } from "../../harness/sim-random.ts";

test("each key has its place, and a place that is free goes to another key", () => {
  const random = new SimRandom(1);
  const places = new Places();
  const model = new Map<string, { readonly seq: number; readonly segment: number; readonly bytes: number }>();
  let most = 0;
  for (let step = 0; step < 30_000; step++) {
    const key = `k${random.whole(1, 300)}`;
    const slot = places.find(key);
    if (random.chance(0.6)) {
      const place = { seq: step, segment: random.whole(1, 9), bytes: random.whole(1, 900) };
      places.set(key, { epoch: 1, seq: step }, place.segment, place.bytes);
      model.set(key, place);
    } else if (slot !== undefined) {
      places.remove(key, slot);
      model.delete(key);
    }
    most = Math.max(most, model.size);
    assert.deepEqual([places.size, places.end], [model.size, most]);
    const expected = model.get(key);
    const now = places.find(key);
    assert.equal(now === undefined, expected === undefined);
    if (now === undefined || expected === undefined) continue;
    assert.equal(places.keyAt(now), key);
    assert.deepEqual([places.segmentAt(now), places.bytesAt(now)], [expected.segment, expected.bytes]);
    assert.equal(places.compareAt(now, { epoch: 1, seq: expected.seq }), 0);
  }
  const slots = new Set([...model.keys()].map((key) => places.find(key)));
  assert.equal(slots.size, model.size);
});

test("a place that is free has neither key nor segment", () => {
  const places = new Places();
  for (const key of ["a", "b", "c"]) places.set(key, { epoch: 1, seq: 1 }, 5, 10);
  for (const key of ["a", "c"]) places.remove(key, places.find(key) as number);
  const segments = [0, 1, 2].map((slot) => [places.keyAt(slot), places.segmentAt(slot)]);
  assert.deepEqual(segments, [
    [undefined, 0],
    ["b", 5],
    [undefined, 0],
  ]);
});

test("very many keys come and go without a step that moves them all", () => {
  const places = new Places();
  const keys = Array.from({ length: 400_000 }, (_, index) => `some/key/${index}`);
  const growth = new HeapGrowth();
  for (const [index, key] of keys.entries()) {
    places.set(key, { epoch: 1, seq: index }, 1, 1);
    if (index % 16 === 0) growth.look();
  }
  assert.ok(growth.largest < 2_000_000, `${growth.largest} bytes at once, when they come`);
  for (const [index, key] of keys.entries()) {
    places.remove(key, places.find(key) as number);
    if (index % 16 === 0) growth.look();
  }
  assert.ok(growth.largest < 2_000_000, `${growth.largest} bytes at once, when they go`);
  assert.deepEqual([places.size, places.end], [0, 0]);
});
