/** What very many due keys may cost in one turn of the event loop when none of them can be flushed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import type { View } from "../../../../src/core/view.ts";
import { commit, roomyBuffer } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { backoffMs, trialFlusher } from "../../../harness/trial-flusher.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");
const keys = 3_000;

/** A member of one, and its flusher, to which very many keys are due; nothing has been tried yet. */
function trial(write: () => Promise<never>) {
  const clock = new ManualClock();
  const view: View = { ...viewOf(4, [a]), settled: true };
  const membership = servingMember(view, a, clock);
  const buffer = roomyBuffer(clock);
  const flusher = trialFlusher({ clock, membership, buffer, store: { write }, delayMs: 1, concurrency: 8 });
  for (let seq = 1; seq <= keys; seq++) {
    const value = Buffer.from("v");
    const plain = { key: `k${seq}`, headers: noHeaders, md5: "", modifiedMs: 7, requestId: noRequest };
    const entry: Entry = { ...plain, epoch: 4, seq, value, size: value.length };
    flusher.queue.schedule(commit(buffer, entry));
  }
  return { clock, membership, view };
}

test("Flusher sends nothing while its member is still adopting a view, although it has tenure and the lease", async () => {
  let sent = 0;
  const { clock, membership, view } = trial(async () => {
    sent++;
    throw new OperatingError("not_ready", "this node has no lease at the moment");
  });
  membership.adopt({ ...view, epoch: 5, settled: false });
  membership.lease.confirmByStore(membership.lease.stamp());
  clock.advance(10);
  await turn();
  assert.equal(membership.lease.held(), true);
  assert.equal(membership.flushFrom("k1") !== undefined, true, "tenure lasts");
  assert.equal(sent, 0);
});

test("Flusher tries few keys in one turn when each attempt fails at once", async () => {
  let sent = 0;
  const { clock } = trial(async () => {
    sent++;
    throw new OperatingError("store_unavailable", "no connection", { neverSent: true });
  });
  clock.advance(backoffMs / 4);
  await turn();
  assert.ok(sent > 0 && sent <= 16, `${sent} in one turn`);
  for (let passes = 0; passes < 10; passes++) {
    clock.advance(1);
    await turn();
  }
  assert.ok(sent > 20, `${sent}: it goes on in the next turns`);
});
