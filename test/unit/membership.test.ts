/** What a member concludes from its view and from what it hears: when everyone has handed off, and what it may still hold. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../src/base/assert.ts";
import { Membership } from "../../src/core/membership.ts";
import type { MemberState, PeerIdentity } from "../../src/core/message.ts";
import type { View } from "../../src/core/view.ts";
import { handedOff, keyWhere, memberIn, memberOf, nextView, ringOf, viewOf } from "../support/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const ab = viewOf(4, [a, b]);
const abc = nextView({ ...ab, settled: true }, [a, b, c]);

describe("Membership, the view", () => {
  it("before the first one knows no member, owner or tenure", () => {
    const membership = new Membership(a);
    assert.equal(membership.epoch, 0);
    assert.deepEqual([membership.ownersOf("k"), membership.share("a"), membership.peers], [[], 0, []]);
    assert.equal(membership.lists(b), false);
    assert.equal(membership.serves("k", membership.ownersOf("k")), false);
    assert.throws(() => membership.view, AssertionError);
  });

  it("gives the owners of the view's ring and the peers without the member itself", () => {
    const membership = memberIn(abc, a);
    for (const key of ["k", "l", "m"]) assert.deepEqual(membership.ownersOf(key), ringOf(abc).ownersOf(key));
    assert.deepEqual(membership.peers, [b, c]);
    assert.ok(membership.lists(b) && !membership.lists({ id: "b", incarnation: "b-2" }));
  });

  it("is adopted only if it is newer and lists this very process", () => {
    const membership = memberIn(abc, a);
    for (const epoch of [abc.epoch, abc.epoch - 1]) {
      assert.throws(() => membership.adopt(viewOf(epoch, [a, b]), 0), AssertionError);
    }
    for (const members of [
      [b, c],
      [memberOf("a", { incarnation: "a-2" }), b],
    ]) {
      assert.throws(() => membership.adopt(viewOf(9, members), 0), AssertionError);
    }
    membership.adopt(viewOf(9, [a, b]), 0);
    assert.equal(membership.epoch, 9);
  });
});

describe("Membership, the hand-off", () => {
  it("ignores what a process said before what is known of it, as the answer to a ping may be read late", () => {
    const membership = memberIn(abc, a);
    membership.hear(b, handedOff(abc.epoch));
    membership.hear(c, handedOff(abc.epoch));
    membership.hear(c, handedOff(abc.epoch, { handedOff: false }));
    membership.hear(c, handedOff(abc.epoch - 1));
    assert.equal(membership.everyoneHandedOff(), true);
    membership.hear({ ...c, incarnation: "c-2" }, handedOff(1));
    assert.equal(membership.everyoneHandedOff(), false);
  });

  it("is over when this member and each listed process has handed off under this very epoch", () => {
    const { epoch } = abc;
    const stranger = { id: "d", incarnation: "d-1" };
    const wrongs: [PeerIdentity, MemberState][] = [
      [c, handedOff(epoch, { handedOff: false })],
      [c, handedOff(epoch - 1)],
      [c, handedOff(epoch + 1)],
      [{ id: "c", incarnation: "c-0" }, handedOff(epoch)],
      [stranger, handedOff(epoch)],
    ];
    for (const [peer, state] of wrongs) {
      const membership = memberIn(abc, a);
      membership.hear(b, handedOff(epoch));
      membership.hear(peer, state);
      assert.equal(membership.everyoneHandedOff(), false, JSON.stringify([peer, state]));
      assert.throws(() => membership.activate(0, true), AssertionError);
    }
    const all = memberIn(abc, a);
    for (const peer of [b, c]) all.hear(peer, handedOff(epoch));
    assert.equal(all.everyoneHandedOff(), true);
    const unready = new Membership(a);
    unready.adopt(abc, 0);
    for (const peer of [b, c]) unready.hear(peer, handedOff(epoch));
    assert.equal(unready.everyoneHandedOff(), false);
  });

  it("of a member alone is over with its own", () => {
    assert.equal(memberIn(viewOf(1, [a]), a).everyoneHandedOff(), true);
  });

  it("begins anew with the next view, and so does activation", () => {
    const membership = memberIn(ab, a);
    membership.hear(b, handedOff(ab.epoch));
    assert.equal(membership.activate(0, true), true);
    assert.equal(membership.activate(0, true), false, "only the first time is new");
    membership.adopt(abc, 1);
    assert.deepEqual(
      [membership.handedOff, membership.everyoneHandedOff(), membership.activated],
      [false, false, false],
    );
  });

  it("is over for everyone once a listed process says that this very view is settled", () => {
    const membership = memberIn(abc, a);
    membership.hear(c, handedOff(abc.epoch - 1, { settled: true }));
    membership.hear({ id: "c", incarnation: "c-0" }, handedOff(abc.epoch, { settled: true }));
    membership.hear({ id: "d", incarnation: "d-1" }, handedOff(abc.epoch, { settled: true }));
    assert.deepEqual([membership.settled, membership.everyoneHandedOff()], [false, false]);
    membership.hear(b, handedOff(abc.epoch, { settled: true }));
    assert.deepEqual([membership.settled, membership.everyoneHandedOff()], [true, true]);
    membership.adopt(nextView(abc, [a, b]), 1);
    assert.equal(membership.settled, false);
  });

  it("comes before the view is settled", () => {
    const membership = new Membership(a);
    membership.adopt(ab, 0);
    assert.throws(() => membership.markSettled(), AssertionError);
    membership.markHandedOff();
    membership.markSettled();
    assert.equal(membership.settled, true);
  });
});

describe("Membership.ownedBefore", () => {
  const abcd = nextView(abc, [a, b, c, memberOf("d")]);
  const owns = (view: View) => {
    const ring = ringOf(view);
    return (key: string) => ring.ownersOf(key).includes("a");
  };
  const [ownsInAb, ownsInAbc, ownsInAbcd] = [owns(ab), owns(abc), owns(abcd)];

  it("is true of what this process owned, as primary or replica, in a view of the lineage that it had adopted", () => {
    const membership = memberIn(abc, a);
    membership.adopt(abcd, 1);
    const ownedBefore = membership.ownedBefore();
    for (let number = 0; number < 200; number++) assert.equal(ownedBefore(`key-${number}`), ownsInAbc(`key-${number}`));
  });

  it("is false of what it owned only in a view that it skipped, or owns only now", () => {
    // d leaves again, so that a owns some keys of the last view that it did not own with d.
    const last = nextView(abcd, [a, b]);
    const membership = memberIn(abcd, a);
    membership.adopt(last, 1);
    const skipped = keyWhere((key) => ownsInAbc(key) && !ownsInAbcd(key));
    assert.equal(membership.ownedBefore()(skipped), false);
    assert.equal(membership.ownedBefore()(keyWhere(ownsInAbcd)), true);
  });

  it("is false of what it owned before the view that settled last", () => {
    const membership = memberIn(ab, a);
    membership.adopt(abcd, 1);
    membership.adopt(nextView({ ...abcd, settled: true }, [a, b, c]), 2);
    assert.equal(membership.ownedBefore()(keyWhere((key) => ownsInAb(key) && !ownsInAbcd(key))), false);
  });

  it("is false of everything in a process that has just started", () => {
    const again = memberOf("a", { incarnation: "a-2" });
    const membership = memberIn(nextView(abc, [again, b, c]), again);
    for (let number = 0; number < 200; number++) assert.equal(membership.ownedBefore()(`key-${number}`), false);
  });
});
