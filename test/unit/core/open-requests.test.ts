/** Requests without an answer: what they block until F (F3). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OpenRequests } from "../../../src/core/open-requests.ts";

const f = 10;
const version = (seq: number) => ({ epoch: 1, seq });

/** A request for version (1, `seq`) of k that failed at `now`. */
function failed(open: OpenRequests, seq: number, now: number, key = "k"): void {
  open.add(key, version(seq), now + f, now);
}

describe("OpenRequests", () => {
  it("block other versions of their key, not their own, nor other keys", () => {
    const open = new OpenRequests();
    failed(open, 5, 100);
    assert.deepEqual(
      [version(5), version(6), undefined].map((each) => open.otherUntil("k", each, 101)),
      [undefined, 110, 110],
    );
    assert.equal(open.otherUntil("other", undefined, 101), undefined);
    assert.equal(open.otherUntil("k", version(6), 110), undefined);
  });

  it("block all versions when they were of several", () => {
    const open = new OpenRequests();
    failed(open, 5, 100);
    failed(open, 6, 101);
    assert.deepEqual(
      [5, 6, 7].map((seq) => open.otherUntil("k", version(seq), 102)),
      [111, 111, 111],
    );
  });

  it("are forgotten when they are over, also where a later one of their key is not", () => {
    const open = new OpenRequests();
    failed(open, 1, 0, "a");
    failed(open, 1, 1, "b");
    failed(open, 2, 5, "a");
    open.forgetClosed(1 + f);
    assert.deepEqual([...open.keys()], ["a"]);
    open.forgetClosed(5 + f);
    assert.equal(open.size, 0);
  });
});
