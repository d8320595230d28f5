/**
 * The steps of a view's life in one member: in which order, each once, and what each waits for (V32, V42, V43, V47,
 * V48, V53).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { Slices } from "../../../../src/base/slices.ts";
import { Admission } from "../../../../src/core/admission.ts";
import { type Entry, noHeaders } from "../../../../src/core/entry.ts";
import type { KeyState } from "../../../../src/core/key-state.ts";
import { LateEffects } from "../../../../src/core/late-effects.ts";
import { Membership } from "../../../../src/core/membership.ts";
import type { Progress } from "../../../../src/core/message.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
import type { View } from "../../../../src/core/view.ts";
import { settledView } from "../../../../src/core/view-changes.ts";
import { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import type { Journal, JournalRecord } from "../../../../src/journal/journal.ts";
import { noJournal } from "../../../../src/journal/no-journal.ts";
import { createCache } from "../../../../src/member/keys/cache.ts";
import { MemberMetrics } from "../../../../src/member/metrics.ts";
import { Proposer } from "../../../../src/member/views/proposer.ts";
import { ViewLife } from "../../../../src/member/views/view-life.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { hold, wholeSlices } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { leaseMs, memberOf, nextView, stateOf, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const view = viewOf(4, [a, b]);

/** Member a, which has adopted no view yet; the store has this one. A slice has so many items. */
function trialOf(stored: View = view, isVouchedFor = true, items = wholeSlices.items) {
  const clock = new ManualClock();
  const store = new ViewStore(stored);
  const log = new RecordedLog();
  const random = new SimRandom(1);
  const complaints = new Complaints(log, clock, 10_000);
  const membership = new Membership(a, clock, []);
  if (isVouchedFor) membership.confirm(b, stateOf(0, "adopting"), membership.lease.stamp());
  const journaled: JournalRecord[] = [];
  const buffer = new WriteBuffer(new Admission({ dirtyBytes: 1e9, refusedBytes: 1e9, waitMs: 500 }, clock), {
    append: (record) => journaled.push(record),
  });
  const network = new ScriptedNetwork();
  const events: string[] = [];
  const state = { durable: undefined as Promise<void> | undefined, asksStore: false, inheritsLong: false };
  const journal: Journal = {
    ...noJournal("a-disk"),
    append: (record) => journaled.push(record),
    durable: () => state.durable,
  };
  const record = new ViewRecord({ store, clock, random, complaints });
  const proposer = new Proposer({ membership }, record, {
    onView: () => events.push("onView"),
    onNewerEpoch: (epoch) => events.push(`epoch ${epoch}`),
  });
  const stages = { deliver: (): void => undefined, inherit: (): void => undefined, handOff: (): void => undefined };
  const flights: { record: KeyState }[] = [];
  const note = (event: string) => (): void => {
    events.push(event);
  };
  const context = {
    membership,
    late: new LateEffects(0, { append: () => undefined }),
    buffer,
    cache: createCache(1_000),
    requests: new RequestLog(),
    journal,
    network,
    clock,
    random,
    log,
    complaints,
    metrics: new MemberMetrics(),
    slices: new Slices(clock, { ...wholeSlices, items }),
  };
  const life = new ViewLife(context, proposer, {
    reads: { invalidateAll: note("reads") },
    primary: {
      adoptView: note("primary"),
      mayAnswer: note("may answer"),
      beginEpoch: note("begin epoch"),
      inheritance: {
        begin: (onDone) => {
          events.push("inherit");
          stages.inherit = onDone;
          if (!state.inheritsLong) onDone();
        },
        get asksStore(): boolean {
          return state.asksStore;
        },
      },
    },
    durableWrites: { adoptView: note("durable writes") },
    flusher: {
      forget: note("forget"),
      gained: note("gained"),
      pause: note("pause"),
      resume: note("resume"),
      flights,
      quiet: true,
    },
    queue: { expedite: note("expedite"), schedule: note("schedule") },
    cleaner: { adoptView: note("cleaner"), viewSettled: note("clean") },
    handOff: {
      deliver: (onDone) => {
        events.push("deliver");
        stages.deliver = onDone;
      },
      handOff: (onDone) => {
        events.push("hand off");
        stages.handOff = onDone;
      },
      stop: note("stop hand-off"),
    },
    eviction: { adoptView: note("eviction") },
    gossip: { tellEveryone: () => events.push(`tell ${membership.progress}`), pingEveryone: note("ping") },
    router: { wake: note("wake") },
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10) {
      clock.advance(10);
      for (let each = 0; each < 10; each++) await turn();
    }
  };
  /** What has happened since this was last asked. */
  const news = (): string[] => events.splice(0);
  const hear = (progress: Progress, epoch = membership.epoch): void => membership.hear(b, stateOf(epoch, progress));
  return {
    clock,
    store,
    log,
    membership,
    buffer,
    flights,
    requests: context.requests,
    network,
    journaled,
    state,
    stages,
    life,
    pass,
    news,
    hear,
  };
}

