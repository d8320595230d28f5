/**
 * A member's tenure as it follows from its views: what it serves, and from when it may flush what it gained (F later,
 * unless nobody can have a request to the store under way) (V33, F5, F6).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Membership } from "../../../src/core/membership.ts";
import type { MemberState } from "../../../src/core/message.ts";
import type { View } from "../../../src/core/view.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import {
  flushDeadlineMs,
  handedOff,
  keyWhere,
  keyWith,
  memberIn,
  memberOf,
  nextView,
  pastOf,
  ringOf,
  viewOf,
} from "../../harness/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const ab = viewOf(4, [a, b]);
const abc = nextView({ ...ab, settled: true }, [a, b, c]);

describe("Membership, tenure", () => {
  const gained = keyWith([ringOf(ab), ringOf(abc)], ["b", "c"]);

  /**
   * Member c, which joined with `view`, and is told of `states`, activates it at 500; from when it may flush what it
   * gained.
   */
  function flushFromOf(view: View, states: Record<string, MemberState>, quiet = true): number | undefined {
    const clock = new ManualClock();
    const membership = memberIn(view, c, { clock });
    clock.advance(500);
    for (const peer of membership.peers) membership.hear(peer, states[peer.id] ?? handedOff(view.epoch));
    membership.activate(quiet);
    const key = keyWhere((each) => membership.ownersOf(each)[0] === "c");
    return membership.flushFrom(key);
  }

  it("is kept for what stays, ended for what goes and gained on activation for what comes", () => {
    const kept = keyWith([ringOf(ab), ringOf(abc)], ["a", "a"]);
    const gone = keyWith([ringOf(ab), ringOf(abc)], ["a", "c"]);
    const serves = (membership: Membership, key: string): boolean => membership.serves(key, membership.ownersOf(key));
    const membership = memberIn(ab, a);
    membership.hear(b, handedOff(ab.epoch));
    membership.activate(true);
    assert.deepEqual(
      [kept, gone].map((key) => serves(membership, key)),
      [true, true],
    );
    membership.adopt(abc);
    membership.swept();
    assert.deepEqual(
      [kept, gone].map((key) => serves(membership, key)),
      [true, false],
    );

    const joining = memberIn(abc, c);
    assert.equal(serves(joining, gained), false);
    for (const peer of [a, b]) joining.hear(peer, handedOff(abc.epoch));
    assert.equal(serves(joining, gained), false);
    joining.activate(true);
    assert.equal(serves(joining, gained), true);
  });

  it("flushes at once when all who may have a request under way are here and quiet", () => {
    assert.equal(flushFromOf(abc, {}), Number.NEGATIVE_INFINITY);
  });

  it("flushes F after activation when a peer, or the member itself, is not quiet", () => {
    assert.equal(flushFromOf(abc, { b: handedOff(abc.epoch, { quiet: false }) }), 500 + flushDeadlineMs);
    assert.equal(flushFromOf(abc, {}, false), 500 + flushDeadlineMs);
  });

  it("flushes F after activation when a folder of the lineage is gone, however long ago in it", () => {
    const moved = memberOf("b", { incarnation: "b-2", folder: "new disk" });
    const replaced = nextView({ ...ab, settled: true }, [a, moved]);
    for (const view of [nextView(replaced, [a, moved, c]), nextView(nextView(replaced, [a, moved]), [a, moved, c])]) {
      assert.equal(flushFromOf(view, {}), 500 + flushDeadlineMs);
    }
  });

  it("flushes at once when one is gone that has owned nothing since the last settled view, F later before that", () => {
    const leaving = nextView({ ...ab, settled: true }, [a, { ...b, weight: 0 }]);
    const left = nextView({ ...leaving, settled: true }, [a]);
    assert.equal(flushFromOf(nextView(left, [a, c]), {}), Number.NEGATIVE_INFINITY);
    assert.equal(flushFromOf(nextView(nextView(leaving, [a]), [a, c]), {}), 500 + flushDeadlineMs);
  });

  it("flushes F after activation what a folder may bring that is back, though each key has the primary that it had", () => {
    const all = { ...viewOf(4, [a, b, c]), settled: true };
    const dropped = nextView(all, [a, b]);
    const back = nextView(dropped, [a, b, memberOf("c", { incarnation: "c-2", weight: 0 })]);
    const clock = new ManualClock();
    const membership = memberIn(all, a, { clock });
    membership.activate(true);
    for (const view of [dropped, back]) {
      membership.adopt(view);
      membership.swept();
      membership.advance("handed_off");
      for (const peer of membership.peers) membership.hear(peer, handedOff(view.epoch));
      membership.safeFrom();
      clock.advance(1_000);
      membership.activate(true);
    }
    const key = keyWhere(
      (each) => ringOf(all).ownersOf(each).join() === "c,a" && ringOf(dropped).ownersOf(each)[0] === "a",
    );
    assert.equal(membership.flushFrom(key), 2_000 + flushDeadlineMs);
  });

  it("flushes F after activation when a lost view alone names one that is gone", () => {
    const before = viewOf(4, [a, b]);
    const parameters = { ...before.parameters, replicas: 1 };
    const alone = { ...viewOf(5, [a]), settled: true, lost: [pastOf(before)], parameters };
    const again = memberOf("b", { incarnation: "b-2" });
    const view = { ...nextView(alone, [a, again]), lost: alone.lost, parameters };
    const membership = memberIn(view, again, { clock: new ManualClock(), adopted: [4] });
    for (const peer of membership.peers) membership.hear(peer, handedOff(view.epoch));
    membership.activate(true);
    const key = keyWhere((each) => membership.ownersOf(each)[0] === "b");
    assert.equal(membership.flushFrom(key), flushDeadlineMs);
  });

  it("flushes F after activation when a process of the lineage was restarted on its disk", () => {
    const view = nextView(nextView({ ...ab, settled: true }, [a, memberOf("b", { incarnation: "b-2" })]), [
      a,
      memberOf("b", { incarnation: "b-2" }),
      c,
    ]);
    assert.equal(flushFromOf(view, {}), 500 + flushDeadlineMs);
  });

  it("flushes F after activation when a peer was quiet only in an older view", () => {
    // a has seen all hand off and settled; c hears of that from a before it hears from b.
    const states = { a: handedOff(abc.epoch, { settled: true }), b: handedOff(ab.epoch) };
    assert.equal(flushFromOf(abc, states), 500 + flushDeadlineMs);
  });

  it("flushes no sooner than the predecessor might have, who still waited for a lost one", () => {
    const moved = memberOf("b", { incarnation: "b-2", folder: "new disk" });
    const lost = nextView({ ...ab, settled: true }, [a, moved]);
    const leaving = nextView({ ...lost, settled: true }, [a, { ...moved, weight: 0 }]);
    const key = keyWith([ringOf(lost), ringOf(leaving)], ["b", "a"]);
    const clock = new ManualClock();
    const membership = memberIn(lost, a, { clock });
    membership.hear(moved, handedOff(lost.epoch));
    clock.advance(100);
    membership.activate(true);
    membership.markSettled();
    clock.advance(100);
    membership.adopt(leaving);
    membership.swept();
    membership.advance("handed_off");
    membership.hear(moved, handedOff(leaving.epoch));
    clock.advance(100);
    membership.activate(true);
    assert.ok((membership.flushFrom(key) ?? Number.NaN) >= 100 + flushDeadlineMs, `${membership.flushFrom(key)}`);
  });
});
