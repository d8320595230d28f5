/**
 * Writes at the primary that have to wait for an earlier one of their key, which may be stuck for as long as the store
 * is away (W19, W20).
 */

import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import { Slices } from "../../../../src/base/slices.ts";
import { Backlog } from "../../../../src/core/backlog.ts";
import { type Entry, noHeaders } from "../../../../src/core/entry.ts";
import { LateEffects } from "../../../../src/core/late-effects.ts";
import type { WriteRequest } from "../../../../src/core/message.ts";
import type { Precondition } from "../../../../src/core/precondition.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
import { StoreHealth } from "../../../../src/core/store-health.ts";
import { noJournal } from "../../../../src/journal/no-journal.ts";
import { Assigner } from "../../../../src/member/keys/assigner.ts";
import { createCache } from "../../../../src/member/keys/cache.ts";
import { Committer } from "../../../../src/member/keys/committer.ts";
import type { FlushRequests } from "../../../../src/member/keys/flush-requests.ts";
import { Inheritance } from "../../../../src/member/keys/inheritance.ts";
import { Primary } from "../../../../src/member/keys/primary.ts";
import { ReadPath } from "../../../../src/member/keys/read-path.ts";
import { RefusedShare } from "../../../../src/member/keys/refused-share.ts";
import { Repeats } from "../../../../src/member/keys/repeats.ts";
import { Replicator } from "../../../../src/member/keys/replicator.ts";
import { MemberMetrics } from "../../../../src/member/metrics.ts";
import { roomyBuffer, settingsOf, wholeSlices } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const a = memberOf("a");
const absent: Precondition = { noneMatch: ["*"] };
/** Shorter than the lease. */
const stepMs = 500;

/** A lone owner of two: its writes wait for the store, which is away. */
function trial() {
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a]), a, clock);
  const nothing = (): undefined => undefined;
  const context = {
    membership,
    buffer: roomyBuffer(clock),
    requests: new RequestLog(),
    cache: createCache(0),
    late: new LateEffects(0, { append: nothing }),
    store: new ViewStore(),
    network: new ScriptedNetwork(),
    journal: noJournal("a-disk"),
    clock,
    complaints: new Complaints(new RecordedLog(), clock, 10_000),
    metrics: new MemberMetrics(),
    slices: new Slices(clock, wholeSlices),
    settings: settingsOf({ operationMs: 10_000 }),
  };
  const { buffer, store, network } = context;
  // The store takes nothing, however soon it is asked for.
  const flush: FlushRequests = { add: nothing, schedule: nothing, expedite: nothing, expediteAwaited: nothing };
  const committer = new Committer(context, flush);
  const replicator = new Replicator(context, committer, { onNewerEpoch: nothing, onStuck: nothing }, 4_000);
  const inheritance = new Inheritance(context, { replicator, committer, flush, onAsked: nothing });
  const reads = new ReadPath(context, inheritance);
  const repeats = new Repeats(context, reads);
  const assigner = new Assigner(context, { replicator, committer, inheritance, reads, repeats });
  const mayDiscard = (): never => assert.fail("nothing is discarded");
  const backlog = new Backlog();
  const refusedShare = new RefusedShare(context, backlog, new StoreHealth());
  const parts = { assigner, committer, replicator, inheritance, repeats, refusedShare, reads, flush, mayDiscard };
  const primary = new Primary(context, parts);
  const ends: string[] = [];
  let counter = 0;
  const requestOf = (name: string, deadlineMs: number, precondition?: Precondition): WriteRequest => ({
    kind: "write",
    epoch: membership.epoch,
    key: "k",
    requestId: { router: "r", counter: ++counter },
    precondition,
    headers: noHeaders,
    value: Buffer.from(name),
    md5: "",
    durability: "replicated",
    deadlineMs,
  });
  const write = (name: string, deadlineMs: number, precondition?: Precondition): void => {
    primary.write(requestOf(name, deadlineMs, precondition)).then(
      () => ends.push(`${name} done`),
      (error: unknown) => ends.push(`${name} ${isOperatingError(error) ? error.code : String(error)}`),
    );
  };
  const pass = async (ms: number): Promise<void> => {
    await turn();
    for (let passed = 0; passed < ms; passed += stepMs) {
      clock.advance(Math.min(stepMs, ms - passed));
      membership.lease.confirmByStore(membership.lease.stamp());
      for (let turns = 0; turns < 5; turns++) await turn();
    }
  };
  /** The store takes the newest state of the key. */
  const take = (): void => {
    const record = buffer.open("k", clock.now());
    const flight = record.takeOff(record.newest as Entry, clock.now(), false);
    record.sent(flight);
    record.arrived(flight);
    record.land(flight);
    committer.commitReady(record);
  };
  return { clock, membership, buffer, store, network, primary, refusedShare, requestOf, write, pass, take, ends };
}

describe("a write", () => {
  it("is refused if its router goes by another epoch, and without a lease (W2)", () => {
    const { clock, membership, buffer, primary, requestOf } = trial();
    const request = requestOf("v", 5_000);
    for (const epoch of [membership.epoch - 1, membership.epoch + 1]) {
      assert.throws(() => primary.write({ ...request, epoch }), { code: "wrong_view" });
    }
    clock.advance(10_000);
    assert.throws(() => primary.write(request), { code: "not_ready" });
    assert.equal(buffer.size, 0);
  });
});

describe("a write that waits before it is assigned", () => {
  const refused = (): never => {
    throw new OperatingError("refused_full", "no");
  };

  it("is refused if the store refuses too much of its writer by then: for its turn, and behind it (W28)", async () => {
    const { buffer, refusedShare, write, pass, take, ends } = trial();
    write("stuck", 10_000);
    write("first", 10_000, { match: ["*"] });
    write("second", 10_000);
    await pass(1_000);
    const { usedBytes } = buffer.admission;
    mock.method(refusedShare, "require", refused);
    take();
    await pass(0);
    assert.deepEqual(ends, ["stuck done", "first refused_full", "second refused_full"]);
    assert.equal(buffer.admission.usedBytes, usedBytes);
  });

  it("is judged again with the room that it has taken, and gives that back if it is refused (W28)", async () => {
    for (const precondition of [undefined, absent]) {
      const { buffer, refusedShare, write, pass, ends } = trial();
      buffer.admission.isShut = true;
      const judged = mock.method(refusedShare, "require", (_: WriteRequest, bytes: number, taken: number) => {
        if (bytes === taken) refused();
      });
      write("v", 10_000, precondition);
      await pass(0);
      buffer.admission.isShut = false;
      await pass(0);
      assert.deepEqual(ends, ["v refused_full"]);
      assert.ok(judged.mock.callCount() >= 2);
      assert.equal(buffer.admission.usedBytes, 0);
    }
  });
});

describe("a conditional write", () => {
  it("waits for an earlier one no longer than anybody waits for it, and holds up later ones no longer, either", async () => {
    const { buffer, store, network, write, pass, ends, clock } = trial();
    write("stuck", 10_000);
    write("first", 5_000, absent);
    write("second", 6_000, absent);
    write("plain", 7_000);
    await pass(4_999);
    assert.deepEqual(ends, []);
    await pass(1);
    assert.deepEqual(ends, ["first deadline_exceeded"]);
    await pass(1_000);
    assert.deepEqual(ends, ["first deadline_exceeded", "second deadline_exceeded"]);
    assert.deepEqual(
      buffer.get("k")?.pending.map(({ entry }) => String(entry.value)),
      ["stuck", "plain"],
    );
    assert.equal(clock.idle, true);
    assert.deepEqual([store.reads, network.sent], [0, []]);
  });
});