function entryOf(key: string): Entry {
  const requestId = { router: "r", counter: 1 };
  const value = Buffer.from("v");
  return { epoch: 1, seq: 1, key, value, headers: noHeaders, md5: "", modifiedMs: 0, size: 1, requestId };
}

/** Takes a trial's member, and its peer, as far as both have handed off. */
function handOffAll({ life, stages, hear }: ReturnType<typeof trialOf>): void {
  life.adopt(view);
  stages.deliver();
  hear("delivered");
  life.step();
  stages.handOff();
  hear("handed_off");
  life.step();
}

describe("ViewLife", () => {
  it("takes a newer view on in one step, and tells that it has once that is journaled", async () => {
    const { state, journaled, membership, life, news } = trialOf();
    const written = Promise.withResolvers<void>();
    state.durable = written.promise;
    life.adopt(view);
    const adopted = ["reads", "cleaner", "stop hand-off", "primary", "durable writes", "eviction", "tell adopting"];
    assert.deepEqual(news(), [...adopted, "wake"]);
    assert.deepEqual(
      journaled.map(({ kind }) => kind),
      ["adopt"],
    );
    life.step();
    assert.deepEqual([news(), membership.progress], [[], "adopting"]);
    written.resolve();
    await turn();
    assert.deepEqual(news(), ["may answer", "wake", "tell adopted", "ping", "deliver"]);
  });

  it("has the journal forget the outcomes that it forgets", () => {
    const { journaled, requests, life } = trialOf();
    // Under no view that counts did this member own the key.
    const requestId = { router: b.incarnation, counter: 1 };
    requests.record(requestId, "k", { epoch: 1, seq: 1 });
    life.adopt({ ...viewOf(4, [b, { ...a, weight: 0 }]), settled: true });
    assert.equal(requests.find(requestId), undefined);
    assert.deepEqual(journaled[0], { kind: "forget", requests: [requestId] }, "the journal forgets them");
  });

  it("does not go on with a view that was replaced before it was journaled, nor after its end", async () => {
    const { state, membership, life, news } = trialOf();
    const written = Promise.withResolvers<void>();
    state.durable = written.promise;
    life.adopt(view);
    state.durable = new Promise(() => undefined);
    life.adopt(nextView(view, [a, b, c]));
    news();
    written.resolve();
    await turn();
    assert.deepEqual([news(), membership.progress], [[], "adopting"]);
    const ended = trialOf();
    ended.state.durable = Promise.resolve();
    ended.life.adopt(view);
    ended.life.stop();
    ended.news();
    await turn();
    ended.life.step();
    assert.deepEqual(ended.news(), []);
  });

  it("delivers nothing before every other member has answered this process, or if one knows more of its folder", () => {
    const { membership, life, news } = trialOf(view, false);
    life.adopt(view);
    life.step();
    assert.ok(!news().includes("deliver"), "nobody has vouched for the folder yet");
    membership.confirm(b, stateOf(4, "adopted"), membership.lease.stamp());
    life.step();
    life.step();
    assert.deepEqual(news(), ["deliver"]);
    const refused = trialOf();
    refused.membership.markBroughtBack();
    refused.life.adopt(view);
    assert.ok(!refused.news().includes("deliver"));
  });

  it("hands off and serves when all have delivered, whatever comes first, and each step once", () => {
    const { stages, life, news, hear } = trialOf();
    life.adopt(view);
    news();
    hear("delivered");
    life.step();
    assert.deepEqual(news(), []);
    stages.deliver();
    assert.deepEqual(news(), ["tell delivered", "inherit", "hand off", "pause", "resume", "may answer", "wake"]);
    for (let time = 0; time < 3; time++) life.step();
    assert.deepEqual(news(), []);
    stages.handOff();
    assert.deepEqual(news(), ["tell handed_off"]);
    for (let time = 0; time < 3; time++) life.step();
    assert.deepEqual(news(), []);
  });

  it("serves by itself when T has passed after a drop", async () => {
    const { stages, membership, life, pass, hear } = trialOf();
    life.adopt({ ...view, dropped: true });
    hear("delivered");
    stages.deliver();
    await pass(leaseMs - 10);
    assert.equal(membership.activated, false);
    await pass(10);
    assert.equal(membership.activated, true);
  });

  it("has not handed off while the store is asked for something that was forgotten", () => {
    const { state, stages, membership, life, hear } = trialOf();
    state.asksStore = true;
    life.adopt(view);
    hear("delivered");
    stages.deliver();
    stages.handOff();
    assert.equal(membership.progress, "delivered");
    state.asksStore = false;
    life.step();
    assert.equal(membership.progress, "handed_off");
  });

  it("disconnects from processes that are no longer in the view, and from no other", () => {
    const { network, life } = trialOf();
    network.link(b, c);
    life.adopt(viewOf(4, [a, b, c]));
    life.adopt(nextView(viewOf(4, [a, b, c]), [a, c]));
    assert.deepEqual([...network.links.keys()], ["c"]);
    network.link(memberOf("c", { incarnation: "c-2" }));
    life.adopt(nextView(viewOf(5, [a, c]), [a]));
    assert.deepEqual([...network.links.keys()], ["c"]);
  });
});

