/**
 * The moments of a view's life at one member: from when no older view can be served any more, when it serves what it
 * gained, and when the view can be settled (V42, V43, V44, V47, V49).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import type { View } from "../../../src/core/view.ts";
import { droppedView, joinedView, reweightedView } from "../../../src/core/view-changes.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import {
  handedOff,
  keyWhere,
  leaseMs,
  memberIn,
  memberOf,
  pastOf,
  stateOf,
  viewOf,
} from "../../harness/view-fixtures.ts";

const [a, b, c, d] = [memberOf("a"), memberOf("b"), memberOf("c"), memberOf("d")];
const abcd: View = { ...viewOf(4, [a, b, c, d]), settled: true };
/** d is silent, and dropped. */
const abc = droppedView(abcd, new Set(["d"]), "p");

describe("Membership.safeFrom", () => {
  it("is at once where nobody was dropped", () => {
    const joined = joinedView({ ...abcd, dropped: true }, memberOf("e"), "p");
    assert.equal(memberIn(joined, a, { progress: "adopting" }).safeFrom(), Number.NEGATIVE_INFINITY);
    const lighter = reweightedView(abcd, "b", 0, "p");
    assert.equal(memberIn(lighter, a).safeFrom(), Number.NEGATIVE_INFINITY);
  });

  it("after a drop is T after this member learned that everyone had adopted, not after its own adoption", () => {
    const clock = new ManualClock();
    const membership = memberIn(abc, a, { clock });
    clock.advance(5_000);
    assert.equal(membership.safeFrom(), undefined);
    membership.hear(b, stateOf(abc.epoch, "adopted"));
    assert.equal(membership.safeFrom(), undefined, "c may still confirm an older view");
    membership.hear(c, stateOf(abc.epoch, "adopted"));
    assert.equal(membership.safeFrom(), 5_000 + leaseMs);
    clock.advance(300);
    assert.equal(membership.safeFrom(), 5_000 + leaseMs, "it was learned once");
  });

  it("needs adoptions that are in the journals, this member's, too", () => {
    const membership = memberIn(abc, a, { progress: "adopting" });
    for (const peer of [b, c]) membership.hear(peer, handedOff(abc.epoch));
    assert.equal(membership.safeFrom(), undefined);
    membership.advance("adopted");
    assert.equal(membership.safeFrom(), leaseMs);
    const other = memberIn(abc, a);
    other.hear(b, handedOff(abc.epoch));
    other.hear(c, stateOf(abc.epoch, "adopting"));
    assert.equal(other.safeFrom(), undefined);
  });

  it("waits after an earlier drop that has not settled, too, for members who were not there then as well", () => {
    const next = joinedView(abc, memberOf("e"), "q");
    const membership = memberIn(next, memberOf("e"));
    for (const peer of membership.peers) membership.hear(peer, handedOff(next.epoch));
    assert.equal(membership.safeFrom(), leaseMs);
  });

  it("is begun anew by the next view", () => {
    const clock = new ManualClock();
    const membership = memberIn(abc, a, { clock });
    for (const peer of [b, c]) membership.hear(peer, handedOff(abc.epoch));
    assert.equal(membership.safeFrom(), leaseMs);
    const next = joinedView(abc, memberOf("e"), "q");
    membership.adopt(next);
    membership.swept();
    assert.equal(membership.safeFrom(), undefined);
    membership.advance("adopted");
    clock.advance(700);
    for (const peer of membership.peers) membership.hear(peer, handedOff(next.epoch));
    assert.equal(membership.safeFrom(), 700 + leaseMs);
  });

  it("is at once once the view is settled: then somebody has waited", () => {
    const membership = memberIn(abc, a);
    membership.hear(b, handedOff(abc.epoch, { settled: true }));
    assert.equal(membership.safeFrom(), Number.NEGATIVE_INFINITY);
  });
});

