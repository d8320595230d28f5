/**
 * How each kind of change derives the next view from the last, which changes are drops, and which drops may be made
 * (V17, V21, V30, V51).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { formatView, type View } from "../../../src/core/view.ts";
import {
  droppedView,
  firstView,
  forgottenView,
  hasDrop,
  joinedView,
  keepsHalf,
  leftView,
  reweightedView,
  settledView,
} from "../../../src/core/view-changes.ts";
import { lostOf, memberOf, parameters, pastOf, viewOf } from "../../harness/view-fixtures.ts";

const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((id) => memberOf(id)) as [
  ReturnType<typeof memberOf>,
  ReturnType<typeof memberOf>,
  ReturnType<typeof memberOf>,
  ReturnType<typeof memberOf>,
  ReturnType<typeof memberOf>,
];
const settled: View = { ...viewOf(7, [a, c]), settled: true };

const idsOf = (view: View): string[] => view.members.map(({ id }) => id);
const settledOf = (...members: View["members"]): View => ({ ...viewOf(4, members), settled: true });
const drop = (view: View, ...ids: string[]): View => droppedView(view, new Set(ids), `without ${ids.join()}`);

describe("firstView", () => {
  it("has its founder alone, has dropped nobody, and still has to settle", () => {
    assert.deepEqual(firstView(a, parameters, "p"), { ...viewOf(1, [a]), proposal: "p" });
  });
});

describe("joinedView", () => {
  it("adds a new member in order of id, one epoch later, and drops nobody", () => {
    const view = joinedView(settled, b, "p");
    assert.equal(view.epoch, 8);
    assert.deepEqual(view.members, [a, b, c]);
    assert.equal(view.dropped, false);
    assert.equal(view.proposal, "p");
    assert.deepEqual(view.parameters, settled.parameters);
  });

  it("of a settled view begins a new lineage with that view", () => {
    const view = joinedView({ ...settled, dropped: true, lineage: [pastOf(viewOf(6, [a]))] }, b, "p");
    assert.equal(view.settled, false);
    assert.deepEqual(view.lineage, [{ epoch: 7, members: [a, c], dropped: true }]);
  });

  it("of an unsettled view prolongs the lineage, oldest first", () => {
    const second = joinedView(settled, b, "p2");
    const third = joinedView(second, d, "p3");
    assert.deepEqual(third.lineage, [pastOf(settled), pastOf(second)]);
  });

  it("keeps the lost views", () => {
    const lost = [pastOf(viewOf(2, [d, e]))];
    assert.deepEqual(joinedView({ ...settled, lost }, b, "p").lost, lost);
  });

  it("puts a restarted process in the place of the earlier one, which is no drop", () => {
    const again = memberOf("c", { incarnation: "c-2", url: "http://elsewhere:7070" });
    const view = joinedView(settled, again, "p");
    assert.deepEqual(view.members, [a, again]);
    assert.equal(view.dropped, false);
  });

  it("with another disk drops the folder that it replaces", () => {
    const view = joinedView(settled, memberOf("c", { incarnation: "c-2", folder: "new disk" }), "p");
    assert.equal(view.dropped, true);
    assert.deepEqual(
      view.members.map((member) => member.folder),
      ["a-disk", "new disk"],
    );
  });

  it("with another disk, of a node that owned nothing in a settled view, drops nobody", () => {
    const idle = memberOf("c", { weight: 0 });
    const renewed = memberOf("c", { incarnation: "c-2", folder: "new disk" });
    assert.equal(joinedView(settledOf(a, idle), renewed, "p").dropped, false);
    assert.equal(joinedView(viewOf(4, [a, idle]), renewed, "p").dropped, true, "it may still have to hand off");
  });

  it("after a drop that has not settled is no drop itself, but its lineage tells of the first", () => {
    const dropping = joinedView(settled, memberOf("c", { incarnation: "c-2", folder: "new disk" }), "p2");
    const view = joinedView(dropping, b, "p3");
    assert.equal(view.dropped, false);
    assert.deepEqual(
      view.lineage.map((past) => past.dropped),
      [false, true],
    );
  });

  it("leaves the view that it came from as it was", () => {
    const before = structuredClone(settled);
    joinedView(settled, b, "p");
    assert.deepEqual(settled, before);
  });

  it("refuses a process that is in the view already", () => {
    assert.throws(() => joinedView(settled, memberOf("c", { folder: "new disk" }), "p"), AssertionError);
  });
});

describe("droppedView", () => {
  it("is without those members, and says so", () => {
    const view = drop(settledOf(a, b, c), "b");
    assert.deepEqual([idsOf(view), view.dropped, view.settled], [["a", "c"], true, false]);
    assert.deepEqual(view.lineage, [pastOf(settledOf(a, b, c))]);
  });

  it("of one that owned nothing in a settled view is no drop; in an unsettled one it is", () => {
    const idle = memberOf("b", { weight: 0 });
    assert.equal(drop(settledOf(a, idle, c), "b").dropped, false);
    assert.equal(drop(viewOf(4, [a, idle, c]), "b").dropped, true);
    assert.equal(drop(settledOf(a, idle, c), "b", "c").dropped, true);
  });
});

describe("keepsHalf", () => {
  it("asks the voters: who owned nothing under a view neither confirms leases on it nor has to be kept", () => {
    const leaving = { ...settledOf(a, b, c), members: [{ ...a, weight: 0 }, b, c] };
    const gone = leftView(leaving, "a", "p5");
    assert.equal(keepsHalf(gone), true);
    assert.equal(keepsHalf(drop(gone, "c")), true, "of b and c one is left");
    assert.equal(keepsHalf(drop(gone, "b", "c")), false);
  });

  it("allows a drop that keeps half of the members, and none that keeps fewer", () => {
    assert.equal(keepsHalf(drop(settledOf(a, b), "b")), true);
    assert.equal(keepsHalf(drop(settledOf(a, b, c), "c")), true);
    assert.equal(keepsHalf(drop(settledOf(a, b, c), "b", "c")), false);
    assert.equal(keepsHalf(drop(settledOf(a, b, c, d), "c", "d")), true);
    assert.equal(keepsHalf(drop(settledOf(a, b, c, d, e), "c", "d", "e")), false);
  });

  it("counts in every view since the last settled one, not in the newest alone", () => {
    const first = drop(settledOf(a, b, c), "c");
    assert.equal(keepsHalf(drop(first, "b")), false, "of three, one is left");
    assert.equal(
      keepsHalf(drop({ ...first, settled: true }, "b")),
      true,
      "once it is settled the third counts no more",
    );
    // Those who joined meanwhile are no survivors of the view before them.
    const grown = joinedView(joinedView(first, d, "p"), e, "q");
    assert.equal(keepsHalf(drop(grown, "b")), false);
  });

  it("counts folders, so that an empty disk under an old name is nobody who was there", () => {
    const view = settledOf(a, b);
    const renewed = joinedView(view, memberOf("b", { incarnation: "b-2", folder: "new disk" }), "p");
    assert.equal(keepsHalf(renewed), true);
    assert.equal(keepsHalf(drop(renewed, "a")), false, "of the two folders that there were, none would be left");
  });

  it("counts a restarted process on its own folder as the one that was there", () => {
    const again = joinedView(settledOf(a, b), memberOf("a", { incarnation: "a-2" }), "p");
    assert.equal(keepsHalf(drop(again, "b")), true);
  });

  it("counts a folder that came back", () => {
    const back = joinedView(drop(settledOf(a, b, c), "c"), memberOf("c", { incarnation: "c-2" }), "p");
    assert.equal(keepsHalf(drop(back, "b")), true);
  });

  it("refuses the lone member's replacement by an empty disk", () => {
    assert.equal(
      keepsHalf(joinedView(settledOf(a), memberOf("a", { incarnation: "a-2", folder: "new disk" }), "p")),
      false,
    );
  });
});

describe("hasDrop", () => {
  it("is false while nobody was dropped since the last settled view, whatever that one did", () => {
    const view = joinedView({ ...settled, dropped: true }, b, "p");
    assert.equal(hasDrop(view), false);
    assert.equal(hasDrop(joinedView(view, d, "q")), false);
  });

  it("is true of a drop and of all that follows until it is settled", () => {
    const dropping = drop(settledOf(a, b, c), "c");
    const next = joinedView(dropping, d, "p");
    assert.deepEqual([hasDrop(dropping), hasDrop(next), hasDrop(joinedView(next, e, "q"))], [true, true, true]);
    assert.equal(hasDrop(joinedView(settledView(next, { lost: [], forgotten: [] }, "s"), e, "q")), false);
  });
});

describe("reweightedView", () => {
  it("changes that member's weight, and drops nobody", () => {
    const view = reweightedView(settledOf(a, b, c), "b", 0, "p");
    assert.deepEqual(view.members, [a, { ...b, weight: 0 }, c]);
    assert.deepEqual([view.epoch, view.dropped, view.settled], [5, false, false]);
  });
});

describe("leftView", () => {
  const leaving = memberOf("b", { weight: 0 });

  it("is without the member that owns nothing, which is no drop and gives up nothing", () => {
    const view = leftView(settledOf(a, leaving, c), "b", "p");
    assert.deepEqual([idsOf(view), view.dropped, view.settled], [["a", "c"], false, false]);
    assert.deepEqual(view.lineage, [pastOf(settledOf(a, leaving, c))]);
  });

  it("of the last owner, which has everything in the store, is settled: there is nothing to wait for", () => {
    const idle = memberOf("c", { weight: 0 });
    const view = leftView(settledOf(a, idle), "a", "p");
    assert.deepEqual([idsOf(view), view.settled, view.lineage, view.dropped], [["c"], true, [], false]);
    const next = joinedView(view, b, "q");
    assert.deepEqual([idsOf(next), hasDrop(next), next.lineage], [["b", "c"], false, [pastOf(view)]]);
  });

  it("is of a settled view only", () => {
    assert.throws(() => leftView(viewOf(4, [a]), "a", "p"), AssertionError);
  });

  it("of the last owner counts as kept: the others may still drop each other", () => {
    const left = leftView(settledOf(a, memberOf("b", { weight: 0 }), memberOf("c", { weight: 0 })), "a", "p");
    const serving = reweightedView(left, "c", 1, "q");
    assert.equal(keepsHalf(droppedView(serving, new Set(["b"]), "r")), true);
    assert.equal(keepsHalf(droppedView(serving, new Set(["c"]), "r")), false, "of those that serve now, none");
  });

  it("of the last member is settled, since nobody is left to do it, and the next one founds nothing anew", () => {
    const view = leftView(settledOf(a), "a", "p");
    assert.deepEqual([view.members, view.settled, view.lineage, view.dropped], [[], true, [], false]);
    const next = joinedView(view, b, "q");
    assert.deepEqual([idsOf(next), next.epoch, hasDrop(next), next.parameters], [["b"], 6, false, parameters]);
  });

  it("lets the first one into a view without members bring its parameters, but only if all have left it", () => {
    const own = { replicas: 3, leaseMs: 5, flushDeadlineMs: 7 };
    const left = leftView(settledOf(a), "a", "p");
    assert.deepEqual(joinedView(left, b, "q", own).parameters, { ...parameters, ...own });
    const given = forgottenView(viewOf(5, [a], [pastOf(viewOf(4, [a, b]))]), "a", true, "p") as View;
    assert.deepEqual(given.members, []);
    assert.deepEqual(joinedView(given, b, "q", own).parameters, parameters);
  });

  it("of the last member keeps the views that are lost", () => {
    const lost = [pastOf(viewOf(2, [d, e]))];
    assert.deepEqual(leftView({ ...settledOf(a), lost }, "a", "p").lost, lost);
  });
});

describe("settledView", () => {
  it("is the same view without its lineage, with what is lost, told apart by its proposal", () => {
    const view = joinedView(joinedView(settled, b, "p2"), d, "p3");
    const lost = [pastOf(viewOf(2, [a, e]))];
    const marked = [lostOf(viewOf(2, [a, e]), a)];
    assert.deepEqual(settledView(view, { lost, forgotten: [] }, "p4"), {
      ...view,
      settled: true,
      lineage: [],
      lost: marked,
      proposal: "p4",
    });
    assert.notDeepEqual(
      formatView(settledView(view, { lost, forgotten: [] }, "p4")),
      formatView(settledView(view, { lost, forgotten: [] }, "p5")),
    );
  });
});
