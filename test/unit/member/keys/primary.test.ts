/**
 * Writes at the primary that have to wait for an earlier one of their key, which may be stuck for as long as the store
 * is away (W19, W20).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { Slices } from "../../../../src/base/slices.ts";
import { Backlog } from "../../../../src/core/backlog.ts";
import { noHeaders } from "../../../../src/core/entry.ts";
import type { WriteRequest } from "../../../../src/core/message.ts";
import type { Precondition } from "../../../../src/core/precondition.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
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
  const refusedShare = new RefusedShare(context, backlog);
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
  return { clock, membership, buffer, store, network, primary, requestOf, write, pass, ends };
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
