/** The other owners of a key hear of requests without an answer before its next one (F25). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { LateEffects } from "../../../../src/core/late-effects.ts";
import { noJournal } from "../../../../src/journal/no-journal.ts";
import { LateNotices } from "../../../../src/member/flush/late-notices.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b] = [memberOf("a"), memberOf("b")];
const ack = { kind: "ack", epoch: 4 } as const;
const refused = { kind: "refused", code: "wrong_view", epoch: 4, detail: "no" } as const;

/** Member a of two, which both own all keys. */
function trialOf() {
  const clock = new ManualClock();
  const membership = servingMember({ ...viewOf(4, [a, b]) }, a, clock);
  const network = new ScriptedNetwork();
  const late = new LateEffects(1_000, { append: () => undefined });
  const complaints = new Complaints(new RecordedLog(), clock, 10_000);
  const journal = noJournal("a-disk");
  const notices = new LateNotices({ membership, network, journal, clock, complaints, late }, 5_000);
  const state = { isCurrent: true, isTold: false };
  const tell = (): void => {
    state.isTold = false;
    void notices
      .tell("k", () => state.isCurrent)
      .then(() => {
        state.isTold = true;
      });
  };
  const fail = (): void => late.add("k", { epoch: 4, seq: 1 }, { kind: "absent" }, clock.now());
  return { clock, network, state, tell, fail, late, notices };
}

describe("LateNotices", () => {
  it("tell the other owners once, and are done when these have it", async () => {
    const { network, state, tell, fail } = trialOf();
    fail();
    tell();
    await turn();
    const effects = [{ key: "k", condition: { kind: "absent" }, version: { epoch: 4, seq: 1 }, leftMs: 1_250 }];
    assert.deepEqual(
      network.sent.map(({ to, request }) => [to, request]),
      [["b", { kind: "late", epoch: 4, effects }]],
    );
    assert.equal(state.isTold, false);
    network.answer(ack);
    await turn();
    assert.equal(state.isTold, true);
    tell();
    await turn();
    assert.deepEqual([state.isTold, network.sent.length], [true, 1]);
  });

  it("tell it again after a refusal, until that is of no use any more", async () => {
    const { clock, network, state, tell, fail } = trialOf();
    fail();
    tell();
    await turn();
    network.answer(refused);
    await turn();
    clock.advance(50);
    await turn();
    assert.deepEqual([state.isTold, network.sent.length], [false, 2]);
    state.isCurrent = false;
    network.answer(refused);
    await turn();
    clock.advance(50);
    await turn();
    assert.deepEqual([state.isTold, network.sent.length], [true, 2]);
  });

  it("take a removal back when it is answered", async () => {
    const { clock, network, late, notices } = trialOf();
    late.announce("k", { epoch: 4, seq: 1 }, clock.now());
    const answered = notices.answered("k", { epoch: 4, seq: 1 });
    await turn();
    assert.deepEqual(
      network.sent.map(({ to, request }) => [to, request]),
      [["b", { kind: "answered", epoch: 4, key: "k", version: { epoch: 4, seq: 1 } }]],
    );
    assert.equal(late.mayChange("k", clock.now()), true, "the others come first");
    network.answer(ack);
    await answered;
    assert.equal(late.mayChange("k", clock.now()), false);
  });

  it("keep it when another owner may not have heard that it was answered", async () => {
    const { clock, network, late, notices } = trialOf();
    late.announce("k", { epoch: 4, seq: 1 }, clock.now());
    const answered = notices.answered("k", { epoch: 4, seq: 1 });
    await turn();
    network.answer(refused);
    await answered;
    late.answered("k", { epoch: 4, seq: 1 });
    assert.equal(late.mayChange("k", clock.now()), true, "no word of this version ends it");
    assert.equal(late.untold("k", clock.now()).length, 1);
  });
});
