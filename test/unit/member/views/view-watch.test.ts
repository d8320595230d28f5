/**
 * When the view is looked at, in the store or at peers: while a newer one is expected, and while peers do not confirm
 * the lease (V6, V10, V15).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { formatView, type View } from "../../../../src/core/view.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { ViewWatch } from "../../../../src/member/views/view-watch.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { handedOff, memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const view = viewOf(4, [a, b]);

/** Member a, which has adopted `view`; the store has this one. */
function trialOf(stored: View) {
  const clock = new ManualClock();
  const log = new RecordedLog();
  const random = new SimRandom(1);
  const membership = memberIn(view, a, { clock });
  membership.hear(b, handedOff(4));
  const store = new ViewStore(stored);
  const complaints = new Complaints(log, clock, 10_000);
  const network = new ScriptedNetwork();
  const seen: View[] = [];
  const onView = (each: View): void => {
    seen.push(each);
    membership.adopt(each);
  };
  const record = new ViewRecord({ store, clock, random, complaints });
  const events: string[] = [];
  const watch = new ViewWatch({ membership, network, clock, complaints }, record, {
    onView,
    onLease: () => events.push("lease"),
    onOut: (replaced) => events.push(replaced ? "replaced" : "out"),
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10) {
      clock.advance(10);
      for (let each = 0; each < 10; each++) await turn();
    }
  };
  return { clock, store, network, seen, membership, watch, log, events, pass };
}

describe("ViewWatch", () => {
  it("does not ask the store twenty times a second for a view that somebody over another store has named, and says so", async () => {
    const { store, watch, log, pass } = trialOf(view);
    watch.learn(100);
    await pass(10_000);
    watch.stop();
    assert.ok(store.reads <= 30, `${store.reads} reads in 10 s`);
    assert.match(log.lines.map(({ message }) => message).join(), /another store/);
  });

  it("adopts a newer view that it hears of, and tells where that does not list this process", async () => {
    const newer = { ...viewOf(9, [a, c]) };
    for (const [stored, seenEpochs, told] of [
      [newer, [9], []],
      [viewOf(9, [b, c]), [], ["out"]],
      [viewOf(9, [{ ...a, incarnation: "a-2" }, c]), [], ["replaced"]],
    ] as const) {
      const { seen, watch, events, pass } = trialOf(stored);
      watch.learn(9);
      await pass(100);
      assert.deepEqual([seen.map(({ epoch }) => epoch), events], [seenEpochs, told]);
    }
  });

  it("takes a newer view of whoever has adopted it while the store is away, but not of one over another store", async () => {
    for (const clusterId of ["another's", view.parameters.clusterId]) {
      const { store, network, seen, membership, watch, pass } = trialOf(view);
      store.read = () => Promise.reject(new OperatingError("store_unavailable", "the store does not answer"));
      const newer = { ...viewOf(9, [a, c]), parameters: { ...view.parameters, clusterId } };
      // The old view does not list it.
      membership.hear(c, handedOff(9));
      network.script = ({ request }) =>
        request.kind === "view" ? { kind: "adopted", view: formatView(newer) } : undefined;
      watch.learn(9);
      await pass(1_000);
      watch.stop();
      const isOurs = clusterId === view.parameters.clusterId;
      assert.equal(seen[0]?.epoch, isOurs ? 9 : undefined, clusterId);
      assert.ok(network.sent.some(({ to }) => to === "c"));
    }
  });

  it("has the store confirm the lease, from when it was asked, if that shows this very view and process", async () => {
    const again = { ...a, incarnation: "a-2" };
    for (const [stored, confirmed] of [
      [view, true],
      [viewOf(5, [a, b]), false],
      [viewOf(3, [a, b]), false],
      [viewOf(4, [again, b]), false],
      // An earlier state of the record was put back, and others went on from there.
      [viewOf(4, [a]), false],
      [viewOf(4, [a, { ...b, weight: 0 }]), false],
    ] as const) {
      const { clock, store, membership, watch, events, pass } = trialOf(stored);
      const read = store.read.bind(store);
      const answer = Promise.withResolvers<void>();
      store.read = async () => {
        await answer.promise;
        return await read();
      };
      watch.keepLease();
      watch.keepLease();
      clock.advance(100);
      answer.resolve();
      await pass(0);
      for (let each = 0; each < 10; each++) await turn();
      assert.deepEqual([membership.lease.held(), events.includes("lease")], [confirmed, confirmed], stored.proposal);
      if (confirmed) assert.equal(membership.lease.leftMs, 850);
      watch.stop();
    }
  });

  it("asks the store for no lease of which enough is left, but looks now and then while keys are in doubt", async () => {
    const { store, membership, watch, pass } = trialOf(view);
    membership.lease.confirmByStore(membership.lease.stamp());
    watch.keepLease();
    await pass(10);
    assert.equal(store.reads, 0);
    await pass(500);
    watch.keepLease();
    await pass(10);
    assert.equal(store.reads, 1);
  });
});
