/** Who proposes to drop whom, when, and what keeps it from doing so (V16, V17, V18). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import type { Membership } from "../../../../src/core/membership.ts";
import type { View, ViewMember } from "../../../../src/core/view.ts";
import { droppedView, joinedView } from "../../../../src/core/view-changes.ts";
import { MemberMetrics } from "../../../../src/member/metrics.ts";
import { Eviction } from "../../../../src/member/views/eviction.ts";
import { Proposer } from "../../../../src/member/views/proposer.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const abc: View = { ...viewOf(4, [a, b, c]), settled: true };
const pingMs = 200;

interface Trial {
  readonly clock: ManualClock;
  readonly store: ViewStore;
  readonly membership: Membership;
  readonly eviction: Eviction;
  readonly log: RecordedLog;
  readonly metrics: MemberMetrics;
  readonly events: string[];
  /** Lets so many rounds of pings pass, which these peers answer. */
  readonly rounds: (count: number, ...heard: readonly ViewMember[]) => Promise<void>;
}

/** Member a. */
function trialOf(view: View = abc): Trial {
  const clock = new ManualClock();
  const store = new ViewStore(view);
  const log = new RecordedLog();
  const complaints = new Complaints(log, clock, 10_000);
  const random = new SimRandom(1);
  const membership = memberIn(view, a, { clock });
  const events: string[] = [];
  const metrics = new MemberMetrics();
  const record = new ViewRecord({ store, clock, random, complaints });
  const proposer = new Proposer({ membership }, record, {
    onView: (next) => {
      events.push(`view ${next.members.map(({ id }) => id).join()}`);
      membership.adopt(next);
      membership.swept();
      eviction.adoptView();
    },
    onNewerEpoch: (epoch) => events.push(`epoch ${epoch}`),
  });
  const settings = { suspectMs: 800, pingMs };
  const eviction = new Eviction({ membership, clock, random, log, complaints, metrics, settings }, proposer);
  eviction.adoptView();
  const rounds = async (count: number, ...heard: readonly ViewMember[]): Promise<void> => {
    for (let round = 0; round < count; round++) {
      clock.advance(pingMs);
      eviction.tick();
      for (const peer of heard) eviction.heard(peer);
      await turn();
    }
  };
  return { clock, store, membership, eviction, log, metrics, events, rounds };
}

/** Time for whoever waits its turn to propose, and for the proposal. */
async function settle({ clock }: Trial): Promise<void> {
  clock.advance(300);
  for (let time = 0; time < 5; time++) await turn();
}

