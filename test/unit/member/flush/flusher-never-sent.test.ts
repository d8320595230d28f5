/** What a request that the store never got keeps from being sent: nothing (F3). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import { commit, roomyBuffer } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { backoffMs, trialFlusher } from "../../../harness/trial-flusher.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");

for (const [neverSent, blocked] of [
  [true, "nothing"],
  [false, "the next version for F"],
] as const) {
  test(`Flusher, after a request ${neverSent ? "that was never sent" : "of unknown outcome"}, holds back ${blocked}`, async () => {
    const clock = new ManualClock();
    const membership = servingMember(viewOf(4, [a]), a, clock);
    const buffer = roomyBuffer(clock);
    const state = { isAway: true, sent: [] as string[] };
    const write = async (_key: string, { body }: { readonly body: Uint8Array }) => {
      if (state.isAway) throw new OperatingError("store_unavailable", "no connection", { neverSent });
      state.sent.push(Buffer.from(body).toString());
      return { kind: "written", tag: "t" } as const;
    };
    const flusher = trialFlusher({ clock, membership, buffer, store: { write } });
    const put = (seq: number, text: string): void => {
      const value = Buffer.from(text);
      const plain = { key: "k", headers: noHeaders, md5: text, modifiedMs: 7, requestId: noRequest };
      const entry: Entry = { ...plain, epoch: 4, seq, value, size: value.length };
      flusher.queue.schedule(commit(buffer, entry));
    };
    const pass = async (): Promise<void> => {
      membership.lease.confirmByStore(membership.lease.stamp());
      clock.advance(2 * backoffMs);
      await turn();
    };
    put(1, "A");
    await pass();
    put(2, "B");
    state.isAway = false;
    await pass();
    assert.deepEqual(state.sent, neverSent ? ["B"] : []);
  });
}