describe("Membership.mayActivate", () => {
  it("takes everyone's delivery, and where somebody was dropped T as well", () => {
    const clock = new ManualClock();
    const membership = memberIn(abc, a, { clock, progress: "delivered" });
    membership.hear(b, stateOf(abc.epoch, "delivered"));
    membership.hear(c, stateOf(abc.epoch, "adopted"));
    assert.equal(membership.safeFrom(), leaseMs);
    clock.advance(leaseMs);
    assert.equal(membership.mayActivate(), false, "c has not delivered");
    membership.hear(c, stateOf(abc.epoch, "delivered"));
    assert.equal(membership.mayActivate(), true);

    const early = memberIn(abc, a, { clock: new ManualClock(), progress: "delivered" });
    for (const peer of [b, c]) early.hear(peer, stateOf(abc.epoch, "delivered"));
    assert.equal(early.mayActivate(), false, "T has not passed");
    assert.throws(() => early.activate(true), AssertionError);
  });

  it("does not wait T where nobody was dropped, and not for who has yet to hand off", () => {
    const joined = joinedView(abcd, memberOf("e"), "p");
    const membership = memberIn(joined, a, { progress: "delivered" });
    for (const peer of membership.peers) membership.hear(peer, stateOf(joined.epoch, "delivered"));
    assert.equal(membership.mayActivate(), true);
    membership.activate(true);
    assert.throws(() => membership.activate(true), AssertionError, "a view is activated once");
  });

  it("gives tenure of the keys that are not in doubt, and says for whom the others wait", () => {
    const lost = [pastOf(viewOf(2, [a, b, c, d]))];
    const alone = { ...viewOf(9, [c], [pastOf({ ...viewOf(8, [c]), dropped: false })]), lost };
    const membership = memberIn(alone, c);
    membership.activate(true);
    membership.lease.confirmByStore(membership.lease.stamp());
    const isLost = keyWhere((key) => membership.inDoubt(key));
    const isFine = keyWhere((key) => !membership.inDoubt(key));
    assert.deepEqual([membership.mayAnswer(isLost), membership.mayAnswer(isFine)], [false, true]);
    assert.deepEqual([membership.awaited, membership.remembered(0).lost], [["a", "b", "d"], lost]);
  });
});

describe("Membership.maySettle", () => {
  it("takes everyone's hand-off", () => {
    const membership = memberIn(abc, a);
    membership.hear(b, handedOff(abc.epoch));
    membership.hear(c, stateOf(abc.epoch, "delivered"));
    assert.equal(membership.maySettle(), false);
    membership.hear(c, handedOff(abc.epoch));
    assert.equal(membership.maySettle(), true);
  });

  it("takes this member's own hand-off", () => {
    const membership = memberIn(joinedView(abcd, memberOf("e"), "p"), a, { progress: "delivered" });
    for (const peer of membership.peers) membership.hear(peer, handedOff(membership.epoch));
    assert.equal(membership.maySettle(), false);
    membership.advance("handed_off");
    assert.equal(membership.maySettle(), true);
  });

  it("never comes to a view in which nobody owns anything any more: what is held would be handed to nobody", () => {
    const idle = memberOf("a", { weight: 0 });
    const maySettle = (view: View): boolean => memberIn(view, idle).maySettle();
    assert.equal(maySettle(reweightedView(viewOf(1, [a]), "a", 0, "p")), false);
    const lost = pastOf(viewOf(1, [a, b]));
    assert.equal(maySettle({ ...viewOf(3, [idle]), lost: [lost] }), false, "it is back with what it had");
    const [isHere, isGone] = [{ ...a, handedOff: true }, b];
    assert.equal(maySettle({ ...viewOf(3, [idle]), lost: [{ ...lost, members: [isHere, isGone] }] }), true);
    assert.equal(maySettle(viewOf(1, [idle])), true, "nobody has owned anything yet");
    assert.equal(maySettle(viewOf(3, [idle], [pastOf(viewOf(2, [idle]))])), true);
  });
});
