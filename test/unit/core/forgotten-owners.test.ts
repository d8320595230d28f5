/** Which keys have lost all of their owners to `weir forget`, and since when those send nothing (V69). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ForgottenOwners } from "../../../src/core/forgotten-owners.ts";
import { ringOf, type View } from "../../../src/core/view.ts";
import { droppedView, forgottenView, joinedView, settledView } from "../../../src/core/view-changes.ts";
import { memberOf, viewOf } from "../../harness/view-fixtures.ts";

const members = ["a", "b", "c", "d"].map((id) => memberOf(id));
const before = viewOf(4, members);
/** a and b are gone, and forgotten. */
const after = ["a", "b"].reduce((view, id) => forgottenView(view, id, true, `no ${id}`) as View, before);
const ring = ringOf(members, before.parameters);

function keyOf(...owners: string[]): string {
  for (let number = 0; ; number++) if (ring.ownersOf(`k${number}`).join() === owners.join()) return `k${number}`;
}

function known(view: View, now: number): ForgottenOwners {
  const owners = new ForgottenOwners();
  owners.adopt(view);
  owners.activate(now);
  return owners;
}

describe("ForgottenOwners", () => {
  it("are those of keys that have no other", () => {
    const owners = known(after, 1_000);
    const keys = [keyOf("a", "b"), keyOf("b", "a"), keyOf("a", "c"), keyOf("c", "d")];
    assert.deepEqual(
      keys.map((key) => owners.maySendSince(key, 999)),
      [true, true, false, false],
    );
  });

  it("are none where members were dropped, but not forgotten", () => {
    const owners = known(droppedView(before, new Set(["a", "b"]), "p"), 1_000);
    assert.deepEqual([owners.maySendSince(keyOf("a", "b"), 0), owners.viewsSince(0)], [false, []]);
  });

  it("send nothing from the activation on, and before it nobody knows", () => {
    const owners = new ForgottenOwners();
    owners.adopt(after);
    assert.equal(owners.maySendSince(keyOf("a", "b"), 1e9), true);
    owners.activate(1_000);
    assert.deepEqual(
      [999, 1_000].map((since) => owners.maySendSince(keyOf("a", "b"), since)),
      [true, false],
    );
  });

  it("are known for as long in later views, and not at all when these do not name them", () => {
    const owners = known(after, 1_000);
    const settled = settledView(after, { lost: [], forgotten: owners.viewsSince(0) }, "s");
    assert.deepEqual(
      settled.forgotten?.map(({ epoch }) => epoch),
      [4],
    );
    owners.adopt(joinedView(settled, memberOf("e"), "e"));
    owners.activate(5_000);
    assert.deepEqual(
      [999, 1_000].map((since) => owners.maySendSince(keyOf("a", "b"), since)),
      [true, false],
    );
    owners.adopt(
      joinedView(settledView(settled, { lost: [], forgotten: owners.viewsSince(1_000) }, "s"), memberOf("e"), "e"),
    );
    assert.equal(owners.maySendSince(keyOf("a", "b"), 0), false);
  });
});
