/**
 * The two stages of a hand-off: what goes to whom, in which order, and when it is said to be done (V38, V39, V40, W12,
 * W13).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { Slices } from "../../../../src/base/slices.ts";
import { type Entry, noHeaders } from "../../../../src/core/entry.ts";
import { LateEffects } from "../../../../src/core/late-effects.ts";
import type { Membership } from "../../../../src/core/membership.ts";
import type { PeerAnswer } from "../../../../src/core/message.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
import type { Version } from "../../../../src/core/version.ts";
import type { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { HandOff } from "../../../../src/member/views/hand-off.ts";
import { assign, hold, inherit, roomyBuffer, wholeSlices } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { type Script, ScriptedNetwork, type SentRequest, turn } from "../../../harness/scripted-network.ts";
import { keyWhere, memberIn, memberOf, ringOf, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const view = viewOf(4, [a, b, c]);
const keyOf = (...owners: string[]): string => keyWhere((key) => ringOf(view).ownersOf(key).join() === owners.join());
const [ab, ba, bc, cb] = [keyOf("a", "b"), keyOf("b", "a"), keyOf("b", "c"), keyOf("c", "b")];
const deadlineMs = 4_000;

const ack: PeerAnswer = { kind: "ack", epoch: 4 };
const wanted = (...indices: number[]): PeerAnswer => ({ kind: "wanted", epoch: 4, wanted: indices });

/** Wants everything. */
const greedy: Script = ({ request }) => (request.kind === "hand_off_list" ? wanted(...request.items.keys()) : ack);

function entryOf(key: string, seq: number, size = 1): Entry {
  const common = { key, epoch: 3, seq, headers: noHeaders, md5: "", modifiedMs: 0, size };
  return { ...common, value: Buffer.alloc(size), requestId: { router: "r", counter: seq } };
}

interface Trial {
  readonly clock: ManualClock;
  readonly network: ScriptedNetwork;
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly requests: RequestLog;
  readonly late: LateEffects;
  readonly handOff: HandOff;
  /** The two stages. */
  readonly deliver: () => void;
  readonly toOwners: () => void;
  readonly events: string[];
}

/** Member a, which holds these. */
function trialOf(script: Script, ...entries: readonly Entry[]): Trial {
  const clock = new ManualClock();
  const network = new ScriptedNetwork(script);
  const membership = memberIn(view, a, { clock });
  const buffer = roomyBuffer(clock);
  const requests = new RequestLog();
  for (const entry of entries) hold(buffer, entry);
  const events: string[] = [];
  const complaints = new Complaints(new RecordedLog(), clock, 10_000);
  const slices = new Slices(clock, wholeSlices);
  const late = new LateEffects(1_000, { append: () => undefined });
  const context = { late, membership, buffer, requests, network, clock, complaints, slices };
  const acknowledged = (key: string, { seq }: Version, peer: string) => events.push(`${peer} has ${seq} of ${key}`);
  const stuck = (peer: string) => events.push(`stuck ${peer}`);
  const handOff = new HandOff(context, { acknowledged }, { stuck }, deadlineMs);
  const deliver = () => handOff.deliver(() => events.push("delivered"));
  const toOwners = () => handOff.handOff(() => events.push("handed off"));
  return { clock, network, membership, buffer, requests, late, handOff, deliver, toOwners, events };
}

/** A request in one word or two. */
function nameOf({ to, request }: SentRequest): string {
  if (request.kind === "hand_off_list") return `list to ${to}: ${request.items.map(({ key }) => key).join()}`;
  if (request.kind === "hand_off") return `entry to ${to}: ${request.entry.key}`;
  if (request.kind === "hand_off_outcomes")
    return `outcomes to ${to}: ${request.outcomes.map(({ requestId }) => requestId.counter).join()}`;
  return request.kind;
}

