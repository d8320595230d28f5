/**
 * What a member concludes from its view and from what it hears: how far everyone has come, and what it may still hold
 * (V5, V7, V14).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { Membership } from "../../../src/core/membership.ts";
import type { MemberState, PeerIdentity, Progress } from "../../../src/core/message.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { handedOff, memberIn, memberOf, nextView, ringOf, stateOf, viewOf } from "../../harness/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const ab = viewOf(4, [a, b]);
const abc = nextView({ ...ab, settled: true }, [a, b, c]);
const steps: readonly Progress[] = ["adopting", "adopted", "delivered", "handed_off"];

describe("Membership, the view", () => {
  it("before the first one knows no member, owner or tenure", () => {
    const membership = new Membership(a, new ManualClock(), []);
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
      assert.throws(() => membership.adopt(viewOf(epoch, [a, b])), AssertionError);
    }
    for (const members of [
      [b, c],
      [memberOf("a", { incarnation: "a-2" }), b],
    ]) {
      assert.throws(() => membership.adopt(viewOf(9, members)), AssertionError);
    }
    membership.adopt(viewOf(9, [a, b]));
    membership.swept();
    assert.equal(membership.epoch, 9);
  });
});

describe("Membership, progress", () => {
  it("ignores what a process said before what is known of it, as the answer to a ping may be read late", () => {
    const membership = memberIn(abc, a);
    membership.hear(b, handedOff(abc.epoch));
    membership.hear(c, handedOff(abc.epoch));
    membership.hear(c, stateOf(abc.epoch, "delivered"));
    membership.hear(c, handedOff(abc.epoch - 1, { settled: true }));
    assert.equal(membership.everyoneHas("handed_off"), true);
    membership.hear({ ...c, incarnation: "c-2" }, handedOff(1));
    assert.equal(membership.everyoneHas("handed_off"), false);
  });

  it("is everyone's when this member and each listed process has come so far under this very epoch", () => {
    const { epoch } = abc;
    const stranger = { id: "d", incarnation: "d-1" };
    const wrongs: [PeerIdentity, MemberState][] = [
      [c, stateOf(epoch, "delivered")],
      [c, handedOff(epoch - 1)],
      [c, handedOff(epoch + 1)],
      [{ id: "c", incarnation: "c-0" }, handedOff(epoch)],
      [stranger, handedOff(epoch)],
    ];
    for (const [peer, state] of wrongs) {
      const membership = memberIn(abc, a);
      membership.hear(b, handedOff(epoch));
      membership.hear(peer, state);
      assert.equal(membership.everyoneHas("handed_off"), false, JSON.stringify([peer, state]));
    }
  });

  it("is as far as the one who is furthest behind, this member among them", () => {
    for (const [own, step] of steps.entries()) {
      for (const [peers, other] of steps.entries()) {
        const membership = memberIn(abc, a, { progress: step });
        membership.hear(b, handedOff(abc.epoch));
        membership.hear(c, stateOf(abc.epoch, other));
        for (const [rank, asked] of steps.entries()) {
          assert.equal(membership.everyoneHas(asked), Math.min(own, peers) >= rank, `${step}, ${other}: ${asked}`);
        }
      }
    }
  });

  it("of a member alone is its own", () => {
    assert.equal(memberIn(viewOf(1, [a]), a).everyoneHas("handed_off"), true);
    assert.equal(memberIn(viewOf(1, [a]), a, { progress: "adopted" }).everyoneHas("delivered"), false);
  });

  it("only goes forward under one view, and begins anew with the next", () => {
    const membership = memberIn(ab, a, { progress: "delivered" });
    for (const step of ["adopting", "adopted", "delivered"] as const) {
      assert.throws(() => membership.advance(step), AssertionError);
    }
    membership.hear(b, handedOff(ab.epoch));
    membership.activate(true);
    membership.adopt(abc);
    membership.swept();
    assert.deepEqual(
      [membership.progress, membership.everyoneHas("adopted"), membership.activated],
      ["adopting", false, false],
    );
  });

  it("is over for everyone once a listed process says that this very view is settled", () => {
    const membership = memberIn(abc, a);
    membership.hear(c, handedOff(abc.epoch - 1, { settled: true }));
    membership.hear({ id: "c", incarnation: "c-0" }, handedOff(abc.epoch, { settled: true }));
    membership.hear({ id: "d", incarnation: "d-1" }, handedOff(abc.epoch, { settled: true }));
    assert.deepEqual([membership.settled, membership.everyoneHas("handed_off")], [false, false]);
    membership.hear(b, handedOff(abc.epoch, { settled: true }));
    assert.deepEqual([membership.settled, membership.everyoneHas("handed_off")], [true, true]);
    membership.adopt(nextView(abc, [a, b]));
    membership.swept();
    assert.equal(membership.settled, false);
  });

  it("comes to its end before the view is settled", () => {
    const membership = memberIn(ab, a, { progress: "delivered" });
    assert.throws(() => membership.markSettled(), AssertionError);
    membership.advance("handed_off");
    membership.markSettled();
    assert.equal(membership.settled, true);
  });
});

describe("Membership, the lease", () => {
  /** A member of three, whose peer b has answered with `state` a ping that was sent under this view. */
  function leaseAfter(state: MemberState, from: PeerIdentity = b): boolean {
    const membership = memberIn(abc, a);
    membership.confirm(from, state, membership.lease.stamp());
    return membership.lease.held();
  }

  it("is confirmed by who has adopted the same epoch, in its journal, however far it has come", () => {
    for (const step of steps) {
      assert.equal(leaseAfter(stateOf(abc.epoch, step)), step !== "adopting", step);
    }
  });

  it("is not confirmed by who owns nothing", () => {
    const view = viewOf(5, [a, { ...b, weight: 0 }, memberOf("c"), memberOf("d")]);
    const membership = memberIn(view, a);
    membership.confirm(b, handedOff(5), membership.lease.stamp());
    assert.equal(membership.lease.held(), false, "one of three voters");
    membership.confirm(memberOf("c"), handedOff(5), membership.lease.stamp());
    assert.equal(membership.lease.held(), true);
  });

  it("is confirmed by no older or newer epoch, and by no process that the view does not list", () => {
    assert.equal(leaseAfter(handedOff(abc.epoch - 1)), false);
    assert.equal(leaseAfter(handedOff(abc.epoch + 1)), false);
    assert.equal(leaseAfter(handedOff(abc.epoch), { id: "b", incarnation: "b-0" }), false);
    assert.equal(leaseAfter(handedOff(abc.epoch), memberOf("d")), false);
  });

  it("ends when a newer view is adopted", () => {
    const membership = memberIn(ab, a);
    membership.confirm(b, handedOff(ab.epoch), membership.lease.stamp());
    membership.lease.confirmByStore(membership.lease.stamp());
    assert.equal(membership.lease.held(), true);
    membership.adopt(abc);
    membership.swept();
    assert.equal(membership.lease.held(), false);
  });

  it("is needed to answer for a key, and so is tenure, and an adoption that is in the journal", () => {
    const alone = viewOf(1, [a]);
    const membership = memberIn(alone, a, { progress: "adopted" });
    const confirm = (): void => membership.lease.confirmByStore(membership.lease.stamp());
    confirm();
    assert.equal(membership.mayAnswer("k"), false, "no tenure");
    membership.advance("delivered");
    membership.activate(true);
    assert.equal(membership.mayAnswer("k"), true);
    membership.adopt(nextView(alone, [a, memberOf("b", { weight: 0 })]));
    membership.swept();
    assert.equal(membership.mayAnswer("k"), false, "neither lease nor journal");
    confirm();
    assert.equal(membership.mayAnswer("k"), false, "not in the journal");
    membership.advance("adopted");
    assert.equal(membership.mayAnswer("k"), true, "a tenure that is kept needs no activation");
    membership.lease.void();
    assert.equal(membership.mayAnswer("k"), false, "no lease");
  });
});
