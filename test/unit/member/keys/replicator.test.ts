/**
 * Replication to one owner: again until it is acknowledged, and only what was acknowledged in the adopted epoch
 * counts (W7, W9).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { noHeaders, noRequest } from "../../../../src/core/entry.ts";
import { KeyState } from "../../../../src/core/key-state.ts";
import type { Membership } from "../../../../src/core/membership.ts";
import type { PendingWrite } from "../../../../src/core/pending-write.ts";
import { Replicator } from "../../../../src/member/keys/replicator.ts";
import { spread } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { memberIn, memberOf, nextView, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const view = viewOf(4, [a, b, c]);
const deadlineMs = 4_000;
const ack = { kind: "ack", epoch: 4 } as const;

interface Trial {
  readonly clock: ManualClock;
  readonly network: ScriptedNetwork;
  readonly membership: Membership;
  readonly replicator: Replicator;
  readonly record: KeyState;
  readonly write: PendingWrite;
  readonly events: readonly string[];
}

/** Member a, with a write that it has sent to b, and that c, too, must have. */
function trialOf(): Trial {
  const clock = new ManualClock();
  const network = new ScriptedNetwork();
  network.link(b, c);
  const membership = memberIn(view, a, { clock });
  const events: string[] = [];
  const complaints = new Complaints(new RecordedLog(), clock, 10_000);
  const replicator = new Replicator(
    { membership, network, clock, complaints },
    { commitReady: () => events.push("acknowledged") },
    { onNewerEpoch: (epoch) => events.push(`epoch ${epoch}`), onStuck: (peer) => events.push(`stuck ${peer}`) },
    deadlineMs,
  );
  const record = new KeyState("k", 0);
  const common = { key: "k", epoch: 4, seq: 1, headers: noHeaders, md5: "", modifiedMs: 0, size: 1 };
  const entry = { ...common, value: Buffer.from("v"), requestId: noRequest };
  const write = record.assign(entry, { now: 0, others: ["b", "c"], isShort: false });
  write.outcome.catch(() => undefined);
  replicator.send(record, write, "b");
  return { clock, network, membership, replicator, record, write, events };
}

const refused = (code: "wrong_view" | "buffer_full", epoch: number): { kind: "refused" } & Record<string, unknown> => ({
  kind: "refused",
  code,
  epoch,
  detail: "no",
});

describe("Replicator", () => {
  it("sends the entry in the adopted epoch; an acknowledgement takes that owner off those that are missing", async () => {
    const { network, write, events } = trialOf();
    const [sent] = network.sent;
    assert.deepEqual(
      [sent?.to, sent?.request, sent?.deadlineMs],
      ["b", { kind: "replicate", epoch: 4, entry: write.entry }, deadlineMs],
    );
    network.answer(ack);
    await turn();
    assert.deepEqual([write.missing, events], [["c"], ["acknowledged"]]);
  });

  it("does not count what was acknowledged in another epoch, nor sends it again under the new one by itself", async () => {
    const stale = trialOf();
    stale.network.answer({ kind: "ack", epoch: 3 });
    await turn();
    assert.deepEqual([stale.write.missing, stale.events], [["b", "c"], []]);

    const moved = trialOf();
    moved.membership.adopt(nextView(view, [a, b, c]));
    moved.replicator.adoptView();
    moved.network.answer(ack);
    await turn();
    moved.clock.advance(10_000);
    assert.deepEqual([moved.write.missing, moved.events, moved.network.sent.length], [["b", "c"], [], 1]);
  });

  it("sends again, after a short pause, what was refused or failed", async () => {
    for (const answer of [refused("wrong_view", 4) as never, new OperatingError("overloaded", "the queue is full")]) {
      const { clock, network, write } = trialOf();
      network.answer(answer);
      await turn();
      clock.advance(49);
      assert.equal(network.sent.length, 1);
      clock.advance(1);
      assert.equal(network.sent.length, 2);
      network.answer(ack);
      await turn();
      assert.deepEqual(write.missing, ["c"]);
    }
  });

  it("waits longer before it sends again to a full buffer", async () => {
    const { clock, network } = trialOf();
    network.answer(refused("buffer_full", 4) as never);
    await turn();
    clock.advance(499);
    assert.equal(network.sent.length, 1);
    clock.advance(1);
    assert.equal(network.sent.length, 2);
  });

  it("waits without a link for the next one, and sends at once then", async () => {
    const { clock, network, replicator } = trialOf();
    network.links.clear();
    network.answer(new OperatingError("peer_unreachable", "the link broke"));
    await turn();
    clock.advance(10_000);
    assert.equal(network.sent.length, 1);
    network.link(b);
    replicator.resend("b");
    assert.equal(network.sent.length, 2);
  });

  it("does not send again what has committed, been lost or been acknowledged meanwhile", async () => {
    for (const change of [
      ({ record, write }: Trial): unknown => {
        spread(record, write);
        return record.commit();
      },
      // An owner may still miss it then, and it is not pending any more.
      ({ record }: Trial): unknown => record.endTenure(new OperatingError("not_ready", "another node owns it now")),
      ({ record, write }: Trial): unknown => record.acknowledged(write, "b"),
    ]) {
      const trial = trialOf();
      trial.network.answer(new OperatingError("peer_unreachable", "the link broke"));
      await turn();
      change(trial);
      trial.clock.advance(10_000);
      assert.equal(trial.network.sent.length, 1);
    }
  });

  it("tells of a newer epoch that a peer has adopted", async () => {
    const { network, events } = trialOf();
    network.answer(refused("wrong_view", 6) as never);
    await turn();
    assert.deepEqual(events, ["epoch 6"]);
  });

  it("tells of a peer that has a link and gives no answer in time, not of one whose link broke", async () => {
    const late = trialOf();
    late.network.answer(new OperatingError("deadline_exceeded", "no answer in time"));
    await turn();
    assert.deepEqual(late.events, ["stuck b"]);
    const broken = trialOf();
    broken.network.answer(new OperatingError("peer_unreachable", "the link broke"));
    await turn();
    assert.deepEqual(broken.events, []);
  });

  it("sends nothing any more once it is stopped", async () => {
    const { clock, network, replicator } = trialOf();
    network.answer(new OperatingError("peer_unreachable", "the link broke"));
    await turn();
    replicator.stop();
    clock.advance(10_000);
    replicator.resend("b");
    assert.deepEqual([network.sent.length, clock.idle], [1, true]);
  });
});