describe("HandOff, to the primaries", () => {
  it("with nothing to deliver is done, though not before its caller has gone on", async () => {
    const { deliver, events } = trialOf(greedy, entryOf(ab, 1));
    deliver();
    assert.deepEqual(events, []);
    await turn();
    assert.deepEqual(events, ["delivered"]);
  });

  it("takes each held entry to its key's primary, owner or not, and keeps its own keys to itself", async () => {
    const { deliver, network, events } = trialOf(greedy, entryOf(ab, 1), entryOf(ba, 2), entryOf(cb, 3));
    deliver();
    await turn();
    assert.deepEqual(
      network.sent.map(nameOf).toSorted(),
      [`list to b: ${ba}`, `entry to b: ${ba}`, `list to c: ${cb}`, `entry to c: ${cb}`].toSorted(),
    );
    assert.deepEqual(events, ["delivered"]);
  });

  it("sends what is wanted only", async () => {
    const { deliver, network, events } = trialOf(
      ({ request }) =>
        request.kind === "hand_off_list" ? wanted(request.items.findIndex(({ key }) => key === bc)) : ack,
      entryOf(ba, 1),
      entryOf(bc, 2),
    );
    deliver();
    await turn();
    const [list = "", entry, ...others] = network.sent.map(nameOf);
    assert.ok(list === `list to b: ${ba},${bc}` || list === `list to b: ${bc},${ba}`, list);
    assert.deepEqual([entry, others], [`entry to b: ${bc}`, []]);
    assert.deepEqual(events, ["delivered"]);
  });

  it("is done when every part is acknowledged, and not before", async () => {
    const { deliver, network, events } = trialOf(() => undefined, entryOf(ba, 1), entryOf(cb, 2));
    deliver();
    network.answer(wanted(0), "b");
    network.answer(wanted(), "c");
    await turn();
    assert.deepEqual([network.sent.map(nameOf).at(-1), events], [`entry to b: ${ba}`, []]);
    network.answer(ack, "b");
    await turn();
    assert.deepEqual(events, ["delivered"]);
  });

  it("takes outcomes along, those of clean keys, too, and only after the entries: who knows the outcome must have the value", async () => {
    const { deliver, network, requests, events } = trialOf(() => undefined, entryOf(ba, 5));
    requests.record({ router: "r", counter: 5 }, ba, { epoch: 3, seq: 5 });
    requests.record({ router: "r", counter: 2 }, bc, { epoch: 3, seq: 2 });
    requests.record({ router: "r", counter: 1 }, ab, { epoch: 3, seq: 1 });
    deliver();
    network.answer(wanted(0));
    await turn();
    assert.deepEqual(network.sent.map(nameOf), [`list to b: ${ba}`, `entry to b: ${ba}`]);
    network.answer(ack);
    await turn();
    assert.deepEqual(network.sent.map(nameOf).at(-1), "outcomes to b: 5,2");
    assert.deepEqual(events, []);
    network.answer(ack);
    await turn();
    assert.deepEqual(events, ["delivered"]);
  });

  it("takes along which requests without an answer may still take effect, of clean keys, too (F25)", async () => {
    const { clock, deliver, network, late, events } = trialOf(() => undefined);
    late.add(ba, { epoch: 3, seq: 5 }, { kind: "absent" }, clock.now());
    late.add(ab, { epoch: 3, seq: 6 }, { kind: "absent" }, clock.now());
    clock.advance(100);
    deliver();
    await turn();
    const effects = [{ key: ba, condition: { kind: "absent" }, version: { epoch: 3, seq: 5 }, leftMs: 900 }];
    assert.deepEqual(
      network.sent.map(({ to, request }) => [to, request]),
      [["b", { kind: "late", epoch: 4, effects }]],
    );
    network.answer(ack);
    await turn();
    assert.deepEqual(events, ["delivered"]);
  });

  it("says after the entries of which keys nobody has looked at the object since a primary was lost (F26)", async () => {
    const { clock, buffer, deliver, network, events } = trialOf(greedy, entryOf(ba, 1), entryOf(bc, 2), entryOf(ab, 3));
    for (const [key, ms] of [
      [ba, 1_000],
      [bc, 100],
      [ab, 1_000],
    ] as const)
      buffer.get(key)?.mayHaveUnknown(clock.now() + ms);
    clock.advance(100);
    deliver();
    await turn();
    assert.deepEqual(
      network.sent.slice(-1).map(({ to, request }) => [to, request]),
      [["b", { kind: "hand_off_unknown", epoch: 4, unknown: [{ key: ba, leftMs: 900 }] }]],
      "a request that nobody knows may take effect yet",
    );
    assert.deepEqual(events, ["delivered"]);
  });

  it("goes in lists of a bounded length, one after the other", async () => {
    const { lists } = ringOf(view);
    assert.ok(lists.length > 0);
    const keys: string[] = [];
    for (let number = 0; keys.length < 1_100; number++)
      if (ringOwner(`many-${number}`) === "b") keys.push(`many-${number}`);
    const { deliver, network, events } = trialOf(
      ({ request }) => (request.kind === "hand_off_list" ? wanted() : ack),
      ...keys.map((key, index) => entryOf(key, index + 1)),
    );
    deliver();
    await turn();
    const lengths = network.sent.map(({ request }) => (request.kind === "hand_off_list" ? request.items.length : 0));
    assert.deepEqual([lengths, events], [[500, 500, 100], ["delivered"]]);
  });

  it("has a bounded number of entries under way to one owner", async () => {
    const keys: string[] = [];
    for (let number = 0; keys.length < 40; number++)
      if (ringOwner(`many-${number}`) === "b") keys.push(`many-${number}`);
    const { deliver, network } = trialOf(
      ({ request }) => (request.kind === "hand_off_list" ? wanted(...request.items.keys()) : undefined),
      ...keys.map((key, index) => entryOf(key, index + 1)),
    );
    deliver();
    await turn();
    assert.equal(network.sent.length, 1 + 16);
    network.answer(ack);
    await turn();
    assert.equal(network.sent.length, 1 + 17);
  });
});

