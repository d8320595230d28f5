/**
 * What an operator's word does to a view: whose data is given up, and who counts as off because somebody vouches for
 * it.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Doubt } from "../../../src/core/doubt.ts";
import type { View } from "../../../src/core/view.ts";
import { droppedView, forgottenView, joinedView, keepsHalf } from "../../../src/core/view-changes.ts";
import { memberOf, pastOf, viewOf } from "../../harness/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const abc: View = { ...viewOf(4, [a, b, c]), settled: true };

/** The view that follows, which there must be. */
function forget(view: View, id: string, force: boolean): View {
  const next = forgottenView(view, id, force, "p");
  assert.ok(next !== undefined && next !== "refused", JSON.stringify(next));
  return next;
}

const forgottenIn = (view: View): string[] =>
  [...view.lost, ...view.lineage].flatMap(({ epoch, members }) =>
    members.filter((member) => member.forgotten).map((member) => `${member.folder} of ${epoch}`),
  );

describe("forgottenView", () => {
  it("of an id that no view that matters names is none", () => {
    assert.equal(forgottenView(abc, "d", false, "p"), undefined);
    assert.equal(forgottenView(abc, "d", true, "p"), undefined);
  });

  it("of a member removes it if half is kept anyway, and gives up its data", () => {
    const next = forget(abc, "c", false);
    assert.deepEqual([next.members, next.dropped, forgottenIn(next)], [[a, b], true, ["c-disk of 4"]]);
  });

  it("of a member that half of the others can't do without is refused, unless the operator vouches that it is off", () => {
    const pair = { ...viewOf(4, [a, b]), settled: true, members: [a] };
    assert.equal(forgottenView(pair, "a", false, "p"), "refused");
    const next = forget(pair, "a", true);
    assert.deepEqual([next.members, keepsHalf(next)], [[], true]);
  });

  it("of who is gone gives up what only its folder held, in every view that matters, and removes nobody", () => {
    const lost = [pastOf(viewOf(2, [b, c]))];
    const view = { ...viewOf(6, [a], [pastOf(abc), pastOf(viewOf(5, [a, c]))]), lost };
    const next = forget(view, "c", false);
    assert.deepEqual(next.members, [a]);
    assert.deepEqual(forgottenIn(next), ["c-disk of 2", "c-disk of 4", "c-disk of 5"]);
    assert.deepEqual([new Doubt(view).awaited, new Doubt(next).awaited], [["b", "c"], ["b"]]);
    assert.equal(new Doubt(forget(next, "b", false)).any, false);
  });

  it("with force lets go on who is fewer than half", () => {
    const dropping = droppedView(abc, new Set(["b"]), "p");
    assert.equal(keepsHalf(droppedView(dropping, new Set(["c"]), "q")), false);
    assert.equal(keepsHalf(forget(dropping, "c", true)), true);
  });

  it("leaves the folder alone that is a member under another id", () => {
    const moved = joinedView(droppedView(abc, new Set(["c"]), "p"), memberOf("d", { folder: "c-disk" }), "q");
    assert.equal(forgottenView(moved, "c", false, "r"), undefined);
  });
});
