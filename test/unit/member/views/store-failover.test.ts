/**
 * Who is relieved of its keys, by whom, and when it takes them back. The whole course of it is in
 * `test/simulation/relief.test.ts` (V31).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { storeAwayMs } from "../../../../src/core/stop-advice.ts";
import { StoreHealth } from "../../../../src/core/store-health.ts";
import type { View, ViewMember } from "../../../../src/core/view.ts";
import { reweightedView, settledView } from "../../../../src/core/view-changes.ts";
import { Proposer } from "../../../../src/member/views/proposer.ts";
import { StoreFailover } from "../../../../src/member/views/store-failover.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import type { BlobStore } from "../../../../src/store/blob-store.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { handedOff, memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const abc: View = { ...viewOf(4, [a, b, c]), settled: true };
const pingMs = 200;

/** Member a. */
function trialOf(view: View = abc) {
  const clock = new ManualClock();
  const store = new ViewStore(view);
  const log = new RecordedLog();
  const complaints = new Complaints(log, clock, 10_000);
  const random = new SimRandom(1);
  const membership = memberIn(view, view.members.find(({ id }) => id === "a") as ViewMember, { clock });
  const health = new StoreHealth();
  const events: string[] = [];
  const state = { areAllRefused: false, trials: 0, trialFails: false };
  const trial: Pick<BlobStore, "write"> = {
    write: (name) => {
      assert.equal(name, ".weir/probe/node-a");
      state.trials++;
      if (state.trialFails) return Promise.reject(new OperatingError("store_refused", "nothing is taken"));
      return Promise.resolve({ kind: "written", tag: "t" });
    },
  };
  const record = new ViewRecord({ store, clock, random, complaints });
  const proposer = new Proposer({ membership }, record, {
    onView: ({ epoch, members }) => events.push(`${epoch}: ${members.map(({ weight }) => weight).join()}`),
    onNewerEpoch: (epoch) => events.push(`epoch ${epoch}`),
  });
  const backlog = {
    failingCount: 2,
    get refusedCount(): number {
      return state.areAllRefused ? 2 : 1;
    },
  };
  const context = { membership, store: trial, clock, random, log, complaints };
  const storeFailover = new StoreFailover(context, proposer, health, backlog, 1);
  const rounds = async (count: number): Promise<void> => {
    for (let round = 0; round < count; round++) {
      clock.advance(pingMs);
      storeFailover.tick();
      for (let time = 0; time < 5; time++) await turn();
    }
  };
  /** The store has failed b for so long, and works for a. */
  const failing = (storeFailingMs: number): void => {
    health.worked(clock.now());
    membership.hear(b, handedOff(view.epoch, { settled: true, storeFailingMs }));
  };
  return { clock, store, membership, health, events, state, rounds, failing };
}

describe("StoreFailover", () => {
  it("is for a peer that the store has failed for half a minute, while it works here", async () => {
    const { events, rounds, failing, health, clock } = trialOf();
    failing(29_999);
    await rounds(2);
    assert.deepEqual(events, []);
    failing(30_000);
    health.failed(clock.now());
    await rounds(2);
    assert.deepEqual(events, []);
    failing(30_000);
    await rounds(1);
    assert.deepEqual(events, ["5: 1,0,1"]);
  });

  it("is seen in the store where it was begun by a swap that was taken for lost, or by another peer", async () => {
    const { store, events, rounds, failing } = trialOf();
    failing(30_000);
    store.writeEndings.push("not_done");
    await rounds(1);
    assert.deepEqual(events, []);
    store.view = reweightedView(abc, "b", 0, "late");
    await rounds(1);
    assert.deepEqual(events, ["epoch 5"]);
  });

  it("of a peer that has been relieved just now is no view of its own", async () => {
    const { store, membership, events, rounds, failing } = trialOf();
    const read = store.read.bind(store);
    store.read = () => {
      // Another peer is first, and this one has its view before it reads it for this.
      store.read = read;
      store.view = reweightedView(abc, "b", 0, "another's");
      membership.adopt(store.view);
      membership.swept();
      return read();
    };
    failing(30_000);
    await rounds(1);
    assert.deepEqual([events, store.writes], [[], 0]);
  });

  it("ends when the store answers the member again, which is seen by a trial", async () => {
    const relieved = settledView(reweightedView(abc, "a", 0, "p"), { lost: [], forgotten: [] }, "q");
    const { events, rounds, state } = trialOf(relieved);
    state.trialFails = true;
    await rounds(30);
    assert.deepEqual([events, state.trials], [[], 1]);
    state.trialFails = false;
    await rounds(60);
    assert.deepEqual([events[0], state.trials], ["6: 1,1,1", 2]);
  });

  it("is not asked for by a member of which the store refuses some keys only, as a trial tells", async () => {
    const { clock, health, rounds, state } = trialOf();
    state.areAllRefused = true;
    health.failed(clock.now());
    await rounds(14);
    assert.deepEqual([state.trials, health.failingMs(clock.now())], [1, 0]);
    // Soon it is refused again: operators are not told that the store fails the node.
    for (let each = 0; each < 60; each++) {
      health.failed(clock.now());
      await rounds(1);
      assert.ok(health.failingMs(clock.now()) < storeAwayMs);
    }
  });

  it("is asked for by a member of which the store refuses everything, and which goes on trying", async () => {
    const { clock, health, rounds, state } = trialOf();
    state.areAllRefused = true;
    state.trialFails = true;
    health.failed(clock.now());
    await rounds(160);
    assert.equal(health.failingMs(clock.now()), 32_000);
    assert.ok(state.trials >= 13 && state.trials <= 16, `${state.trials} trials`);
  });
});
