/**
 * Pings and their answers: when they are sent, what they say, and when a member keeps silent because it does not
 * work (V10, V20).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import type { MemberState } from "../../../../src/core/message.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
import { StoreHealth } from "../../../../src/core/store-health.ts";
import type { View } from "../../../../src/core/view.ts";
import { noJournal } from "../../../../src/journal/no-journal.ts";
import { MemberMetrics } from "../../../../src/member/metrics.ts";
import { Eviction } from "../../../../src/member/views/eviction.ts";
import { Gossip } from "../../../../src/member/views/gossip.ts";
import { Proposer } from "../../../../src/member/views/proposer.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { handedOff, memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const view: View = viewOf(4, [a, b]);
const pingMs = 200;
const suspectMs = 800;

/**
 * Member a, whose configuration names c as well, with links to both; parts that it only reads from are bare figures.
 */
function trialOf(lagMs = 0) {
  const clock = new ManualClock();
  const network = new ScriptedNetwork();
  network.link(b, c);
  const log = new RecordedLog();
  const membership = memberIn(view, a, { clock, progress: "delivered" });
  const random = new SimRandom(1);
  const complaints = new Complaints(log, clock, 10_000);
  const metrics = new MemberMetrics();
  const settings = { suspectMs, pingMs };
  const record = new ViewRecord({ store: new ViewStore(view), clock, random, complaints });
  const proposer = new Proposer({ membership }, record, { onView: () => undefined, onNewerEpoch: () => undefined });
  const eviction = new Eviction({ membership, clock, random, log, complaints, metrics, settings }, proposer);
  eviction.adoptView();
  const events: string[] = [];
  const requests = new RequestLog();
  const { figures } = handedOff(4);
  const journal = { ...noJournal("a-disk"), lagMs };
  const sources = {
    joining: { seenEpoch: 9 },
    router: { watermark: 7 },
    flusher: { quiet: true, health: new StoreHealth() },
    eviction,
    status: { figures: () => figures },
    folders: { broughtBack: ["x-1"] },
  };
  const gossip = new Gossip(
    { membership, requests, journal, network, clock, log, settings },
    sources,
    {
      onRound: () => events.push("round"),
      onPong: (from, state, sentAt) => events.push(`pong ${from.incarnation} ${state.epoch} of ${sentAt.now}`),
    },
    [a, c].map(({ id, url }) => ({ id, url })),
  );
  return { clock, network, membership, eviction, events, requests, gossip };
}

const pong = (state: MemberState): { kind: "pong"; state: MemberState } => ({ kind: "pong", state });

describe("Gossip, pings", () => {
  it("go to every member and every node of the configuration that has a link, not to itself, in each round", () => {
    const { clock, network, gossip, events } = trialOf();
    gossip.start();
    assert.deepEqual(network.sent.map(({ to }) => to).toSorted(), ["b", "c"]);
    network.links.delete("c");
    clock.advance(pingMs);
    assert.deepEqual(network.sent.map(({ to }) => to).toSorted(), ["b", "b", "c"]);
    gossip.setNodes([]);
    network.link(c);
    clock.advance(pingMs);
    assert.deepEqual(network.sent.map(({ to }) => to).toSorted(), ["b", "b", "b", "c"]);
    assert.deepEqual(events, ["round", "round", "round"]);
  });

  it("report their answer as of when they were sent, and of the process that they were sent to", async () => {
    const { clock, network, gossip, events } = trialOf();
    clock.advance(1_000);
    gossip.ping("b");
    clock.advance(150);
    network.link({ ...b, incarnation: "b-2" });
    network.answer(pong(handedOff(4)));
    await turn();
    assert.deepEqual(events, ["pong b-1 4 of 1000"]);
  });

  it("that are refused or fail count as no answer", async () => {
    const { network, gossip, events } = trialOf();
    gossip.ping("b");
    network.answer({ kind: "refused", code: "not_ready", epoch: 4, detail: "the journal does not get written" });
    gossip.ping("b");
    network.answer(new OperatingError("peer_unreachable", "the link broke"));
    await turn();
    assert.deepEqual(events, []);
  });

  it("end with the member, whose answers under way count no more", async () => {
    const { clock, network, gossip, events } = trialOf();
    gossip.start();
    gossip.stop();
    network.answer(pong(handedOff(4)), "b");
    await turn();
    clock.advance(10_000);
    gossip.ping("b");
    gossip.start();
    assert.deepEqual([network.sent.length, events], [2, ["round"]]);
  });

  it("let go of the outcomes of this member's own finished requests", () => {
    const { gossip, requests } = trialOf();
    for (const counter of [6, 7]) requests.record({ router: "a-1", counter }, "k", { epoch: 4, seq: counter });
    gossip.start();
    assert.deepEqual(
      [...requests.outcomes()].map(({ requestId }) => requestId.counter),
      [7],
    );
  });
});

describe("Gossip, answers", () => {
  it("say where the member stands, and whom it does not hear", () => {
    const { clock, eviction, gossip } = trialOf();
    const nowhere = { segment: 0, offset: 0 };
    const folder = { name: "a-disk", began: nowhere, journaled: nowhere };
    const known = { folder, broughtBack: ["x-1"] };
    const expected = handedOff(4, { seenEpoch: 9, progress: "delivered", watermark: 7, storeWorks: false, ...known });
    assert.deepEqual(gossip.pong(), pong(expected));
    for (let round = 0; round < 4; round++) {
      clock.advance(pingMs);
      eviction.tick();
    }
    assert.deepEqual(gossip.pong(), pong({ ...expected, suspects: ["b"] }));
  });

  it("are not given while the journal has not been written for longer than D: then this member does not work", () => {
    assert.equal(trialOf(suspectMs).gossip.pong().kind, "pong");
    assert.throws(
      () => trialOf(suspectMs + 1).gossip.pong(),
      (error) => isOperatingError(error, "not_ready"),
    );
  });
});

describe("Gossip, changes", () => {
  it("are told to every member at once, and to nobody else", () => {
    const { network, gossip } = trialOf();
    gossip.tellEveryone();
    assert.deepEqual(network.notices, [{ to: "b", notice: { kind: "state", state: gossip.state() } }]);
  });
});
