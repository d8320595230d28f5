/** Which keys are in doubt, for the sake of whom, and when that is over (V4, V50, V52). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Doubt } from "../../../src/core/doubt.ts";
import type { PastView, View, ViewMember } from "../../../src/core/view.ts";
import { keyWhere, lostOf, memberOf, pastOf, ringOf, viewOf } from "../../harness/view-fixtures.ts";

const [a, b, c, d] = [memberOf("a"), memberOf("b"), memberOf("c"), memberOf("d")];
const abcd = viewOf(4, [a, b, c, d]);
const keyOf = (view: View, ...owners: string[]): string =>
  keyWhere((key) => ringOf(view).ownersOf(key).toSorted().join() === owners.join());

/** The keys of which a and b, b and c, … were the owners. */
const [ab, bc, cd] = [keyOf(abcd, "a", "b"), keyOf(abcd, "b", "c"), keyOf(abcd, "c", "d")];

/** Of these members, after `lineage`, with these views lost before. */
function doubtOf(members: readonly ViewMember[], lineage: readonly PastView[], lost: readonly PastView[] = []): Doubt {
  return new Doubt({ ...viewOf(9, members, [...lineage]), lost: [...lost] });
}

/** As the past view says it once an operator has given these up. */
function forgotten(past: PastView, ...ids: string[]): PastView {
  return {
    ...past,
    members: past.members.map((each) => (ids.includes(each.id) ? { ...each, forgotten: true } : each)),
  };
}

const doubtsOf = (doubt: Doubt): boolean[] => [ab, bc, cd].map((key) => doubt.has(key));

describe("Doubt", () => {
  it("is of no key while each has an owner left", () => {
    for (const members of [[a, b, c, d], [a, b, c], [a, d, memberOf("e")].slice(0, 1).concat(c, d)]) {
      const doubt = doubtOf(members, [pastOf(abcd)]);
      assert.deepEqual([doubt.any, ...doubtsOf(doubt)], [false, false, false, false]);
      assert.deepEqual([doubt.views, doubt.awaited], [[], []]);
    }
  });

  it("is of the keys all of whose owners are gone, and awaits each of those", () => {
    const doubt = doubtOf([c, d], [pastOf(abcd)]);
    assert.deepEqual([doubt.any, ...doubtsOf(doubt)], [true, true, false, false]);
    assert.deepEqual([doubt.views, doubt.awaited], [[pastOf(abcd)], ["a", "b"]]);
  });

  it("goes by folders: an empty disk under an old name does not have the data", () => {
    const renewed = [memberOf("a", { folder: "new a", incarnation: "a-2" }), memberOf("b", { folder: "new b" })];
    assert.deepEqual(doubtsOf(doubtOf([...renewed, c, d], [pastOf(abcd)])), [true, false, false]);
    const again = memberOf("a", { incarnation: "a-2" });
    assert.deepEqual(doubtsOf(doubtOf([again, c, d], [pastOf(abcd)])), [false, false, false], "a restart has it");
    const elsewhere = memberOf("x", { folder: "a-disk" });
    assert.deepEqual(doubtsOf(doubtOf([elsewhere, c, d], [pastOf(abcd)])), [false, false, false]);
  });

  it("is by any view since the last settled one, and by lost ones", () => {
    const later = pastOf(viewOf(5, [a, b]));
    const doubt = doubtOf([c, d], [pastOf(viewOf(4, [c, d])), later]);
    assert.deepEqual([doubt.any, doubt.views, doubt.has("any key")], [true, [later], true]);
    const lost = doubtOf([c, d], [pastOf(viewOf(8, [c, d]))], [pastOf(abcd)]);
    assert.deepEqual([doubtsOf(lost), lost.views], [[true, false, false], [pastOf(abcd)]]);
  });

  it("of a lost view is not of keys whose owners were there when a later view settled, though they are gone now", () => {
    const doubt = doubtOf([d, memberOf("e")], [pastOf(viewOf(8, [d, memberOf("e")]))], [lostOf(abcd, c)]);
    assert.deepEqual(doubtsOf(doubt), [true, false, false]);
  });

  it("does not mind the members that owned nothing", () => {
    const idle = memberOf("b", { weight: 0 });
    assert.equal(doubtOf([a, c], [pastOf(viewOf(4, [a, idle, c]))]).any, false);
    assert.equal(doubtOf([a], [pastOf(viewOf(4, [idle]))]).any, false);
  });

  it("ends when all owners of the key are forgotten, not before", () => {
    const one = doubtOf([c, d], [forgotten(pastOf(abcd), "a")]);
    assert.deepEqual([one.has(ab), one.wasForgotten(ab), one.awaited], [true, false, ["b"]]);
    const both = doubtOf([c, d], [forgotten(pastOf(abcd), "a", "b")]);
    assert.deepEqual([both.any, both.has(ab), both.views, both.awaited], [false, false, [], []]);
  });

  it("of an earlier view keeps later ones that were forgotten: who ends it may hold less than they wrote to the store", () => {
    const alone = viewOf(5, [memberOf("x")]);
    const given = forgotten(pastOf(alone), "x");
    const doubt = doubtOf([c, d], [pastOf(abcd), given]);
    assert.deepEqual(doubt.views, [pastOf(abcd), given]);
    assert.deepEqual(doubtOf([c, d], [given, pastOf(abcd)]).views, [pastOf(abcd)], "earlier ones are over");
    const back = doubtOf([a, c, d], [], doubt.views);
    assert.deepEqual([back.has(ab), back.wasForgotten(ab), back.views], [false, true, []]);
  });

  it("tells of what was forgotten, where the store may be newer than what others hold", () => {
    const both = doubtOf([c, d], [forgotten(pastOf(abcd), "a", "b")]);
    assert.deepEqual(
      [ab, bc, cd].map((key) => both.wasForgotten(key)),
      [true, false, false],
    );
    assert.equal(doubtOf([a, c, d], [forgotten(pastOf(abcd), "a", "b")]).wasForgotten(ab), false, "a is back");
  });

  it("by one view goes on though another's is forgotten", () => {
    const other = pastOf(viewOf(5, [a, b]));
    const doubt = doubtOf([c, d], [forgotten(pastOf(abcd), "a", "b"), other]);
    assert.deepEqual([doubt.has(ab), doubt.views, doubt.awaited], [true, [other], ["a", "b"]]);
  });
});