describe("Eviction", () => {
  it("proposes nothing while everyone answers", async () => {
    const trial = trialOf();
    await trial.rounds(20, b, c);
    await settle(trial);
    assert.deepEqual([trial.events, trial.store.writes, trial.eviction.suspects], [[], 0, []]);
  });

  it("drops who was silent for D", async () => {
    const trial = trialOf();
    await trial.rounds(3, b);
    await settle(trial);
    assert.deepEqual(trial.events, []);
    await trial.rounds(2, b);
    await settle(trial);
    assert.deepEqual(
      [trial.events, trial.store.view?.members, trial.store.view?.dropped],
      [["view a,b"], [a, b], true],
    );
    assert.equal(trial.metrics.views.dropped, 1);
  });

  it("waits longer the larger the part that it would drop", async () => {
    const abcd: View = { ...viewOf(4, [a, b, c, memberOf("d")]), settled: true };
    for (const [heard, waitMs] of [
      [[b, c], 75],
      [[b], 150],
    ] as const) {
      const trial = trialOf(abcd);
      await trial.rounds(4, ...heard);
      trial.clock.advance(waitMs - 1);
      await turn();
      assert.equal(trial.store.reads, 0, `${waitMs}`);
      trial.clock.advance(1);
      await turn();
      assert.equal(trial.store.reads, 1, `${waitMs}`);
    }
  });

  it("keeps who is heard again before the proposal is made", async () => {
    const trial = trialOf();
    await trial.rounds(4, b);
    trial.eviction.heard(c);
    await settle(trial);
    assert.deepEqual([trial.events, trial.store.writes], [[], 0]);
  });

  it("keeps who is heard again while the view is read", async () => {
    const trial = trialOf(viewOf(4, [a, b, c, memberOf("d"), memberOf("e")]));
    await trial.rounds(4, b, memberOf("e"));
    const read = trial.store.read.bind(trial.store);
    trial.store.read = async () => {
      trial.eviction.heard(c);
      return await read();
    };
    await settle(trial);
    assert.deepEqual(trial.events, ["view a,b,c,e"]);
  });

  it("makes no proposal at all when nobody is left to drop by then", async () => {
    const trial = trialOf();
    await trial.rounds(4, b);
    const read = trial.store.read.bind(trial.store);
    trial.store.read = async () => {
      trial.eviction.heard(c);
      return await read();
    };
    await settle(trial);
    assert.deepEqual([trial.events, trial.store.reads, trial.store.writes], [[], 1, 0]);
  });

  it("does not drop more than half of an earlier view, and says whom it would have to", async () => {
    const trial = trialOf();
    await trial.rounds(5);
    await settle(trial);
    assert.deepEqual([trial.events, trial.store.writes], [[], 0]);
    assert.match(trial.log.messages("warn").join(), /too few of the earlier ones would be left/);
    assert.deepEqual(trial.log.lines.find(({ level }) => level === "warn")?.fields?.["silent"], ["b", "c"]);
  });

  it("tells for how long members have been lost that may not be dropped, until one of them is heard", async () => {
    const trial = trialOf();
    await trial.rounds(5);
    await settle(trial);
    const began = trial.eviction.lostMs;
    trial.clock.advance(1_000);
    assert.equal(trial.eviction.lostMs, began + 1_000);
    await trial.rounds(5);
    await settle(trial);
    assert.ok(trial.eviction.lostMs > 2_000, "it goes on although it tries again");
    // With b there is half of the view again, and c can be dropped.
    await trial.rounds(5, b);
    await settle(trial);
    assert.deepEqual([trial.eviction.lostMs, trial.events], [0, ["view a,b"]]);
  });

  it("tries again for as long as somebody is silent", async () => {
    const trial = trialOf();
    trial.store.readEndings.push("not_done", "refused");
    for (let time = 0; time < 3; time++) {
      await trial.rounds(4, b);
      await settle(trial);
    }
    assert.deepEqual(trial.events, ["view a,b"]);
  });

  it("proposes nothing on top of a view that it has not adopted, and tells of that", async () => {
    const trial = trialOf();
    trial.store.view = joinedView(abc, memberOf("d"), "p");
    await trial.rounds(5, b);
    await settle(trial);
    assert.deepEqual([trial.events.at(0), trial.store.writes], ["epoch 5", 0]);
  });

  it("gives way to a proposal that comes first", async () => {
    const trial = trialOf();
    await trial.rounds(4, b);
    const read = trial.store.read.bind(trial.store);
    trial.store.read = async () => {
      const result = await read();
      trial.store.view = droppedView(abc, new Set(["a"]), "b's");
      return result;
    };
    await settle(trial);
    assert.deepEqual([trial.events, trial.store.view?.proposal], [[], "b's"]);
    assert.equal(trial.metrics.views.dropped, 0);
  });

  it("drops who does not do its work, though it answers pings", async () => {
    const trial = trialOf();
    trial.eviction.stuck("c");
    trial.eviction.stuck("nobody");
    assert.deepEqual(trial.eviction.suspects, [c]);
    await trial.rounds(2, b, c);
    await settle(trial);
    assert.deepEqual(trial.events, ["view a,b"]);
  });

  it("does not take its own pause for its peers' silence", async () => {
    const trial = trialOf();
    await trial.rounds(2, b, c);
    trial.clock.advance(60_000);
    await trial.rounds(2, b, c);
    await settle(trial);
    assert.deepEqual([trial.events, trial.store.reads], [[], 0]);
  });

  it("watches the members of the newest view only, the new ones as heard", async () => {
    const trial = trialOf();
    await trial.rounds(3, b);
    trial.membership.adopt(joinedView(droppedView(abc, new Set(["c"]), "p"), memberOf("d"), "q"));
    trial.membership.swept();
    trial.eviction.adoptView();
    await trial.rounds(1, b);
    assert.deepEqual(trial.eviction.suspects, []);
    await trial.rounds(3, b);
    assert.deepEqual(trial.eviction.suspects, [memberOf("d")]);
  });

  it("does nothing any more once it is stopped", async () => {
    const trial = trialOf();
    await trial.rounds(4, b);
    trial.eviction.stop();
    await settle(trial);
    assert.deepEqual([trial.events, trial.store.reads], [[], 0]);
  });
});