describe("HandOff, to the other owners", () => {
  it("takes what this member is the primary of to each other owner, and says what each has", async () => {
    const { deliver, toOwners, network, events } = trialOf(greedy, entryOf(ab, 1), entryOf(ba, 2));
    deliver();
    await turn();
    network.sent.length = 0;
    events.length = 0;
    toOwners();
    await turn();
    assert.deepEqual(network.sent.map(nameOf), [`list to b: ${ab}`, `entry to b: ${ab}`]);
    assert.deepEqual(events, [`b has 1 of ${ab}`, "handed off"]);
  });

  it("says of what is not wanted, too, that the owner has it", async () => {
    const { toOwners, events } = trialOf(
      ({ request }) => (request.kind === "hand_off_list" ? wanted() : ack),
      entryOf(ab, 1),
    );
    toOwners();
    await turn();
    assert.deepEqual(events, [`b has 1 of ${ab}`, "handed off"]);
  });

  it("takes inherited entries, which nobody sees yet, and their outcomes", async () => {
    const { toOwners, buffer, requests, network } = trialOf(greedy, entryOf(ab, 1));
    requests.record({ router: "r", counter: 1 }, ab, { epoch: 3, seq: 1 });
    inherit(buffer, buffer.open(ab, 0), { others: ["b"] });
    toOwners();
    await turn();
    assert.deepEqual(network.sent.map(nameOf), [`list to b: ${ab}`, `entry to b: ${ab}`, "outcomes to b: 1"]);
  });

  it("leaves a pending write of its own to replication, and its outcome with it", async () => {
    const { toOwners, buffer, requests, network } = trialOf(greedy, entryOf(ab, 1));
    assign(buffer, entryOf(ab, 2), { others: ["b"] });
    for (const counter of [1, 2]) requests.record({ router: "r", counter }, ab, { epoch: 3, seq: counter });
    toOwners();
    await turn();
    const [, sent] = network.sent;
    assert.equal(sent?.request.kind === "hand_off" && sent.request.entry.seq, 1);
    assert.deepEqual(network.sent.map(nameOf).at(-1), "outcomes to b: 1");
  });
});

describe("HandOff, when it fails", () => {
  it("sends again what was refused or failed, for as long as it takes", async () => {
    const { deliver, clock, network, events } = trialOf(() => undefined, entryOf(ba, 1));
    deliver();
    network.answer({ kind: "refused", code: "wrong_view", epoch: 3, detail: "not there yet" });
    await turn();
    assert.equal(network.sent.length, 1);
    clock.advance(50);
    await turn();
    network.answer(new OperatingError("peer_unreachable", "the link broke"));
    await turn();
    clock.advance(50);
    await turn();
    assert.equal(network.sent.length, 3);
    network.answer(wanted());
    await turn();
    assert.deepEqual(events, ["delivered"]);
  });

  it("tells of a peer that has a link and gives no answer in time", async () => {
    const { deliver, network, events } = trialOf(() => undefined, entryOf(ba, 1));
    deliver();
    assert.equal(network.sent[0]?.deadlineMs, deadlineMs);
    network.answer(new OperatingError("deadline_exceeded", "no answer in time"));
    await turn();
    assert.deepEqual(events, ["stuck b"]);
  });

  it("ends with the view: a stopped run sends nothing again and is never done, nor is the peer said to be stuck", async () => {
    for (const late of [wanted(0), ack, new OperatingError("deadline_exceeded", "no answer in time")]) {
      const { handOff, deliver, clock, network, events } = trialOf(() => undefined, entryOf(ba, 1));
      deliver();
      handOff.stop();
      network.answer(late);
      await turn();
      clock.advance(10_000);
      await turn();
      assert.deepEqual([network.sent.length, events], [1, []]);
    }
  });

  it("counts nothing any more that an owner says it has under a view that is over", async () => {
    const { handOff, toOwners, network, events } = trialOf(() => undefined, entryOf(ab, 1));
    toOwners();
    handOff.stop();
    network.answer(wanted());
    await turn();
    assert.deepEqual(events, []);
  });

  it("of an earlier run is not taken for the present one's", async () => {
    const { deliver, network, events } = trialOf(() => undefined, entryOf(ba, 1));
    deliver();
    deliver();
    network.answer(wanted());
    await turn();
    assert.deepEqual(events, []);
    network.answer(wanted());
    await turn();
    assert.deepEqual(events, ["delivered"]);
  });
});

function ringOwner(key: string): string | undefined {
  return ring.ownersOf(key)[0];
}

const ring = ringOf(view);
