/** Requests without an answer: what they block until F, and what they still threaten until L (F3, F24). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ObjectState, type OpenCondition, OpenRequests } from "../../../src/core/open-requests.ts";

const f = 10;
const l = 900;
const absent = { kind: "absent" } as const satisfies ObjectState;
const present = (tag: string) => ({ kind: "present", tag }) as const satisfies ObjectState;
const version = (seq: number) => ({ epoch: 1, seq });

/** A request for version (1, `seq`) of k that failed at `now`. */
function failed(open: OpenRequests, seq: number, condition: OpenCondition | undefined, now: number, key = "k"): void {
  open.add(key, version(seq), condition, { until: now + f, lateUntil: now + l }, now);
}

describe("OpenRequests, until F", () => {
  it("block other versions of their key, not their own, nor other keys", () => {
    const open = new OpenRequests();
    failed(open, 5, absent, 100);
    assert.deepEqual(
      [version(5), version(6), undefined].map((each) => open.otherUntil("k", each, 101)),
      [undefined, 110, 110],
    );
    assert.equal(open.otherUntil("other", undefined, 101), undefined);
    assert.equal(open.otherUntil("k", version(6), 110), undefined);
  });

  it("block all versions when they were of several", () => {
    const open = new OpenRequests();
    failed(open, 5, absent, 100);
    failed(open, 6, absent, 101);
    assert.deepEqual(
      [5, 6, 7].map((seq) => open.otherUntil("k", version(seq), 102)),
      [111, 111, 111],
    );
  });
});

describe("OpenRequests, until L", () => {
  it("threaten the states in which their condition holds, and no others", () => {
    const open = new OpenRequests();
    failed(open, 5, absent, 100);
    failed(open, 6, present("A"), 200);
    const threats = [absent, present("A"), present("B")].map((state) => open.lateUntil("k", version(9), state, 300));
    assert.deepEqual(threats, [100 + l, 200 + l, undefined]);
    assert.equal(open.lateUntil("other", version(9), absent, 300), undefined);
    assert.equal(open.lateUntil("k", version(9), absent, 100 + l), undefined, "it is over");
  });

  it("do not threaten the very version that they were for, unless another one had the same condition", () => {
    const open = new OpenRequests();
    failed(open, 5, present("A"), 100);
    assert.equal(open.lateUntil("k", version(5), present("A"), 101), undefined);
    assert.equal(open.lateUntil("k", version(6), present("A"), 101), 100 + l);
    failed(open, 6, present("A"), 200);
    for (const seq of [5, 6]) assert.equal(open.lateUntil("k", version(seq), present("A"), 201), 200 + l);
  });

  it("threaten every object where the store ignores conditions on removals", () => {
    const open = new OpenRequests();
    failed(open, 5, { kind: "any_present" }, 100);
    assert.deepEqual(
      [absent, present("A"), present("B")].map((state) => open.lateUntil("k", version(6), state, 101)),
      [undefined, 100 + l, 100 + l],
    );
  });

  it("threaten what an upload makes, if the tag that they name has the form of such tags", () => {
    const open = new OpenRequests();
    const tags = ["d41d8cd9", "d41d8cd9-2", "last"];
    for (const [index, tag] of tags.entries()) failed(open, 5, present(tag), 100, `k${index}`);
    const completed = { kind: "completed", partTag: "last" } as const;
    const threats = tags.map((_, index) => open.lateUntil(`k${index}`, version(6), completed, 101) !== undefined);
    assert.deepEqual(threats, [false, true, true]);
  });

  it("threaten every state once more conditions of a key are open than are remembered", () => {
    const open = new OpenRequests();
    for (let seq = 1; seq <= 9; seq++) failed(open, seq, present(`tag ${seq}`), 100 + seq);
    for (const state of [absent, present("new")]) assert.equal(open.lateUntil("k", version(99), state, 200), 109 + l);
  });

  it("are forgotten when they are over, also where a later one of their key is not", () => {
    const open = new OpenRequests();
    failed(open, 1, absent, 0, "a");
    failed(open, 1, absent, 100, "b");
    failed(open, 2, present("A"), 500, "a");
    open.forgetClosed(100 + l);
    assert.deepEqual(
      [open.lateSize, open.size, open.mayChange("a", 100 + l), open.mayChange("b", 100 + l)],
      [1, 0, true, false],
    );
    assert.equal(open.lateUntil("a", version(9), absent, 100 + l), undefined);
    open.forgetClosed(500 + l);
    assert.equal(open.lateSize, 0);
  });

  it("do not count where they change no object", () => {
    const open = new OpenRequests();
    failed(open, 5, undefined, 100);
    assert.deepEqual([open.mayChange("k", 101), open.otherUntil("k", undefined, 101)], [false, 110]);
  });
});
