/** The watch over the store's objects finds what goes back, and nothing else. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { View } from "../../../src/core/view.ts";
import type { Blob } from "../../../src/store/blob-store.ts";
import { type Deletion, StoreWatch } from "../../simulation/store-watch.ts";

/** Conditions may hold again when they should not: a content comes back with its tag, or a key is deleted. */
const modes = { uniqueTags: false, deleteShare: 0.1 };
const parameters: View["parameters"] = {
  clusterId: "c",
  replicas: 2,
  leaseMs: 1_000,
  flushDeadlineMs: 10,
  ringVersion: 1,
};
const member = (id: string, weight: number): View["members"][number] => ({
  id,
  weight,
  folder: id,
  incarnation: id,
  url: id,
});
const view = (...members: View["members"]): View => ({
  format: 2,
  epoch: 1,
  members,
  dropped: false,
  settled: true,
  lineage: [],
  lost: [],
  proposal: "p",
  parameters,
});

const blob = (seq: number): Blob => ({
  tag: `t${seq}`,
  size: 0,
  headers: {},
  version: `cluster.tag.1.${seq}`,
  upload: undefined,
  modifiedMs: 0,
  body: Buffer.alloc(0),
});

/** An object that takes these states: versions, or undefined for removed. */
function watched(states: (number | undefined)[], deletions: Deletion[] = []): string[] {
  const watch = new StoreWatch(modes);
  let before: Blob | undefined;
  for (const [atMs, seq] of states.entries()) {
    const after = seq === undefined ? undefined : blob(seq);
    watch.changed("k", atMs, before, after);
    before = after;
  }
  return watch.violations(deletions);
}

const deletion = (calledMs: number, seq: number | undefined): Deletion => ({
  key: "k",
  calledMs,
  version: seq === undefined ? undefined : { epoch: 1, seq },
});

describe("the watch over the store", () => {
  it("accepts versions that grow, and the same version twice", () => {
    assert.deepEqual(watched([1, 2, 2, 5]), []);
  });

  it("finds an object that goes back to an older version", () => {
    assert.equal(watched([1, 3, 2]).length, 1);
  });

  it("finds an older or equal version that comes back after a removal", () => {
    assert.equal(watched([3, undefined, 2], [deletion(0, 4)]).length, 1);
    assert.equal(watched([3, undefined, 3], [deletion(0, 4)]).length, 1);
    assert.deepEqual(watched([3, undefined, 5], [deletion(0, 4)]), []);
  });

  it("finds a removal that no deletion explains: none, an older one, or one that was only asked for later", () => {
    assert.equal(watched([3, undefined]).length, 1);
    assert.equal(watched([3, undefined], [deletion(0, 2)]).length, 1);
    assert.equal(watched([3, undefined], [deletion(2, 4)]).length, 1);
    assert.deepEqual(watched([3, undefined], [deletion(1, 4)]), []);
    assert.deepEqual(watched([3, undefined], [deletion(1, undefined)]), []);
  });

  it("finds an object written without a version", () => {
    const watch = new StoreWatch(modes);
    const { version: _, ...plain } = blob(1);
    watch.changed("k", 0, undefined, { ...plain, version: undefined });
    assert.equal(watch.violations([]).length, 1);
  });

  it("judges nothing while keys have fewer owners than they should, nor before the deadline after it", () => {
    for (const few of [view(member("a", 1)), view(member("a", 1), member("b", 0))]) {
      const watch = new StoreWatch(modes);
      watch.viewChanged(few, 0);
      watch.changed("k", 100, blob(3), blob(2));
      watch.viewChanged({ ...view(member("a", 1), member("b", 1)), settled: false, lineage: [few] }, 110);
      watch.changed("k", 200, blob(2), undefined);
      watch.viewChanged(view(member("a", 1), member("b", 1)), 210);
      watch.changed("k", 219, undefined, blob(1));
      assert.deepEqual(watch.violations([]), []);
      watch.changed("k", 221, blob(1), undefined);
      watch.changed("k", 222, undefined, blob(1));
      assert.equal(watch.violations([]).length, 2);
    }
  });

  it("judges all the same when no condition can hold again that once did not", () => {
    const watch = new StoreWatch({ uniqueTags: true, deleteShare: 0 });
    watch.viewChanged(view(member("a", 1)), 0);
    watch.changed("k", 100, blob(3), blob(2));
    assert.equal(watch.violations([]).length, 1);
  });
});
