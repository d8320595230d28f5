/** Writes at the primary that have to wait for an earlier one of their key, which may be stuck for as long as the store is away. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { Admission } from "../../../../src/core/admission.ts";
import { noHeaders } from "../../../../src/core/entry.ts";
import type { WriteRequest } from "../../../../src/core/message.ts";
import type { Precondition } from "../../../../src/core/precondition.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
import { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { createCache } from "../../../../src/member/keys/cache.ts";
import { Primary } from "../../../../src/member/keys/primary.ts";
import type { PrimaryParts } from "../../../../src/member/keys/primary-parts.ts";
import { MemberMetrics } from "../../../../src/member/metrics.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");
const absent: Precondition = { noneMatch: ["*"] };
/** Shorter than the lease. */
const stepMs = 500;

/** A lone owner of two: its writes wait for the store, which is away. */
function trial() {
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a]), a, clock);
  const nothing = (): undefined => undefined;
  const buffer = new WriteBuffer(new Admission({ dirtyBytes: 1e9, waitMs: 500 }, clock), { append: nothing });
  const parts: Partial<PrimaryParts> = {
    membership,
    buffer,
    requests: new RequestLog(),
    cache: createCache(0),
    reads: { invalidate: nothing } as unknown as PrimaryParts["reads"],
    journal: { durable: nothing } as unknown as PrimaryParts["journal"],
    clock,
    complaints: new Complaints(new RecordedLog(), clock, 10_000),
    metrics: new MemberMetrics(),
    replicateMs: 4_000,
    stuckMs: 10_000,
    observer: {
      onCommit: nothing,
      onWriteThrough: nothing,
      onAwaited: nothing,
      onNewerEpoch: nothing,
      onStuck: nothing,
      onInherited: nothing,
      onAsked: nothing,
    },
  };
  const primary = new Primary(parts as PrimaryParts);
  const ends: string[] = [];
  let counter = 0;
  const write = (name: string, deadlineMs: number, precondition?: Precondition): void => {
    const request: WriteRequest = {
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
    };
    primary.write(request).then(
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
  return { clock, buffer, write, pass, ends };
}

describe("a conditional write", () => {
  it("waits for an earlier one no longer than anybody waits for it, and holds up later ones no longer, either", async () => {
    const { buffer, write, pass, ends, clock } = trial();
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
  });
});
