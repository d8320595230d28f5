/**
 * The budget of what may be lost follows the views: it never lets faults take what is promised to survive, and lets
 * them take all that may be.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatView, type View, viewName } from "../../../src/core/view.ts";
import { LossBudget } from "../../simulation/loss-budget.ts";
import { SimStore } from "../../simulation/sim-store.ts";
import { SimWorld } from "../../simulation/sim-world.ts";
import { healthyStore } from "../../simulation/store-faults.ts";

type Members = View["members"];

/**
 * Members named by id and weight, such as `a` or `b0`; the folder is the id in capitals, or what comes behind a colon.
 */
function members(...names: string[]): Members {
  return names.map((name) => {
    const [short, folder] = name.split(":") as [string, string | undefined];
    const id = short.slice(0, 1);
    const weight = short.length > 1 ? Number(short.slice(1)) : 1;
    return { id, weight, folder: folder ?? id.toUpperCase(), incarnation: id, url: id };
  });
}

function open(replicas: number) {
  const world = new SimWorld({ seed: 1 });
  const store = new SimStore({
    modes: { tags: "md5", ignoresRemoveConditions: false },
    faults: healthyStore,
    random: world.random("store"),
    scheduler: world,
    dateMs: () => 0,
  });
  const ghosts: string[] = [];
  const budget = new LossBudget(world, store, () => ghosts);
  let epoch = 0;
  /** The newest view, with those before it since the last settled one. */
  const see = (newest: Members, ...lineage: Members[]): void => {
    const view: View = {
      format: 2,
      epoch: ++epoch,
      members: newest,
      dropped: false,
      settled: lineage.length === 0,
      lineage: lineage.map((each, index) => ({ epoch: index + 1, members: each, dropped: false })),
      lost: [],
      proposal: String(epoch),
      parameters: { clusterId: "c", replicas, leaseMs: 1_000, flushDeadlineMs: 1_000, ringVersion: 1 },
    };
    store.write(viewName, { body: formatView(view), headers: {} }, { kind: "always" });
  };
  return { world, store, budget, ghosts, see };
}

describe("the budget of losses", () => {
  it("counts a folder that is lost although its process runs where that may still join", () => {
    const { budget, ghosts, see } = open(2);
    see(members("a", "b", "c", "d"));
    budget.lose("A");
    ghosts.push("A");
    assert.equal(budget.allows("B"), false);
    see(members("b", "c", "d"));
    assert.equal(budget.allows("B"), false, "A may come back");
    assert.equal(budget.allows("A"), true, "it is lost already");
    ghosts.pop();
    assert.equal(budget.allows("B"), true);
  });

  it("allows no twin of a process that no view names while something is lost", () => {
    const { budget, see } = open(2);
    see(members("a", "b"));
    assert.equal(budget.allowsTwin("Z"), true);
    budget.lose("A");
    assert.equal(budget.allowsTwin("Z"), false);
    assert.equal(budget.allowsTwin(undefined), true);
  });

  it("lets one folder fewer be lost than a key has owners, until a view without it is settled", () => {
    const { budget, see } = open(2);
    see(members("a", "b", "c"));
    assert.ok(budget.allows("A"));
    budget.lose("A");
    assert.equal(budget.allows("B"), false);
    see(members("a:A2", "b", "c"), members("a", "b", "c"));
    assert.equal(budget.allows("B"), false, "the view is not settled");
    see(members("a:A2", "b", "c"));
    assert.ok(budget.allows("B"));
  });

  it("spares more than half of a view, and the only owner", () => {
    const { budget, see } = open(3);
    see(members("a", "b", "c"));
    budget.lose("A");
    assert.equal(budget.allows("B"), false, "two of three");
    see(members("b"));
    assert.equal(budget.allows("B"), false, "one of one");
    see(members("b", "c0"));
    assert.equal(budget.allows("B"), false, "c owns nothing");
    assert.ok(budget.allows("X"), "nobody names it");
    assert.ok(budget.allows(undefined), "it has no name yet");
  });

  it("does not count who left in order", () => {
    const { budget, see } = open(2);
    see(members("a", "b", "c0"));
    assert.ok(budget.isDone("C"));
    see(members("a", "b"), members("a", "b", "c0"));
    assert.ok(budget.isDone("C"));
    assert.equal(budget.isDone("A"), false);
    see(members("a", "b", "c0"), members("a", "b", "c"));
    assert.equal(budget.isDone("C"), false, "what it has may not be handed over yet");
  });

  it("lets nothing be lost while a process leaves, or the view is being changed", async () => {
    const { world, store, budget, see } = open(2);
    see(members("a", "b"));
    budget.beginLeaving();
    assert.equal(budget.allows("A"), false);
    budget.endLeaving();
    assert.ok(budget.allows("A"));
    const write = store
      .connect(world)
      .write(viewName, { body: Buffer.alloc(0), headers: {} }, { kind: "absent" }, { deadlineMs: 1_000 });
    assert.equal(budget.allows("A"), false);
    await world.run(2_000);
    await write;
    assert.ok(budget.allows("A"));
    assert.ok(budget.allowsLeaving);
    budget.lose("A");
    assert.equal(budget.allowsLeaving, false);
  });

  it("says so when more is lost than may be, which no fault of ours did", () => {
    const { budget, see } = open(2);
    see(members("a", "b", "c"));
    budget.loseAnyway("A");
    assert.equal(budget.isExceeded, false);
    budget.loseAnyway("B");
    assert.equal(budget.isExceeded, true);
  });
});
