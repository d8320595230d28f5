/** May I stop this node? What the advice is in each state of the cluster. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type StopCluster, type StopMember, stopAdvice } from "../../../src/core/stop-advice.ts";

const member = (id: string, changes: Partial<StopMember> = {}): StopMember => ({
  id,
  weight: 1,
  state: "serving",
  dirtyBytes: 0,
  refusedKeys: 0,
  journaled: true,
  storeFailingMs: 0,
  ...changes,
});

const advice = (members: readonly StopMember[], changes: Partial<StopCluster> = {}) => {
  const cluster = { self: "a", settled: true, awaited: [], replicas: 2, members, ...changes };
  return stopAdvice(cluster, members[0] as StopMember);
};

const others = [member("b"), member("c")];

describe("stopping a node in order", () => {
  it("is fine in a settled cluster, and says how much is handed over and how long that takes", () => {
    const { verdict, inOrder } = advice([member("a", { dirtyBytes: 200e6 }), ...others]);
    assert.equal(verdict, "yes");
    assert.equal(inOrder, "It hands over 191 MiB to the others, in about 5 s.");
  });

  it("leaves writes that go to the store first when too few owners remain", () => {
    const { verdict, inOrder } = advice([member("a"), member("b"), member("c", { weight: 0 })]);
    assert.equal(verdict, "yes");
    assert.match(inOrder, /each write goes to the store before it is answered: only 1 of 2 owners/);
  });

  it("has to wait while the view changes or somebody hands over", () => {
    assert.equal(advice([member("a"), ...others], { settled: false }).verdict, "wait");
    assert.equal(advice([member("a"), member("b", { state: "waiting" })]).verdict, "wait");
  });

  it("has to wait while the store answers nothing, before the first request has failed", () => {
    const { verdict, inOrder } = advice([member("a", { storeSilentMs: 3_500 }), ...others]);
    assert.equal(verdict, "wait");
    assert.match(inOrder, /^The store has not answered it for/);
    assert.equal(advice([member("a", { storeSilentMs: 3_000 }), ...others]).verdict, "yes");
    assert.equal(advice([member("a", { weight: 0, storeSilentMs: 3_500 }), ...others]).verdict, "wait");
  });

  it("is not to be done while keys are in doubt, another node is away, or it can't be seen itself", () => {
    assert.match(advice([member("a"), ...others], { awaited: ["d"] }).inOrder, /^d may have the only copies/);
    const away = advice([member("a"), member("b"), member("c", { state: "unreachable" })]);
    assert.equal(away.verdict, "no");
    assert.match(away.inOrder, /^c can't be reached/);
    assert.match(advice([member("a", { state: "unreachable" }), ...others]).inOrder, /^a does not reach it/);
  });

  it("says nothing of what a node holds that is not reached: its figures are old, or there are none", () => {
    for (const dirty of [0, 2_048]) {
      const lost = member("a", { state: "unreachable", dirtyBytes: dirty });
      const { killed } = advice([lost, ...others]);
      assert.match(killed, /does not know\. What it held is in its journal if it has one/);
      assert.doesNotMatch(killed, /Nothing is lost|KiB/);
    }
  });

  it("of a node that owns nothing is missed by its own clients only", () => {
    const { verdict, inOrder, killed } = advice([member("a", { weight: 0 }), member("b")]);
    assert.deepEqual(
      [verdict, inOrder, killed],
      ["yes", "It owns nothing, so only its own clients miss it.", "Nothing is lost: it owns nothing."],
    );
  });

  it("makes no difference where nobody owns anything", () => {
    const idle = ["a", "b"].map((id) => member(id, { weight: 0, state: "waiting" }));
    const { verdict, inOrder, killed } = advice(idle);
    assert.deepEqual(
      [verdict, inOrder],
      ["yes", "It owns nothing, and neither does any other node: nothing is served anyway."],
    );
    assert.equal(killed, "Nothing is lost: it owns nothing.");
    assert.equal(advice(idle, { settled: false }).verdict, "wait");
  });

  it("can't be done by way of a store that is away", () => {
    const { verdict, inOrder } = advice([member("a", { storeFailingMs: 60_000 }), ...others]);
    assert.equal(verdict, "no");
    assert.match(inOrder, /failed it for 1 min.*its keys wait/);
  });

  it("is not to be done while the store fails all who would be left", () => {
    const failing = member("b", { storeFailingMs: 10_000 });
    const { verdict, inOrder } = advice([member("a"), failing]);
    assert.equal(verdict, "no");
    assert.match(inOrder, /^The store has failed b for /);
    assert.equal(advice([member("a"), failing, member("c")]).verdict, "yes");
  });

  it("of the only owner waits until everything is in the store", () => {
    assert.equal(advice([member("a")]).verdict, "yes");
    const { verdict, inOrder } = advice([member("a", { dirtyBytes: 2_048 }), member("b", { weight: 0 })]);
    assert.equal(verdict, "wait");
    assert.match(inOrder, /2\.0 KiB are not in the store: run weir flush first .*in its journal/);
    assert.match(advice([member("a", { dirtyBytes: 1, journaled: false })]).inOrder, /is lost/);
  });
});

describe("killing a node", () => {
  const dirtyBytes = 2_048;

  it("loses nothing that its journal has, and names what is then left of it without its disk", () => {
    assert.match(
      advice([member("a", { dirtyBytes }), ...others]).killed,
      /^Nothing is lost: its journal .*without its disk, 2\.0 KiB are on one other node only/,
    );
    assert.match(
      advice([member("a", { dirtyBytes })]).killed,
      /without its disk, 2\.0 KiB may be lost.*Nothing is served/,
    );
  });

  it("without a journal leaves what the others have, if it is sure that they have it", () => {
    const a = member("a", { dirtyBytes, journaled: false });
    assert.match(advice([a, ...others], { replicas: 3 }).killed, /^Nothing is lost yet: .* on 2 other nodes only/);
    for (const killed of [
      advice([a, ...others], { replicas: 1 }).killed,
      advice([a, ...others], { settled: false }).killed,
      advice([a, member("b", { state: "unreachable" })]).killed,
      advice([a, member("b", { weight: 0 })]).killed,
    ]) {
      assert.match(killed, /^2\.0 KiB that the store lacks may be lost/);
    }
  });

  it("costs nothing when everything is in the store", () => {
    assert.match(advice([member("a", { journaled: false }), ...others]).killed, /^Nothing is lost: the store has all/);
  });
});
