/** What the completion of an upload waits for, and what waits for one without an answer (L4, F24). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import { formatManifest } from "../../../../src/core/upload-manifest.ts";
import type { BlobInfo } from "../../../../src/store/blob-store.ts";
import { assign, commit, roomyBuffer, settingsOf } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { backoffMs, trialFlusher } from "../../../harness/trial-flusher.ts";
import { flushDeadlineMs, memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");
const { lateEffectMs } = settingsOf();
const unanswered = new OperatingError("store_unavailable", "no answer");
const plain = { epoch: 4, key: "k", headers: noHeaders, modifiedMs: 7, size: 1, requestId: noRequest };

/** @param heedsOnCompletions - whether the store heeds conditions on completions */
function trialOf(heedsOnCompletions: boolean) {
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a]), a, clock);
  const buffer = roomyBuffer(clock);
  const state = { answers: true, asked: [] as string[], object: undefined as BlobInfo | undefined };
  const change = async (what: string, upload: string | undefined) => {
    state.asked.push(what);
    if (!state.answers) throw unanswered;
    state.object = { headers: noHeaders, modifiedMs: 7, size: 1, tag: what, version: undefined, upload };
    return { kind: "written", tag: what } as const;
  };
  const flusher = trialFlusher({
    clock,
    membership,
    buffer,
    lateEffectMs,
    heedsOnCompletions,
    store: {
      write: (_key, { body }) => change(Buffer.from(body).toString(), undefined),
      completeUpload: () => change("complete", "t"),
      stat: () => Promise.resolve(state.object),
    },
    observer: {
      commitReady: (record) => {
        while (record.pending.length > 0) buffer.commit(record);
      },
    },
  });
  const put = (seq: number, text: string): void => {
    const entry: Entry = { ...plain, seq, value: Buffer.from(text), md5: text };
    flusher.queue.schedule(commit(buffer, entry));
  };
  const upload = (seq: number): void => {
    const manifest = formatManifest({ id: "u", parts: ["p"] });
    const entry: Entry = { ...plain, seq, value: undefined, md5: "", upload: { token: "t", size: 1, manifest } };
    const record = buffer.open("k", clock.now());
    record.journaled(assign(buffer, entry));
    flusher.queue.expedite(record);
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let looks = 0; looks < 4; looks++) {
      membership.lease.confirmByStore(membership.lease.stamp());
      clock.advance(backoffMs);
      await turn();
    }
  };
  return { state, put, upload, pass };
}

describe("Flusher, of an upload", () => {
  it("completes it when no other request for its key is likely to land any more", async () => {
    const { state, put, upload, pass } = trialOf(true);
    state.answers = false;
    put(1, "A");
    await pass(0);
    state.answers = true;
    await pass(0);
    assert.equal(state.object?.tag, "A");
    upload(2);
    await pass(0);
    assert.ok(!state.asked.includes("complete"), "the first request for A may land yet");
    await pass(flushDeadlineMs);
    assert.ok(state.asked.includes("complete"));
  });

  for (const heeds of [true, false]) {
    const outcome = heeds ? "sends a newer value after F" : "sends no newer value before L";
    it(`whose completion had no answer, in a store that ${heeds ? "heeds" : "ignores"} conditions there, ${outcome}`, async () => {
      const { state, put, upload, pass } = trialOf(heeds);
      state.answers = false;
      upload(1);
      await pass(0);
      state.answers = true;
      await pass(0);
      assert.equal(state.object?.tag, "complete");
      put(2, "B");
      await pass(flushDeadlineMs);
      assert.equal(state.asked.includes("B"), heeds);
      await pass(lateEffectMs);
      assert.equal(state.asked.includes("B"), true);
    });
  }
});