describe("ViewLife, in slices", () => {
  /** Of none of these did the member own the key under a view that counts. */
  const entries = ["k1", "k2", "k3"].map((key) => entryOf(key));

  it("goes through all that it holds before it says that it has adopted the view, and takes nothing until then (V64)", () => {
    const { clock, buffer, journaled, membership, life, news } = trialOf(view, true, 1);
    for (const entry of entries) hold(buffer, entry);
    journaled.splice(0);
    life.adopt(view);
    assert.deepEqual([membership.epoch, membership.isSwept, buffer.size], [4, false, 3]);
    assert.ok(!news().includes("tell adopted"));
    clock.advance(0);
    assert.deepEqual([membership.isSwept, membership.progress, buffer.size], [true, "adopted", 0]);
    assert.deepEqual(
      journaled.map(({ kind }) => kind),
      ["clean", "clean", "clean", "adopt"],
    );
    assert.deepEqual(news().slice(-5), ["may answer", "wake", "tell adopted", "ping", "deliver"]);
  });

  it("begins anew with the next view, and has not adopted the one before (V65)", () => {
    const { clock, buffer, journaled, membership, life } = trialOf(view, true, 1);
    for (const entry of entries) hold(buffer, entry);
    life.adopt(view);
    const next = nextView(view, [a, b, c]);
    life.adopt(next);
    clock.advance(0);
    assert.deepEqual([membership.isSwept, membership.adoptedEpochs, buffer.size], [true, [5], 0]);
    assert.deepEqual(
      journaled.flatMap((record) => (record.kind === "adopt" ? [record.adopted] : [])),
      [[5]],
    );
  });

  it("has no flush begin before it has noted all that it gained, also if the next view cuts that short (F26)", () => {
    for (const isCutShort of [false, true]) {
      const { clock, buffer, life, stages, news, hear } = trialOf(view, true, 1);
      life.adopt(view);
      clock.advance(0);
      hear("delivered");
      for (const entry of entries) hold(buffer, entry);
      news();
      stages.deliver();
      const begun = news();
      assert.ok(begun.includes("pause") && !begun.includes("resume"), `no flush begins: ${begun.join()}`);
      if (isCutShort) life.adopt(nextView(view, [a, b, c]));
      clock.advance(0);
      assert.equal(news().filter((event) => event === "resume").length, 1, `cut short: ${isCutShort}`);
    }
  });

  it("has handed off only when it has activated the view and noted all that it gained (V68)", () => {
    const { clock, buffer, life, stages, membership, hear } = trialOf(view, true, 1);
    life.adopt(view);
    clock.advance(0);
    hear("delivered");
    for (const entry of entries) hold(buffer, entry);
    stages.deliver();
    stages.handOff();
    assert.deepEqual([membership.activated, membership.progress], [true, "delivered"], "the next view would not know");
    clock.advance(0);
    assert.equal(membership.progress, "handed_off");
  });

  it("has handed off only when T has passed, where a member was dropped: no older view is served then (V68)", async () => {
    const dropped = { ...view, dropped: true };
    const { life, stages, membership, hear, pass } = trialOf(dropped);
    life.adopt(dropped);
    hear("delivered");
    stages.deliver();
    stages.handOff();
    const { leaseMs } = dropped.parameters;
    await pass(leaseMs - 10);
    assert.deepEqual([membership.activated, membership.progress], [false, "delivered"]);
    await pass(10);
    assert.deepEqual([membership.activated, membership.progress], [true, "handed_off"]);
  });

  it("ends the tenure of keys that are being flushed at once (V66)", () => {
    const { buffer, flights, life, news } = trialOf(view, true, 1);
    for (const entry of entries) hold(buffer, entry);
    const record = buffer.get("k3") as KeyState;
    flights.push({ record });
    record.takeOff(record.entry as Entry, 0, false);
    life.adopt(view);
    assert.deepEqual([record.flight, buffer.size], [undefined, 3]);
    assert.ok(news().includes("forget"));
  });

  it("serves what it gains when all of that is inherited (V67)", () => {
    const { state, stages, membership, life, news, hear } = trialOf();
    state.inheritsLong = true;
    life.adopt(view);
    hear("delivered");
    stages.deliver();
    life.step();
    assert.deepEqual([membership.activated, news().includes("hand off")], [false, false]);
    stages.inherit();
    assert.equal(membership.activated, true);
    assert.deepEqual(news(), ["hand off", "pause", "resume", "may answer", "wake"]);
  });
});

