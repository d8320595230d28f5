/** What giving a node up would mean, for views of every kind in which an operator may find a cluster. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Forgetting, forgetting } from "../../../../src/cli/commands/forgetting.ts";
import { Doubt } from "../../../../src/core/doubt.ts";
import type { View, ViewMember, ViewParameters } from "../../../../src/core/view.ts";
import { droppedView, firstView, joinedView, settledView } from "../../../../src/core/view-changes.ts";

const parameters: ViewParameters = {
  clusterId: "c1",
  replicas: 2,
  leaseMs: 1_000,
  flushDeadlineMs: 10_000,
  ringVersion: 1,
};

/** The member `id` in its first process on its `disk`th data folder. */
function memberOf(id: string, disk = 1): ViewMember {
  return { id, folder: `${id}-disk-${disk}`, incarnation: `${id}-${disk}`, url: `http://${id}:7070`, weight: 1 };
}

/** Settled, with the doubts that the members would keep. */
function settle(view: View): View {
  return settledView(view, { lost: new Doubt(view).views, forgotten: [] }, `settled ${view.epoch}`);
}

function settledOf(...ids: readonly string[]): View {
  const [first, ...others] = ids as [string, ...string[]];
  let view = settle(firstView(memberOf(first), parameters, "first"));
  for (const id of others) view = settle(joinedView(view, memberOf(id), `with ${id}`));
  return view;
}

/** a, b and c; b and c came back, one after the other, on empty disks. */
function twoOnEmptyDisks(): View {
  let view = settledOf("a", "b", "c");
  for (const id of ["b", "c"]) view = joinedView(view, memberOf(id, 2), `${id} again`);
  return settle(view);
}

function possible(view: View, id: string, force = false): Forgetting {
  const plan = forgetting(view, id, force, "forgotten");
  assert(plan.kind === "possible", plan.kind);
  return plan;
}

test("a node that no view that matters names is unknown, with force or without", () => {
  for (const force of [false, true]) {
    assert.deepEqual(forgetting(settledOf("a", "b"), "z", force, "p"), { kind: "unknown" });
  }
  assert.deepEqual(forgetting(settle(droppedView(settledOf("a", "b", "c"), new Set(["c"]), "d")), "c", false, "p"), {
    kind: "unknown",
  });
});

test("a member is not given up without force, and what is left is counted where it is less than half", () => {
  assert.deepEqual(forgetting(settledOf("a", "b", "c"), "c", false, "p"), { kind: "member" });
  const view = droppedView(settledOf("a", "b", "c"), new Set(["c"]), "d");
  assert.deepEqual(forgetting(view, "b", false, "p"), {
    kind: "member",
    tooFew: { epoch: 3, members: ["a", "b", "c"], kept: ["a"] },
  });
});

test("a node that was dropped from a view that is not settled is not given up without force", () => {
  const view = droppedView(settledOf("a", "b", "c"), new Set(["c"]), "d");
  assert.deepEqual(forgetting(view, "c", false, "p"), { kind: "unsettled" });
});

test("data on lost disks is given up node by node while all run, and the last of a key's owners takes the loss", () => {
  const view = twoOnEmptyDisks();
  const doubt = new Doubt(view);
  assert.deepEqual(doubt.awaited, ["b", "c"]);
  const first = possible(view, "b");
  assert.deepEqual([first.removes, first.lost, first.awaited], [false, 0, ["c"]]);
  assert.ok(first.inDoubt > 0.2 && first.inDoubt < 0.5, `a third of the keys: ${first.inDoubt}`);
  assert.deepEqual(
    first.next.members.map(({ folder }) => folder),
    view.members.map(({ folder }) => folder),
  );
  assert.deepEqual([first.next.epoch, first.next.settled, first.next.dropped], [view.epoch + 1, false, false]);

  const second = possible(settle(first.next), "c");
  assert.deepEqual([second.lost, second.inDoubt, second.awaited], [first.inDoubt, 0, []]);
  assert.deepEqual(settle(second.next).lost, []);
  assert.deepEqual(forgetting(settle(second.next), "c", false, "p"), { kind: "member" });
});

test("with force members that are off are taken out one after the other, until one is left that may go on alone", () => {
  const view = settledOf("a", "b", "c");
  const withoutC = possible(view, "c", true);
  assert.deepEqual([withoutC.removes, withoutC.lost, withoutC.inDoubt], [true, 0, 0]);
  const alone = possible(withoutC.next, "b", true);
  assert.deepEqual(
    alone.next.members.map(({ id }) => id),
    ["a"],
  );
  assert.ok(alone.lost > 0.2 && alone.lost < 0.5, `what b and c had alone: ${alone.lost}`);
  assert.equal(alone.inDoubt, 0);
});

test("data is given up also while nobody is in the view", () => {
  const view = twoOnEmptyDisks();
  const empty = { ...view, members: [], epoch: view.epoch + 1 };
  const { next, awaited } = possible(empty, "b");
  assert.deepEqual([next.epoch, next.members, awaited.includes("b")], [view.epoch + 2, [], false]);
});
