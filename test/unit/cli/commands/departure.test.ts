/** What is made of the views that are seen while a node leaves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Departure, DepartureWatch } from "../../../../src/cli/commands/departure.ts";
import type { ClusterStatus } from "../../../../src/core/status.ts";
import { clusterStatus, memberStatus } from "../../../harness/status-fixtures.ts";

/** A view of nodes with their weights, as `self` sees it. */
function seen(
  self: string,
  weights: Readonly<Record<string, number>>,
  changes: Partial<ClusterStatus> = {},
): ClusterStatus {
  const members = Object.entries(weights).map(([id, weight]) =>
    memberStatus(id, { url: `http://${id}`, weight, dirtyBytes: 10, dirtyKeys: 1 }),
  );
  return clusterStatus(members, { self, epoch: 5, ...changes });
}

function stageOf(departure: Departure): string {
  assert(departure.kind === "under way", departure.kind);
  return departure.stage;
}

/** What it comes to that nobody answers for two seconds. */
function untilEnded(watch: DepartureWatch): Departure {
  let departure = watch.judge(undefined, undefined);
  for (let look = 1; look < 20; look++) departure = watch.judge(undefined, undefined);
  return departure;
}

test("a node that leaves goes through its stages, and has left when the others do not list it", () => {
  const watch = new DepartureWatch(seen("c", { a: 1, b: 1, c: 1 }));
  assert.deepEqual(watch.others, ["http://a", "http://b"]);
  const all = { a: 1, b: 1, c: 1 };
  assert.equal(stageOf(watch.judge(seen("c", all), seen("a", all))), "c was asked to leave");
  const without = { a: 1, b: 1, c: 0 };
  const changing = { settled: false, epoch: 6 };
  assert.equal(
    stageOf(watch.judge(seen("c", without, changing), seen("a", without, changing))),
    "c hands over what it holds",
  );
  assert.match(stageOf(watch.judge(undefined, seen("a", without, { epoch: 6 }))), /handed over, and leaves view 6/);
  assert.deepEqual(watch.judge(undefined, seen("b", { a: 1, b: 1 }, { epoch: 7 })), {
    kind: "left",
    epoch: 7,
    remaining: ["a", "b"],
  });
});

test("the only node ends when it does not answer any more, and is told to empty itself into the store before", () => {
  const watch = new DepartureWatch(seen("a", { a: 1 }));
  assert.match(stageOf(watch.judge(seen("a", { a: 1 }), undefined)), /sends everything to the store/);
  assert.deepEqual(untilEnded(watch), { kind: "ended" });
});

test("the only node that does not answer once has not ended", () => {
  const watch = new DepartureWatch(seen("a", { a: 1 }));
  watch.judge(seen("a", { a: 1 }), undefined);
  assert.equal(watch.judge(undefined, undefined).kind, "under way");
  assert.match(stageOf(watch.judge(seen("a", { a: 1 }), undefined)), /sends everything to the store/);
});

test("a node that the others have dropped has not left while it runs: it joins again, to hand over", () => {
  const all = { a: 1, b: 1, c: 1 };
  const watch = new DepartureWatch(seen("c", all));
  const others = seen("a", { a: 1, b: 1 }, { epoch: 7 });
  assert.match(stageOf(watch.judge(seen("c", {}, { epoch: 0 }), others)), /^c is no longer in the view/);
  assert.equal(
    stageOf(watch.judge(seen("c", all, { epoch: 8 }), seen("a", all, { epoch: 8 }))),
    "c was asked to leave",
  );
  assert.equal(watch.judge(undefined, seen("a", { a: 1, b: 1 }, { epoch: 10 })).kind, "left");
});

test("a node that is gone with what nobody else has has not left", () => {
  const watch = new DepartureWatch(seen("c", { a: 1, b: 1, c: 1 }));
  assert.deepEqual(watch.judge(undefined, seen("a", { a: 1, b: 1 }, { epoch: 7, awaited: ["c"] })), { kind: "lost" });
});

test("a node that is gone while no other answers has not left as far as anyone knows", () => {
  const watch = new DepartureWatch(seen("c", { a: 1, c: 1 }));
  assert.equal(watch.judge(undefined, undefined).kind, "under way");
  assert.equal(watch.judge(undefined, seen("a", { a: 1 })).kind, "left");
});

test("a node that was started again after it left is told apart from one that still leaves", () => {
  const all = { a: 1, b: 1, c: 1 };
  const watch = new DepartureWatch(seen("c", all));
  watch.judge(undefined, seen("a", { ...all, c: 0 }));
  assert.equal(watch.judge(seen("c", {}, { epoch: 0 }), seen("a", { ...all, c: 0 })).kind, "under way");
  assert.equal(watch.judge(seen("c", all), seen("a", all)).kind, "returned");
  const unseen = new DepartureWatch(seen("c", all));
  unseen.judge(seen("c", { ...all, c: 0 }), undefined);
  assert.equal(unseen.judge(seen("c", all), seen("a", all)).kind, "returned");
});

test("the last of several nodes that leave takes its weight back to empty itself, which is no return", () => {
  const watch = new DepartureWatch(seen("a", { a: 1, b: 1 }));
  watch.judge(seen("a", { a: 0, b: 1 }), undefined);
  assert.match(stageOf(watch.judge(seen("a", { a: 1 }), undefined)), /sends everything to the store/);
  assert.equal(untilEnded(watch).kind, "ended");
});

test("another node that answers at the same address is not the one that leaves", () => {
  const watch = new DepartureWatch(seen("c", { a: 1, c: 1 }));
  assert.equal(watch.judge(seen("d", { a: 1, d: 1 }), undefined).kind, "under way");
  assert.equal(watch.judge(seen("d", { a: 1, d: 1 }), seen("a", { a: 1, d: 1 })).kind, "left");
});
