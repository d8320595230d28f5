/** How often the view in the store is looked at while it is not the one that is expected. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { formatView, type View } from "../../../../src/core/view.ts";
import { ViewKeeper } from "../../../../src/member/views/view-keeper.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { handedOff, memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const view = viewOf(4, [a, b]);

/** The first member of a view that it could settle; the store has this one. */
function trialOf(stored: View) {
  const clock = new ManualClock();
  const log = new RecordedLog();
  const random = new SimRandom(1);
  const membership = memberIn(view, a, { clock });
  membership.hear(b, handedOff(4));
  const store = new ViewStore(stored);
  const complaints = new Complaints(log, clock, 10_000);
  const nothing = (): void => undefined;
  const network = new ScriptedNetwork();
  const seen: View[] = [];
  const onView = (each: View): void => {
    seen.push(each);
    membership.adopt(each);
  };
  const keeper = new ViewKeeper({
    membership,
    record: new ViewRecord({ store, clock, random, complaints }),
    network,
    clock,
    random,
    complaints,
    observer: {
      onView,
      onSettled: () => membership.markSettled(),
      onLease: nothing,
      onOut: nothing,
    },
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10) {
      clock.advance(10);
      for (let each = 0; each < 10; each++) await turn();
    }
  };
  return { store, network, seen, membership, keeper, log, pass };
}

describe("ViewKeeper", () => {
  it("does not ask the store twenty times a second for a view that somebody over another store has named, and says so", async () => {
    const { store, keeper, log, pass } = trialOf(view);
    keeper.learn(100);
    await pass(10_000);
    keeper.stop();
    assert.ok(store.reads <= 30, `${store.reads} reads in 10 s`);
    assert.match(log.lines.map(({ message }) => message).join(), /another store/);
  });

  it("does not ask the store without a pause to settle a view that is not there any more", async () => {
    const { store, keeper, pass } = trialOf(viewOf(3, [a, b]));
    keeper.settleSoon();
    await pass(1_000);
    keeper.stop();
    assert.ok(store.reads <= 25, `${store.reads} reads in a second`);
  });

  it("settles a view that was not the first to be settled without a pause", async () => {
    const { membership, keeper, pass } = trialOf(view);
    keeper.settleSoon();
    await pass(20);
    assert.equal(membership.settled, true);
  });

  it("takes a newer view of whoever has adopted it while the store is away, but not of one over another store", async () => {
    for (const clusterId of ["another's", view.parameters.clusterId]) {
      const { store, network, seen, membership, keeper, pass } = trialOf(view);
      store.read = () => Promise.reject(new OperatingError("store_unavailable", "the store does not answer"));
      const newer = { ...viewOf(9, [a, c]), parameters: { ...view.parameters, clusterId } };
      // The old view does not list it.
      membership.hear(c, handedOff(9));
      network.script = ({ request }) =>
        request.kind === "view" ? { kind: "adopted", view: formatView(newer) } : undefined;
      keeper.learn(9);
      await pass(1_000);
      keeper.stop();
      const isOurs = clusterId === view.parameters.clusterId;
      assert.equal(seen[0]?.epoch, isOurs ? 9 : undefined, clusterId);
      assert.ok(network.sent.some(({ to }) => to === "c"));
    }
  });
});
