/**
 * When the flusher says that the store has a write for good, although an earlier request may still take effect (F11,
 * F12).
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import type { BlobInfo } from "../../../../src/store/blob-store.ts";
import { assign, roomyBuffer } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { backoffMs, trialFlusher } from "../../../harness/trial-flusher.ts";
import { flushDeadlineMs, memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");

it("a write-through is in the store for good only when no earlier request can have come between it and its answer", async () => {
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a]), a, clock);
  const buffer = roomyBuffer(clock);
  const told: string[] = [];
  const answers: PromiseWithResolvers<void>[] = [];
  let early: BlobInfo | undefined;
  let object: BlobInfo | undefined;
  const flusher = trialFlusher({
    clock,
    membership,
    buffer,
    store: {
      write: async (_key, { version, body, headers }) => {
        const sent = { tag: "t", size: body.length, headers, version, modifiedMs: 7, upload: undefined };
        if (body.toString() === "early") {
          // Nobody knows whether it takes effect, and if so when.
          early = { ...sent, tag: "early" };
          throw new OperatingError("store_unavailable", "no answer");
        }
        object = sent;
        const answer = Promise.withResolvers<void>();
        answers.push(answer);
        told.push("sent");
        await answer.promise;
        return { kind: "written", tag: "t" };
      },
      stat: () => Promise.resolve(object),
    },
    observer: {
      commitReady: (record) => {
        told.push("written through");
        while (record.pending.length > 0) buffer.commit(record);
      },
      stored: () => told.push("stored"),
    },
  });
  const record = buffer.open("k", 0);
  const write = (seq: number, text: string): void => {
    const value = Buffer.from(text);
    const size = value.length;
    const entry: Entry = {
      epoch: 4,
      seq,
      key: "k",
      value,
      headers: noHeaders,
      md5: "",
      modifiedMs: 7,
      size,
      requestId: noRequest,
    };
    record.journaled(assign(buffer, entry, { now: clock.now(), isShort: true }));
    flusher.queue.expedite(record);
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    membership.lease.confirmByStore(membership.lease.stamp());
    for (let looks = 0; looks < 3; looks++) {
      clock.advance(backoffMs);
      await turn();
    }
  };

  write(1, "early");
  await pass(0);
  write(2, "v");
  await pass(0);
  assert.deepEqual(told, ["sent"]);
  // The first takes effect as late as it can, and the answer to the second comes later still.
  object = early;
  await pass(flushDeadlineMs);
  answers[0]?.resolve();
  await pass(0);
  assert.deepEqual(told.slice(0, 2), ["sent", "written through"]);
  assert.ok(!told.includes("stored"), "it is not there any more");
  await pass(0);
  answers[1]?.resolve();
  await pass(0);
  assert.equal(told.at(-1), "stored");
  assert.equal(object?.tag, "t");
});