describe("ViewLife, settling", () => {
  it("settles the view in the store when all have handed off, once", async () => {
    const trial = trialOf();
    handOffAll(trial);
    trial.news();
    for (let time = 0; time < 3; time++) trial.life.step();
    await trial.pass(20);
    assert.deepEqual([trial.store.view?.settled, trial.membership.settled, trial.store.writes], [true, true, 1]);
    assert.deepEqual(trial.news(), ["tell handed_off", "clean"]);
    trial.life.step();
    await trial.pass(1_000);
    assert.deepEqual(
      [trial.news(), trial.store.reads, trial.log.messages("info").join()],
      [[], 1, "view adopted,view activated,view settled"],
    );
  });

  it("finds it settled where another member was first, or hears that from it", async () => {
    const found = trialOf(settledView(view, { lost: [], forgotten: [] }, "b's"));
    handOffAll(found);
    await found.pass(20);
    assert.deepEqual([found.membership.settled, found.store.writes, found.news().at(-1)], [true, 0, "clean"]);
    const heard = trialOf();
    handOffAll(heard);
    heard.membership.hear(b, stateOf(4, "handed_off", { settled: true }));
    heard.news();
    heard.life.step();
    heard.life.step();
    await heard.pass(1_000);
    assert.deepEqual([heard.news(), heard.store.reads], [["clean"], 0]);
  });

  it("that was not the first to be settled without a pause begins anew when the first attempt ends", async () => {
    const trial = trialOf();
    const { store, stages, life, pass } = trial;
    const read = store.read.bind(store);
    const late = Promise.withResolvers<void>();
    store.read = async () => {
      store.read = read;
      await late.promise;
      return await read();
    };
    handOffAll(trial);
    await pass(20);
    const next = nextView(view, [a, b]);
    store.view = next;
    life.adopt(next);
    trial.hear("delivered");
    stages.deliver();
    stages.handOff();
    trial.hear("handed_off");
    life.step();
    late.resolve();
    await pass(20);
    assert.equal(trial.membership.settled, true);
  });

  it("does not ask the store without a pause to settle a view that is not there any more", async () => {
    const trial = trialOf(viewOf(3, [a, b]));
    handOffAll(trial);
    await trial.pass(1_000);
    trial.life.stop();
    assert.ok(trial.store.reads > 1 && trial.store.reads <= 25, `${trial.store.reads} reads in a second`);
  });

  it("learns of a newer view that it finds there", async () => {
    const trial = trialOf(nextView(view, [a, b, c]));
    handOffAll(trial);
    await trial.pass(20);
    trial.life.stop();
    assert.equal(trial.news().at(-1), "epoch 5");
    assert.equal(trial.store.writes, 0);
  });

  it("is tried again after a failure, and when the view is gone says so", async () => {
    const failing = trialOf();
    failing.store.writeEndings.push("refused");
    handOffAll(failing);
    await failing.pass(490);
    assert.equal(failing.membership.settled, false);
    await failing.pass(40);
    assert.equal(failing.membership.settled, true);
    const gone = trialOf();
    gone.store.bytes = undefined;
    handOffAll(gone);
    await gone.pass(20);
    gone.life.stop();
    assert.match(gone.log.messages("warn").join(), /cannot be settled and will be tried again/);
  });
});
