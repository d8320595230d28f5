/** Whether the store has the view that a member goes by, and how the members put it back (V58, V59). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { LateEffects } from "../../../../src/core/late-effects.ts";
import type { View } from "../../../../src/core/view.ts";
import { ViewCheck } from "../../../../src/member/views/view-check.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { handedOff, memberIn, memberOf, parameters, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const view: View = { ...viewOf(4, [a, b]), settled: true };

/** The member `a` of that view, beside `b`, which answers. */
function trialOf(self = a) {
  const clock = new ManualClock();
  const store = new ViewStore(view);
  const network = new ScriptedNetwork();
  const log = new RecordedLog();
  const random = new SimRandom(1);
  const complaints = new Complaints(log, clock, 10_000);
  const membership = memberIn(view, self, { clock });
  for (const peer of membership.peers) {
    network.link(peer);
    membership.hear(peer, handedOff(4, { settled: true }));
  }
  const trial = { clock, store, network, log, membership, isFresh: true, adopted: [] as View[] };
  const record = new ViewRecord({ store, clock, random, complaints });
  const late = new LateEffects(1_000, { append: () => undefined });
  const context = { membership, network, clock, random, log, complaints, late, settings: { viewCheckMs: 60_000 } };
  const eviction = { isFresh: () => trial.isFresh };
  const check = new ViewCheck(context, record, eviction, { onView: (next) => trial.adopted.push(next) });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      clock.advance(1_000);
      check.tick();
      for (let each = 0; each < 6; each++) await turn();
    }
  };
  return { ...trial, trial, check, pass };
}

const errors = ({ log }: { log: RecordedLog }) => log.lines.filter(({ level }) => level === "error");

describe("ViewCheck", () => {
  it("looks once a minute, and has nothing to say of a record that is as it should be", async () => {
    const { store, check, pass, log } = trialOf();
    await pass(130_000);
    assert.deepEqual([store.reads, check.trouble, errors({ log }).length], [2, undefined, 0]);
    store.view = { ...viewOf(5, [a, b, c]), settled: false };
    await pass(60_000);
    assert.equal(check.trouble, undefined, "a newer one is for others to adopt");
  });

  it("says what is wrong, once a minute, and gives the view", async () => {
    const others: [View | undefined, RegExp][] = [
      [undefined, /is gone/],
      [{ ...view, parameters: { ...parameters, clusterId: "another" } }, /that of another cluster/],
      [{ ...view, epoch: 3 }, /older than what this node goes by/],
      [{ ...view, settled: false }, /older than what this node goes by/],
      [{ ...view, members: [a, c] }, /other members than what this node goes by/],
    ];
    for (const [stored, expected] of others) {
      const { store, check, pass, log, trial } = trialOf();
      trial.isFresh = false;
      store.bytes = stored && Buffer.from(JSON.stringify(stored));
      await pass(119_000);
      assert.match(String(check.trouble), expected);
      const told = errors({ log });
      assert.equal(told.length, 1);
      assert.deepEqual(JSON.parse(String(told[0]?.fields?.["record"])), view);
      assert.equal(store.writes, 0);
      store.view = view;
      await pass(60_000);
      assert.equal(check.trouble, undefined);
    }
  });

  it("puts back what is gone or older, with the second look, under an epoch that leaves room for views that were lost", async () => {
    for (const stored of [undefined, { ...view, epoch: 3 }]) {
      const { store, check, pass, adopted } = trialOf();
      store.bytes = stored && Buffer.from(JSON.stringify(stored));
      await pass(60_000);
      assert.deepEqual([store.writes, check.trouble === undefined], [0, false]);
      await pass(10_000);
      assert.deepEqual([store.view?.epoch, store.view?.members, store.view?.dropped], [1_005, [a, b], false]);
      assert.deepEqual(store.view?.lineage, [{ epoch: 4, members: [a, b], dropped: false }]);
      assert.deepEqual([adopted[0]?.epoch, check.trouble], [1_005, undefined]);
    }
  });

  it("puts nothing back unless every member is there and goes by this view, and it is the first of them (V59)", async () => {
    const spoiled: [string, (trial: ReturnType<typeof trialOf>) => unknown][] = [
      ["a member has no link", ({ network }) => network.disconnect("b")],
      ["a member has another process", ({ network }) => network.link({ ...b, incarnation: "b-2" })],
      ["a member is silent", ({ trial }) => Object.assign(trial, { isFresh: false })],
      ["a member is ahead", ({ membership }) => membership.hear(b, handedOff(5))],
      ["a process that is no member is ahead", ({ membership }) => membership.hear(c, handedOff(5))],
    ];
    for (const [what, spoil] of spoiled) {
      const all = trialOf();
      spoil(all);
      all.store.bytes = undefined;
      await all.pass(200_000);
      assert.equal(all.store.writes, 0, what);
    }
    const second = trialOf(b);
    second.store.bytes = undefined;
    await second.pass(200_000);
    assert.equal(second.store.writes, 0, "it is not the first");
  });

  it("puts nothing in the place of another cluster's view, nor of one that others went on from", async () => {
    for (const stored of [
      { ...view, parameters: { ...parameters, clusterId: "another" } },
      { ...view, members: [a, c] },
      { ...view, epoch: 5, members: [a, c] },
    ]) {
      const { store, pass } = trialOf();
      store.view = stored;
      await pass(200_000);
      assert.equal(store.writes, 0);
    }
  });
});
