/** How each kind of change derives the next view from the last, and what is said about a record that is not a view. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../src/base/assert.ts";
import { isOperatingError } from "../../src/base/errors.ts";
import { firstView, formatView, joinedView, parseView, settledView, type View } from "../../src/core/view.ts";
import { memberOf, parameters, pastOf, viewOf } from "../support/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b", { zone: "z1" }), memberOf("c")];
const settled: View = { ...viewOf(7, [a, c]), settled: true };

describe("firstView", () => {
  it("has its founder alone, has dropped nobody, and still has to settle", () => {
    const view = firstView(a, parameters, "p");
    assert.deepEqual(view, { ...viewOf(1, [a]), proposal: "p" });
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
    const third = joinedView(second, memberOf("d"), "p3");
    assert.deepEqual(third.lineage, [pastOf(settled), pastOf(second)]);
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

describe("settledView", () => {
  it("is the same view without its lineage, told apart by its proposal", () => {
    const view = joinedView(joinedView(settled, b, "p2"), memberOf("d"), "p3");
    assert.deepEqual(settledView(view, "p4"), { ...view, settled: true, lineage: [], proposal: "p4" });
    assert.notDeepEqual(formatView(settledView(view, "p4")), formatView(settledView(view, "p5")));
  });
});

describe("parseView", () => {
  const view = joinedView(joinedView(settled, b, "p2"), memberOf("d"), "p3");

  /** What is said about the record `json`; fails when nothing is. */
  function complaint(json: unknown): string {
    try {
      parseView(Buffer.from(typeof json === "string" ? json : JSON.stringify(json)));
    } catch (error) {
      assert.ok(isOperatingError(error, "store_refused"), String(error));
      assert.match(error.message, /\.weir\/view\.json in the store/);
      return error.message;
    }
    assert.fail(`taken for a view: ${JSON.stringify(json)}`);
  }

  it("reads what formatView wrote", () => {
    for (const each of [view, settled, firstView(b, parameters, "p")]) {
      assert.deepEqual(parseView(formatView(each)), each);
    }
  });

  it("says that a record is not JSON", () => {
    for (const text of ["", "{", "<Error/>", "\ufeff{}"]) assert.match(complaint(text), /not JSON/);
  });

  it("says where a record differs from a view", () => {
    assert.match(complaint({ ...view, epoch: 0 }), /at epoch/);
    assert.match(complaint({ ...view, epoch: 1.5 }), /at epoch/);
    assert.match(complaint({ ...view, settled: "yes" }), /at settled/);
    assert.match(complaint({ ...view, members: [a, { ...b, url: undefined }] }), /at members\[1\]\.url/);
    assert.match(complaint({ ...view, lineage: [{ ...pastOf(settled), epoch: "7" }] }), /at lineage\[0\]\.epoch/);
    assert.match(complaint({ ...view, parameters: { ...parameters, replicas: 0 } }), /at parameters\.replicas/);
    for (const other of [null, 7, "[]", []]) complaint(other);
  });

  it("refuses the record of a later program, which may mean what this one does not know", () => {
    assert.match(complaint({ ...view, format: 2 }), /at format/);
    assert.match(complaint({ ...view, parameters: { ...parameters, ringVersion: 2 } }), /at parameters\.ringVersion/);
  });

  it("keeps the fields that a later program of the same format has added, through its own changes", () => {
    const newer = { ...view, settled: false, lost: [{ epoch: 1 }], members: [{ ...a, rack: "r1" }] };
    const kept = settledView(parseView(Buffer.from(JSON.stringify(newer))), "p2") as unknown as typeof newer;
    assert.deepEqual([kept.lost, kept.members], [newer.lost, newer.members]);
  });

  it("refuses members of which no ring can be made", () => {
    for (const weight of [-1, 17, 1e9]) {
      assert.match(complaint({ ...view, members: [{ ...a, weight }] }), /at members\[0\]\.weight/);
    }
    assert.match(complaint({ ...view, members: [a, { ...a, incarnation: "a-2" }] }), /at members/);
  });

  it("refuses past members of which no ring can be made", () => {
    const past = { ...pastOf(settled), members: [a, { ...a, incarnation: "a-2" }] };
    assert.match(complaint({ ...view, lineage: [past] }), /at lineage\[0\]\.members/);
  });

  it("refuses a cluster id with a dot", () => {
    const clusterId = "photos.example";
    assert.match(complaint({ ...view, parameters: { ...parameters, clusterId } }), /at parameters\.clusterId/);
  });
});
