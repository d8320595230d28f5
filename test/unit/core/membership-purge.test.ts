/**
 * What a data folder holds that still counts when a newer view is adopted; the rest has been handed over, and would
 * bring old states back (V4, V36).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Membership } from "../../../src/core/membership.ts";
import type { View } from "../../../src/core/view.ts";
import { keyWhere, lostOf, memberIn, memberOf, nextView, pastOf, ringOf, viewOf } from "../../harness/view-fixtures.ts";

const [a, b, c, d, e] = [memberOf("a"), memberOf("b"), memberOf("c"), memberOf("d"), memberOf("e")];
const ab = viewOf(4, [a, b]);
const abc = nextView({ ...ab, settled: true }, [a, b, c]);
const abcd = nextView(abc, [a, b, c, d]);
const keys = Array.from({ length: 200 }, (_, number) => `key-${number}`);

const ownersIn = (view: View, key: string): string => ringOf(view).ownersOf(key).toSorted().join();
const owns = (view: View): ((key: string) => boolean) => {
  const ring = ringOf(view);
  return (key) => ring.ownersOf(key).includes("a");
};
const [ownsInAb, ownsInAbc, ownsInAbcd] = [owns(ab), owns(abc), owns(abcd)];

function countsExactly(membership: Membership, wanted: (key: string) => boolean): void {
  const counts = membership.countsFor();
  for (const key of keys) assert.equal(counts(key), wanted(key), key);
}

describe("Membership.countsFor, by the lineage", () => {
  it("is true of what this folder owned, as primary or replica, in a view that it had adopted", () => {
    const membership = memberIn(abc, a);
    membership.adopt(abcd);
    membership.swept();
    countsExactly(membership, ownsInAbc);
  });

  it("is false of what it owned only in a view that it skipped, or owns only now", () => {
    // d leaves again, so that a owns some keys of the last view that it did not own with d.
    const last = nextView(abcd, [a, b]);
    const membership = memberIn(abcd, a);
    membership.adopt(last);
    membership.swept();
    const skipped = keyWhere((key) => ownsInAbc(key) && !ownsInAbcd(key));
    assert.equal(membership.countsFor()(skipped), false);
    assert.equal(membership.countsFor()(keyWhere(ownsInAbcd)), true);
  });

  it("is false of what it owned before the view that settled last", () => {
    const membership = memberIn(ab, a);
    membership.adopt(abcd);
    membership.swept();
    membership.adopt(nextView({ ...abcd, settled: true }, [a, b, c]));
    membership.swept();
    assert.equal(membership.countsFor()(keyWhere((key) => ownsInAb(key) && !ownsInAbcd(key))), false);
  });

  it("is false of everything on a folder that has adopted none of its views", () => {
    const again = memberOf("a", { incarnation: "a-2" });
    countsExactly(memberIn(nextView(abc, [again, b, c]), again), () => false);
    countsExactly(memberIn(nextView(abc, [again, b, c]), again, { adopted: [1, 2, 3] }), () => false);
  });

  it("goes by the folder, also where its node has another id by now", () => {
    const renamed = memberOf("z", { folder: a.folder });
    const membership = memberIn(nextView(abc, [b, c, renamed]), renamed, { adopted: [abc.epoch] });
    countsExactly(membership, ownsInAbc);
    const lost = { ...viewOf(7, [d, renamed]), lost: [lostOf(abc, c)] };
    const ownedByAb = keyWhere((key) => ownersIn(abc, key) === "a,b");
    assert.equal(memberIn(lost, renamed, { adopted: [abc.epoch] }).countsFor()(ownedByAb), true);
  });

  it("goes by what it owned under its present id, too, where the entry under the one of before was still listed", () => {
    const renamed = memberOf("z", { folder: a.folder });
    const both = viewOf(4, [a, b, renamed]);
    const membership = memberIn(nextView(both, [b, renamed]), renamed, { adopted: [4] });
    const ownedByBz = keyWhere((key) => ownersIn(both, key) === "b,z");
    assert.equal(membership.countsFor()(ownedByBz), true);
  });

  it("goes by what earlier processes on the folder had adopted, after a restart", () => {
    const again = memberOf("a", { incarnation: "a-2" });
    countsExactly(memberIn(nextView(abc, [again, b, c]), again, { adopted: [abc.epoch] }), ownsInAbc);
  });

  it("is false of what another folder of the same id owned", () => {
    const moved = memberOf("a", { incarnation: "a-2", folder: "new disk" });
    countsExactly(memberIn(nextView(abc, [moved, b, c]), moved, { adopted: [abc.epoch] }), () => false);
  });
});

describe("Membership.countsFor, by lost views", () => {
  // Of abcd a and b were lost with all others gone on: the keys that those two owned are in doubt.
  const after = { ...viewOf(9, [c, d]), settled: true, lost: [lostOf(abcd, c, d)] };
  const back = memberOf("a", { incarnation: "a-2" });
  const adopted = [abcd.epoch];

  it("is true of the keys in doubt, for a folder that comes back", () => {
    const membership = memberIn({ ...nextView(after, [back, c, d]), lost: after.lost }, back, { adopted });
    countsExactly(membership, (key) => ownersIn(abcd, key) === "a,b");
  });

  it("is false of keys that had an owner who was there when a later view settled", () => {
    const membership = memberIn({ ...nextView(after, [back, c, d]), lost: after.lost }, back, { adopted });
    assert.equal(membership.countsFor()(keyWhere((key) => ownersIn(abcd, key) === "a,c")), false);
  });

  it("is false of keys that were handed over at an earlier settling, though all of their owners are gone by now", () => {
    // a and b are gone; c hands over what it had with a, then c goes, too, and that settles. Now c is back, with its
    // old folder.
    const withoutC = { ...viewOf(12, [d, e]), settled: true, lost: after.lost };
    const again = memberOf("c", { incarnation: "c-2" });
    const membership = memberIn({ ...nextView(withoutC, [again, d, e]), lost: after.lost }, again, { adopted });
    assert.equal(membership.countsFor()(keyWhere((key) => ownersIn(abcd, key) === "a,c")), false);
  });

  it("is false of keys whose owners were all forgotten: they have been served without", () => {
    const [pastLost] = after.lost;
    const given = { ...pastLost, members: pastLost?.members.map((each) => ({ ...each, forgotten: true })) };
    const lost = [given] as View["lost"];
    const membership = memberIn({ ...nextView(after, [back, c, d]), lost }, back, { adopted });
    countsExactly(membership, () => false);
  });

  it("is false on a folder that had not adopted the lost view", () => {
    countsExactly(memberIn({ ...nextView(after, [back, c, d]), lost: after.lost }, back), () => false);
  });
});

describe("Membership.adoptedEpochs", () => {
  it("has those that the lineage or the lost views still name, and the newest", () => {
    const membership = memberIn(abc, a, { adopted: [2, 3] });
    assert.deepEqual(membership.adoptedEpochs, [5]);
    membership.adopt(abcd);
    membership.swept();
    assert.deepEqual(membership.adoptedEpochs, [5, 6]);
    membership.adopt(nextView({ ...abcd, settled: true }, [a, b]));
    membership.swept();
    assert.deepEqual(membership.adoptedEpochs, [6, 7]);
  });

  it("keeps those of lost views, and never has one that was not adopted", () => {
    const view = { ...nextView({ ...abcd, settled: true }, [a, b]), lost: [pastOf(viewOf(2, [a, b]))] };
    assert.deepEqual(memberIn(view, a, { adopted: [2, 3] }).adoptedEpochs, [2, 7]);
    assert.deepEqual(memberIn(view, a, { adopted: [3] }).adoptedEpochs, [7]);
  });
});
