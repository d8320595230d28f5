/** The watch over the store's objects finds what goes back, and nothing else. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Blob } from "../../src/store/blob-store.ts";
import { type Deletion, StoreWatch } from "../simulation/store-watch.ts";

const blob = (seq: number): Blob => ({
  tag: `t${seq}`,
  size: 0,
  headers: {},
  version: `cluster.tag.1.${seq}`,
  modifiedMs: 0,
  body: Buffer.alloc(0),
});

/** An object that takes these states: versions, or undefined for removed. */
function watched(states: (number | undefined)[], deletions: Deletion[] = []): string[] {
  const watch = new StoreWatch();
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
    const watch = new StoreWatch();
    const { version: _, ...plain } = blob(1);
    watch.changed("k", 0, undefined, { ...plain, version: undefined });
    assert.equal(watch.violations([]).length, 1);
  });

  it("judges nothing while it is told not to", () => {
    const watch = new StoreWatch();
    watch.exemptUntil(10);
    watch.changed("k", 1, blob(3), blob(2));
    watch.changed("k", 2, blob(2), undefined);
    assert.deepEqual(watch.violations([]), []);
    watch.changed("k", 11, undefined, blob(2));
    assert.equal(watch.violations([]).length, 1);
  });
});
