/** Reads by the key's primary where the lease ends under way: a turn takes no time in the simulator. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { type Entry, noHeaders } from "../../../../src/core/entry.ts";
import { LateEffects } from "../../../../src/core/late-effects.ts";
import { createCache } from "../../../../src/member/keys/cache.ts";
import { ReadPath } from "../../../../src/member/keys/read-path.ts";
import { MemberMetrics } from "../../../../src/member/metrics.ts";
import { hold, roomyBuffer, settingsOf } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const entry: Entry = {
  key: "k",
  epoch: 4,
  seq: 1,
  value: Buffer.from("v"),
  headers: noHeaders,
  md5: "",
  modifiedMs: 0,
  size: 1,
  requestId: { router: "r", counter: 1 },
};

it("a read whose lease ends right after it was looked at has its answer, and does not end the process", async () => {
  const a = memberOf("a");
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a]), a, clock);
  const buffer = roomyBuffer(clock);
  const reads = new ReadPath(
    {
      membership,
      buffer,
      clock,
      cache: createCache(0),
      late: new LateEffects(0, { append: () => undefined }),
      store: new ViewStore(),
      metrics: new MemberMetrics(),
      settings: settingsOf({ operationMs: 10_000 }),
    },
    { sendAhead: () => undefined },
  );
  hold(buffer, entry, clock.now());
  const request = { kind: "read", epoch: 4, key: "k", wantValue: true, changed: "", deadlineMs: 5_000 } as const;
  const held = membership.lease.held.bind(membership.lease);
  let isOver = false;
  membership.lease.held = (...args) => {
    const isHeld = held(...args) && !isOver;
    isOver = true;
    return isHeld;
  };
  assert.equal((await reads.read(request)).kind, "value");
  assert.throws(() => reads.read(request), { code: "not_ready" });
});
